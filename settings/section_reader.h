/* SPDX-License-Identifier: MIT */
/* Sections into a configuration: line by line, as the ini reader finds them, or as they were noted
 * when they were read. */
#ifndef REEVE_SETTINGS_SECTION_READER_H
#define REEVE_SETTINGS_SECTION_READER_H

#include "base/setting.h"
#include "settings/config.h"

/* A table has at most so many settings, as tests/settings makes sure. */
#define SECTION_SETTINGS_MAX 64

struct section_reader {
    struct config *config;
    struct config_errors *errors;
    const struct config_places *places;
    bool in_force;    /* it was good when it was read: what the machine has is not looked at */
    const char *file; /* the file that is being read: one of config->files */
    bool main_file;
    /* The section that is being read. Both NULL: a refused one. */
    const struct setting *table;
    void *base;
    struct config_module *module;
    unsigned section_line;
    unsigned given[SECTION_SETTINGS_MAX]; /* the line of each setting of the table, 0: not yet */
};

/* arg is the reader, as the callbacks of ini_read() have it. */
void section_reader_begin(void *arg, const char *section, unsigned line);
void section_reader_take(void *arg, const char *section, const char *key, const char *value,
                         unsigned line);
/* The rules for a complete section. Each that begins ends the one before it; the last ends
 * by this. */
void section_reader_finish(struct section_reader *reader);

#endif
