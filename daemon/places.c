/* SPDX-License-Identifier: MIT */
#include "daemon/places.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

/*
 * In a build tree reeve-host lies in host/ beside this program, and the modules in ../modules. That
 * is as safe as running this program from there: who can write there can replace it too.
 */
static bool find_in_build_tree(struct places *places)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    if (length < 0)
        return false;
    program[length] = '\0';
    slash = strrchr(program, '/');
    if (!slash || (size_t)length + 32 > sizeof(program))
        return false;
    *slash = '\0';
    snprintf(places->host_program, sizeof(places->host_program), "%.4000s/host/reeve-host",
             program);
    snprintf(places->modules, sizeof(places->modules), "%.4000s/../modules", program);
    return access(places->host_program, X_OK) == 0;
}

int places_find(struct places *ret_places)
{
    struct places *places = ret_places;
    bool build_tree = find_in_build_tree(places);

    config_places_init(&places->config);
    if (build_tree) {
        if (!secure_getenv("REEVE_MODULE_PATH"))
            places->config.modules = places->modules;
        return 0;
    }
    string_copy(places->host_program, sizeof(places->host_program), REEVE_HOST_PROGRAM);
    return access(places->host_program, X_OK) < 0 ? -errno : 0;
}

static int make_folder(const char *path, const char *variable)
{
    struct stat status;

    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    log_error("cannot make the folder %s: %s; make it, or let %s name another one", path,
              strerror(errno), variable);
    return errno == EEXIST ? -ENOTDIR : -errno;
}

int places_prepare(const struct places *places)
{
    int r = make_folder(places->config.runtime, "RUNTIME_DIRECTORY");

    return r < 0 ? r : make_folder(places->config.state, "STATE_DIRECTORY");
}
