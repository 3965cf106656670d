/* SPDX-License-Identifier: MIT */
#include "tests/settings/files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char config_folder[] = "/tmp/reeve-config-XXXXXX";
struct config_places places = {.runtime = "/run/x", .state = "/var/x"};

void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", config_folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

void remove_file(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", config_folder, name);
    assert_int_equal(unlink(path), 0);
}

int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(config_folder))
        return -1;
    places.modules = config_folder;
    write_file("one.so", "");
    write_file("two.so", "");
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

int remove_folder(void **state)
{
    (void)state;
    return nftw(config_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct config *load(const char *text, struct config_errors *errors)
{
    char path[256];

    write_file("reeve.ini", text);
    snprintf(path, sizeof(path), "%s/reeve.ini", config_folder);
    return config_load(path, &places, errors);
}

/* The text must be refused with exactly these errors, each a part of a line, in order. */
void refuse(const char *text, const char *const *parts)
{
    struct config_errors errors = {0};
    struct config *config = load(text, &errors);
    size_t i = 0;

    assert_null(config);
    for (; parts[i]; i++) {
        if (i >= errors.texts.count)
            fail_msg("missing error: %s", parts[i]);
        if (!strstr(errors.texts.items[i], parts[i]))
            fail_msg("expected \"%s\", got \"%s\"", parts[i], errors.texts.items[i]);
    }
    if (errors.texts.count > i)
        fail_msg("unexpected error: %s", errors.texts.items[i]);
    config_errors_free(&errors);
}

void write_bytes(const char *name, const void *bytes, size_t size)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", config_folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}
