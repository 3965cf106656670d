/* SPDX-License-Identifier: MIT */
#include "settings/ini_file.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <string.h>

#include "base/fd.h"
#include "base/name_map.h"
#include "base/shown.h"

struct reader {
    const char *path;
    char *next; /* the rest of the file */
    unsigned line;
    char section[INI_NAME_MAX + 1];
    bool section_refused; /* its values are checked, but told to nobody */
    struct strings sections;
    struct name_map section_lines;
    const struct ini_handler *handler;
    void *arg;
    struct config_errors *errors;
};

#define error_at_line(reader, ...) \
    config_error((reader)->errors, (reader)->path, (reader)->line, __VA_ARGS__)

/* Takes the next line, without its end, out of the text. NULL at the end. */
static char *next_line(struct reader *reader)
{
    char *line = reader->next, *end;

    if (!line || *line == '\0')
        return NULL;
    end = strchr(line, '\n');
    reader->next = end ? end + 1 : NULL;
    if (end) {
        *end = '\0';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
    }
    reader->line++;
    return line;
}

static bool check_section_is_new(struct reader *reader, const char *name)
{
    uintptr_t line = (uintptr_t)name_map_find(&reader->section_lines, name);

    if (line > 0) {
        error_at_line(reader, "section [%s] appears twice, first in line %u: put its keys together",
                      name, (unsigned)line);
        return false;
    }
    if (strings_add(&reader->sections, name) < 0 ||
        name_map_add(&reader->section_lines, reader->sections.items[reader->sections.count - 1],
                     (void *)(uintptr_t)reader->line) < 0)
        reader->errors->failed = true;
    return true;
}

static bool check_section(struct reader *reader, char *line)
{
    char *end = strchr(line, ']');
    size_t length;

    reader->section_refused = true;
    if (!end) {
        error_at_line(reader, "a section needs a closing ']'");
        return false;
    }
    for (char *p = end + 1; *p != '\0'; p++)
        if (!isblank((unsigned char)*p)) {
            error_at_line(reader, "nothing may follow a section's ']'");
            return false;
        }
    length = (size_t)(end - line) - 1;
    if (length == 0 || length > INI_NAME_MAX) {
        error_at_line(reader, "a section's name has 1 to %d characters, this one %zu", INI_NAME_MAX,
                      length);
        return false;
    }
    memcpy(reader->section, line + 1, length);
    reader->section[length] = '\0';
    reader->section_refused = !check_section_is_new(reader, reader->section);
    if (!reader->section_refused && reader->handler->section)
        reader->handler->section(reader->arg, reader->section, reader->line);
    return true;
}

/* " ;" begins a comment for inih (and for many people), and is a part of the value for others. */
static bool has_inline_comment(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (isblank((unsigned char)*p) && p[1] == ';')
            return true;
    return false;
}

/* Whether the line begins with a key, as YAML has them, or with the scheme of a URL. */
static bool has_yaml_key(const char *line, size_t length)
{
    if (length == 0 || length > INI_NAME_MAX || line[length] != ':')
        return false;
    return isblank((unsigned char)line[length + 1]) || strncmp(line + length, "://", 3) == 0;
}

/* The text behind the key, or a line without one, may be a secret. */
static void refuse_line(struct reader *reader, const char *line)
{
    size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz-_.");

    if (has_yaml_key(line, length))
        error_at_line(reader, "expected KEY = VALUE, [SECTION] or a comment: \"%.*s ...\"",
                      (int)length, line);
    else
        error_at_line(reader, "expected KEY = VALUE, [SECTION] or a comment");
}

static void refuse_early_key(struct reader *reader, const char *line, size_t length,
                             const char *value)
{
    if (value_is_padding(value + strspn(value, " \t")))
        error_at_line(reader, "a key, not shown as it may be the end of a secret, stands before "
                              "the first [SECTION]");
    else
        error_at_line(reader, "the key \"%.*s\" stands before the first [SECTION]", (int)length,
                      line);
}

