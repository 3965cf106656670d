/* SPDX-License-Identifier: MIT */
#include "settings/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX          "credential:"
#define NAME_LENGTH_MAX 255

/* As systemd.exec(5) has it: a file's name of printable ASCII, without a colon. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_LENGTH_MAX || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return false;
    for (; *name != '\0'; name++)
        if (*name <= ' ' || *name >= 0x7f || *name == '/' || *name == ':')
            return false;
    return true;
}

/* Reads the file to its end. Returns its length, -EFBIG for more than size - 1 bytes, or another
 * negative errno. */
static ssize_t read_file(int folder, const char *name, char *buffer, size_t size)
{
    cleanup_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    size_t used = 0;
    ssize_t count;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    while ((count = read(fd, buffer + used, size - used)) > 0) {
        used += (size_t)count;
        if (used == size)
            return -EFBIG;
    }
    return count < 0 ? -errno : (ssize_t)used;
}

/* Fills buffer with the content, as a string. Returns NULL, or what is wrong with it. */
static const char *read_credential(const char *folder, const char *name, char *buffer, size_t size)
{
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -errno : read_file(fd, name, buffer, size);

    if (length == -ENOENT)
        return "the service has no such credential; LoadCredential= gives it one";
    if (length == -EFBIG)
        return "it is larger than 64K";
    if (length == -EINVAL)
        return "it is not a file";
    if (length < 0)
        return strerror((int)-length);
    /* The line end that an editor adds, and no more. */
    if (length > 0 && buffer[length - 1] == '\n')
        length--;
    if (length == 0)
        return "it is empty";
    if (length > CREDENTIAL_MAX)
        return "it is larger than 64K";
    if (memchr(buffer, '\0', (size_t)length))
        return "it has a NUL byte in it";
    buffer[length] = '\0';
    return NULL;
}

static void resolve(const struct config_module *module, struct config_option *option,
                    const struct config_places *places, struct config_errors *errors)
{
    const char *name = option->value + strlen(PREFIX), *wrong;
    char buffer[CREDENTIAL_MAX + 2];

    if (!is_name(name)) {
        wrong = "expected the name of a credential";
    } else if (places->credentials) {
        wrong = read_credential(places->credentials, name, buffer, sizeof(buffer));
    } else if (places->credentials_optional) {
        /* So that all else can be checked. */
        option->unchecked = true;
        string_copy(buffer, sizeof(buffer), "?");
        wrong = NULL;
    } else {
        wrong = "credentials are systemd's to give, and there is no CREDENTIALS_DIRECTORY";
    }
    if (wrong)
        config_error(errors, option->file, option->line, "[module:%s] %s = %s: %s", module->name,
                     option->key, option->value, wrong);
    else if (!(option->secret = strdup(buffer)))
        errors->failed = true;
    explicit_bzero(buffer, sizeof(buffer));
}

void credentials_resolve(struct config *config, const struct config_places *places,
                         struct config_errors *errors)
{
    for (size_t i = 0; i < config->module_count; i++)
        for (size_t j = 0; j < config->modules[i]->option_count; j++) {
            struct config_option *option = &config->modules[i]->options[j];

            if (strncmp(option->value, PREFIX, strlen(PREFIX)) == 0)
                resolve(config->modules[i], option, places, errors);
        }
}
