/* SPDX-License-Identifier: MIT */
/* All that is known of a module. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/nearest.h"
#include "base/size.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

static char *write_ago(const json_t *value, char *buffer, size_t size)
{
    char text[DURATION_TEXT_SIZE];

    snprintf(buffer, size, "%s ago", format_rough(json_number_value(value), text, sizeof(text)));
    return buffer;
}

static char *write_in(const json_t *value, char *buffer, size_t size)
{
    char text[DURATION_TEXT_SIZE];
    double seconds = json_number_value(value);

    string_copy(buffer, size, seconds > 0 ? format_rough(seconds, text, sizeof(text)) : "now");
    return buffer;
}

/* A text without a code is of a run that was cancelled, which is no error. */
static const char *write_code(const json_t *task, int code, char *buffer, size_t size)
{
    const char *name = code < 0 ? strerrorname_np(-code) : NULL;

    if (name)
        snprintf(buffer, size, "%s: %s", name, strerror(-code));
    else if (code == 0)
        snprintf(buffer, size, "0: %s", *get_text(task, "last_error") ? "cancelled" : "no error");
    else
        snprintf(buffer, size, "%d", code);
    return buffer;
}

static char *write_size(const json_t *value, char *buffer, size_t size)
{
    return size_format((uint64_t)MAX(json_integer_value(value), 0), buffer, size);
}

static char *write_time(const json_t *value, char *buffer, size_t size)
{
    return get_local_time(json_string_value(value), buffer, size);
}

/* How a member is told where its type alone does not say it. */
static const struct format {
    const char *key;
    char *(*write)(const json_t *value, char *buffer, size_t size);
} formats[] = {
    {"since", write_ago},          {"started", write_ago}, {"ended", write_ago},
    {"succeeded", write_ago},      {"next_in", write_in},  {"resident_bytes", write_size},
    {"private_bytes", write_size}, {"time", write_time},
};

/* NULL: this member is not shown. */
static const char *write_value(const json_t *object, const char *key, const json_t *value,
                               char *buffer, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].key, key) == 0 && !json_is_null(value))
            return formats[i].write(value, buffer, size);
    if (strcmp(key, "last_code") == 0)
        return write_code(object, (int)json_integer_value(value), buffer, size);
    if (json_is_string(value))
        string_copy(buffer, size, json_string_value(value));
    else if (json_is_integer(value))
        snprintf(buffer, size, "%lld", json_integer_value(value));
    else if (json_is_real(value))
        get_duration(object, key, buffer, size);
    else if (json_is_boolean(value))
        string_copy(buffer, size, json_is_true(value) ? "yes" : "no");
    else
        return NULL;
    text_sanitise(buffer);
    return *buffer != '\0' ? buffer : NULL;
}

/* "last_error" is "last error" to people. */
static void print_words(const char *key, int depth)
{
    printf("%*s", depth, "");
    for (; *key != '\0'; key++)
        putchar(*key == '_' ? ' ' : *key);
}

static void print_key(const char *key, int depth, int width)
{
    print_words(key, depth);
    printf("%*s ", MAX(width - (int)strlen(key), 0), "");
}

static void print_heading(const char *key, int depth)
{
    print_words(key, depth);
    puts(":");
}

static void show_list(const char *key, const json_t *list, int depth);

/* Members of an object, a line each; objects and lists in it are indented. */
static void show_object(const json_t *object, int depth)
{
    const char *key, *text;
    char buffer[1400];
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_is_array(value)) {
            show_list(key, value, depth);
        } else if (json_is_object(value)) {
            print_heading(key, depth);
            show_object(value, depth + 4);
        } else if ((text = write_value(object, key, value, buffer, sizeof(buffer)))) {
            print_key(key, depth, 18 - depth);
            puts(text);
        }
    }
}

static void show_list(const char *key, const json_t *list, int depth)
{
    char text[64];
    json_t *item;
    size_t i;

    if (json_array_size(list) > 0)
        print_heading(key, depth);
    json_array_foreach(list, i, item)
    {
        if (json_is_object(item)) {
            show_object(item, depth + 4);
            if (i + 1 < json_array_size(list))
                putchar('\n');
        } else if (json_is_string(item)) {
            /* Points of time. */
            printf("%*s%s\n", depth + 4, "",
                   get_local_time(json_string_value(item), text, sizeof(text)));
        }
    }
}

static const json_t *find_module(const json_t *status, const char *name)
{
    struct nearest nearest;
    json_t *module;
    size_t i;

    nearest_begin(&nearest, name);
    json_array_foreach(json_object_get(status, "modules"), i, module)
    {
        if (strcmp(get_text(module, "name"), name) == 0)
            return module;
        nearest_offer(&nearest, get_text(module, "name"));
    }
    fprintf(stderr, "reevectl: there is no module \"%s\"%s\n", name, nearest_words(&nearest));
    return NULL;
}

int command_show(const struct ctl *ctl, int count _unused_, char **words)
{
    const json_t *module;
    json_t *status;
    int r = ctl_get_status(ctl, &status);

    if (r != 0)
        return r;
    module = find_module(status, words[0]);
    if (!module)
        r = CTL_EXIT_UNKNOWN;
    else if (ctl->json)
        print_json(module);
    else
        show_object(module, 0);
    json_decref(status);
    return r;
}
