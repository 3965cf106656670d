/* SPDX-License-Identifier: MIT */
/*
 * Prints the supervisor's and the host's tables of settings, for the manual: a line each of table,
 * key, default, "list", "required", and help, with tabs between them.
 */
#include <stdio.h>

#include "host/load/settings.h"
#include "settings/keys.h"

static void print(const char *table, const char *key, const char *fallback, bool list,
                  bool required, const char *help)
{
    printf("%s\t%s\t%s\t%s\t%s\t%s\n", table, key, fallback ? fallback : "", list ? "list" : "",
           required ? "required" : "", help);
}

static void print_table(const char *name, const struct setting *table)
{
    for (; table->key; table++)
        print(name, table->key, table->fallback, setting_is_repeated(table),
              table->flags & SETTING_REQUIRED, table->help);
}

static void print_host(const char *of, const char *suffix, const char *fallback, bool list,
                       const char *help, void *arg)
{
    char key[64];

    (void)arg;
    snprintf(key, sizeof(key), "%s.%s", of, suffix);
    print(of, key, fallback, list, false, help);
}

int main(void)
{
    print_table("daemon", daemon_settings);
    print_table("module", module_settings);
    settings_visit(print_host, NULL);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
