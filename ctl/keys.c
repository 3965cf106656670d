/* SPDX-License-Identifier: MIT */
/* The keys of reeve.ini that are reeve's own, from the tables that read them. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/table.h"
#include "settings/key_tables.h"

/* "TASK.every". */
static const char *whole_key(const struct key_table *table, const struct setting *setting,
                             char *buffer, size_t size)
{
    snprintf(buffer, size, "%s%s", table->prefix, setting->key);
    return buffer;
}

/* Without words all keys are wanted. */
static bool is_wanted(const char *key, int count, char **words)
{
    for (int i = 0; i < count; i++)
        if (strcmp(key, words[i]) == 0)
            return true;
    return count == 0;
}

/* Returns 0, or the exit code when one of the words is no key. */
static int check_words(int count, char **words)
{
    for (int i = 0; i < count; i++) {
        struct nearest nearest;

        nearest_begin(&nearest, words[i]);
        for (const struct key_table *t = key_tables; t->name; t++)
            setting_offer_keys(t->keys, t->prefix, &nearest);
        if (nearest.distance == 0)
            continue;
        fprintf(stderr,
                "reevectl: reeve has no key \"%s\"%s; `reevectl describe` tells a module's\n",
                words[i], nearest_words(&nearest));
        return CTL_EXIT_UNKNOWN;
    }
    return 0;
}

static json_t *make_key(const struct key_table *table, const struct setting *setting,
                        const char *key)
{
    char allowed[SETTING_MESSAGE_SIZE];

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s?, s:s?, s:s}", "section", table->where,
                     "name", key, "type", setting_type(setting), "allowed",
                     setting_allowed(setting, allowed, sizeof(allowed)), "required",
                     (setting->flags & SETTING_REQUIRED) != 0, "repeated",
                     setting_is_repeated(setting), "default", setting->fallback, "example",
                     setting->example, "help", setting->help);
}

static void add_line(struct table *table, const struct setting *setting, const char *key)
{
    char allowed[SETTING_MESSAGE_SIZE];

    table_line(table);
    table_cell(table, "%s", key);
    table_cell(table, "%s",
               setting->fallback                   ? setting->fallback
               : setting->flags & SETTING_REQUIRED ? "required"
                                                   : "-");
    table_cell(table, "%s", setting_allowed(setting, allowed, sizeof(allowed)));
    table_cell(table, "%s", setting->help);
}

/* Those of one table that are wanted. Returns how many there are. */
static size_t print_table(const struct ctl *ctl, const struct key_table *keys, int count,
                          char **words, bool is_first)
{
    const char *const columns[] = {keys->where, "DEFAULT", "VALUE", "HELP", NULL};
    struct table *table = NULL;
    size_t lines = 0;
    char key[64];

    for (const struct setting *s = keys->keys; s->key; s++) {
        if (!is_wanted(whole_key(keys, s, key, sizeof(key)), count, words))
            continue;
        if (lines++ == 0)
            table = table_create(ctl, columns);
        add_line(table, s, key);
    }
    if (!table)
        return 0;
    if (!is_first)
        putchar('\n');
    table_print(table);
    return lines;
}

static void print_all(const struct ctl *ctl, int count, char **words)
{
    size_t lines = 0;

    for (const struct key_table *t = key_tables; t->name; t++)
        lines += print_table(ctl, t, count, words, lines == 0);
}

static int print_document(int count, char **words)
{
    json_t *list = json_array(), *document = json_pack("{s:o}", "keys", list);
    char key[64];

    for (const struct key_table *t = key_tables; t->name; t++)
        for (const struct setting *s = t->keys; s->key; s++)
            if (is_wanted(whole_key(t, s, key, sizeof(key)), count, words))
                json_array_append_new(list, make_key(t, s, key));
    if (!document)
        return CTL_EXIT_FAILURE;
    print_json(document);
    json_decref(document);
    return 0;
}

int command_keys(const struct ctl *ctl, int count, char **words)
{
    int r = check_words(count, words);

    if (r != 0)
        return r;
    if (ctl->json)
        return print_document(count, words);
    print_all(ctl, count, words);
    return 0;
}