static bool check_value(struct reader *reader, const char *line)
{
    const char *separator = strpbrk(line, "=:");
    size_t length;

    if (!separator || *separator == ':') {
        refuse_line(reader, line);
        return false;
    }
    for (length = (size_t)(separator - line); length > 0; length--)
        if (!isblank((unsigned char)line[length - 1]))
            break;
    if (length == 0 || length > INI_NAME_MAX) {
        error_at_line(reader, "a key has 1 to %d characters, this one %zu", INI_NAME_MAX, length);
        return false;
    }
    if (has_inline_comment(separator + 1)) {
        error_at_line(
            reader,
            "a blank before ';' is neither a comment nor a value: put the comment on a line "
            "of its own, or take the blank away");
        return false;
    }
    if (reader->sections.count == 0 && !reader->section_refused) {
        refuse_early_key(reader, line, length, separator + 1);
        return false;
    }
    return true;
}

/* Whether inih may see the line; it reads an empty one in its place otherwise. */
static bool check_line(struct reader *reader, char *line)
{
    size_t length = strlen(line);

    if (length > INI_LINE_MAX) {
        error_at_line(reader, "the line has %zu characters, at most %d are allowed", length,
                      INI_LINE_MAX);
        return false;
    }
    for (const char *p = line; *p != '\0'; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t') {
            error_at_line(reader, "control character 0x%02x: the file is not plain text",
                          (unsigned char)*p);
            return false;
        }
    if (line[strspn(line, " \t")] == '\0' || *line == ';' || *line == '#')
        return false;
    if (isblank((unsigned char)*line)) {
        error_at_line(reader, "a line may not begin with a blank");
        return false;
    }
    return *line == '[' ? check_section(reader, line) : check_value(reader, line);
}

/* inih's view of the file: fgets() over checked lines. */
static char *read_line(char *buffer, int size, void *stream)
{
    struct reader *reader = stream;
    char *line = next_line(reader);

    if (!line)
        return NULL;
    if (check_line(reader, line))
        snprintf(buffer, (size_t)size, "%s\n", line);
    else
        snprintf(buffer, (size_t)size, "\n");
    return buffer;
}

/* inih calls this right after it read the line, so that reader->line is the value's. */
static int take_value(void *arg, const char *section _unused_, const char *key, const char *value)
{
    struct reader *reader = arg;

    if (!reader->section_refused)
        reader->handler->value(reader->arg, reader->section, key, value, reader->line);
    return 1;
}

/* inih's settings are globals of the library: all that the checker does not forbid is turned off.
 */
static void configure_inih(void)
{
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_max_line = INI_LINE_MAX + 3;
    ini_initial_alloc = INI_LINE_MAX + 3;
}

int ini_read(const char *path, const struct ini_handler *handler, void *arg,
             struct config_errors *errors)
{
    struct reader reader = {.path = path, .handler = handler, .arg = arg, .errors = errors};
    cleanup_free char *data = NULL;
    size_t size, before;
    bool blank;
    int r = file_read(path, INI_FILE_MAX, &data, &size);

    if (r < 0) {
        config_error(errors, path, 0, "cannot read the file: %s",
                     r == -EFBIG ? "it is larger than 1M" : strerror(-r));
        return r;
    }
    if (strlen(data) != size) {
        config_error(errors, path, 0, "the file has a NUL byte: it is not plain text");
        return 0;
    }
    /* A byte order mark is not part of the first line. */
    reader.next = data + (strncmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    blank = reader.next[strspn(reader.next, " \t\r\n")] == '\0';
    configure_inih();
    before = errors->texts.count;
    r = ini_parse_stream(read_line, &reader, take_value, &reader);
    name_map_free(&reader.section_lines);
    strings_free(&reader.sections);
    if (r != 0 && errors->texts.count == before)
        config_error(errors, path, r > 0 ? (unsigned)r : 0,
                     r > 0 ? "not understood" : "out of memory");
    return blank ? 1 : 0;
}
