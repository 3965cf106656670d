/* SPDX-License-Identifier: MIT */
/*
 * Where the daemon's control socket is: named by --socket or REEVE_CONTROL; else by `control` in
 * the configuration of the system's own reeved, as the daemon itself reads it; else in the runtime
 * directory.
 *
 * The configuration may have been edited since the daemon started, which keeps its socket until
 * then, or systemd has made the socket. So if nobody listens where the configuration says, but in
 * the runtime directory, that one is taken.
 */
#include "ctl/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "settings/config.h"
#include "settings/errors.h"
#include "settings/ini_file.h"

#define PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)

static void skip_section(void *arg _unused_, const char *section _unused_, unsigned line _unused_)
{
}

static void take_value(void *arg, const char *section, const char *key, const char *value,
                       unsigned line _unused_)
{
    char **control = arg;

    if (!*control && strcmp(section, "daemon") == 0 && strcmp(key, "control") == 0)
        *control = strdup(value);
}

/* The path that the configuration names; NULL when that is nothing, or cannot be read. Its errors
 * are the daemon's to tell. */
static char *read_configured(void)
{
    static const struct ini_handler handler = {skip_section, take_value};
    struct config_errors errors = {0};
    cleanup_free char *real = realpath(REEVE_CONFIG_FILE, NULL);
    cleanup_free char *control = NULL;

    if (!real)
        return NULL;
    (void)ini_read(real, &handler, &control, &errors);
    config_errors_free(&errors);
    if (!control || *control == '\0' || *control == '/')
        return TAKE_PTR(control);
    return format_new("%.*s/%s", (int)(strrchr(real, '/') - real), real, control);
}

/* Also one that the caller may not use. */
static bool somebody_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;

    if (fd < 0)
        return true;
    string_copy(address.sun_path, sizeof(address.sun_path), path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        error = errno;
    close(fd);
    return error != ENOENT && error != ENOTDIR && error != ECONNREFUSED;
}

/* Of the system's own daemon. */
static void find_own(struct ctl *ctl)
{
    static char standard[PATH_SIZE], configured[PATH_SIZE];
    struct config_places places;
    cleanup_free char *control = read_configured();

    config_places_init(&places);
    string_copy(standard, sizeof(standard), CTL_SOCKET);
    if (strlen(places.runtime) + sizeof("/control") <= sizeof(standard))
        snprintf(standard, sizeof(standard), "%s/control", places.runtime);
    ctl->own = true;
    ctl->socket = standard;
    if (!control || *control == '\0' || strlen(control) >= sizeof(configured) ||
        strcmp(control, standard) == 0)
        return;
    string_copy(configured, sizeof(configured), control);
    if (somebody_listens(configured) || !somebody_listens(standard)) {
        ctl->socket = configured;
        ctl->socket_from = " (`control` in " REEVE_CONFIG_FILE ")";
    }
}

int socket_find(struct ctl *ctl)
{
    const char *named = getenv("REEVE_CONTROL");

    ctl->socket_from = "";
    if (!ctl->socket && named && *named != '\0') {
        ctl->socket = named;
        ctl->socket_from = " (from REEVE_CONTROL)";
    }
    if (!ctl->socket || *ctl->socket == '\0') {
        find_own(ctl);
        return 0;
    }
    ctl->own = strcmp(ctl->socket, CTL_SOCKET) == 0;
    /* curl would speak of a host name. */
    if (strlen(ctl->socket) >= PATH_SIZE)
        return ctl_usage_error("--socket %s: the path is too long for a socket", ctl->socket);
    return 0;
}
