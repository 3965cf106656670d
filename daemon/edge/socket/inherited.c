/* SPDX-License-Identifier: MIT */
/*
 * Sockets that systemd has bound for us: it keeps them over a restart, so that who connects
 * meanwhile waits instead of being refused. Which is which, their names say (FileDescriptorName= in
 * systemd.socket(5)).
 */
#include "daemon/edge/socket/inherited.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

char *inherited_path(int fd)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 || address.sun_path[0] != '/')
        return NULL;
    return strndup(address.sun_path, sizeof(address.sun_path));
}

static int take_one(struct inherited *inherited, int fd, const char *name)
{
    bool health = strcmp(name, "health") == 0, control = strcmp(name, "control") == 0;
    bool tcp = sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
               sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;

    if (health && tcp && inherited->health_count < INHERITED_MAX) {
        inherited->health[inherited->health_count++] = fd;
    } else if (control && inherited->control < 0 &&
               sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0 &&
               (inherited->control_path = inherited_path(fd))) {
        inherited->control = fd;
    } else {
        log_error(
            "systemd passes a socket named \"%s\" (FileDescriptorName=): expected \"health\" for "
            "TCP sockets, at most %d, and \"control\" for one unix stream socket with a path",
            name, INHERITED_MAX);
        return -EINVAL;
    }
    return fd_set_nonblock(fd, true);
}

/* Newer libraries (262 does, 257 did not) also look whether LISTEN_PIDFDID is ours, and take
 * nothing when it is another's. One that an earlier process has left over (by a library that does
 * not know it) must not hide sockets that LISTEN_PID says are ours. */
static void drop_stale_pidfd(void)
{
    const char *pid = getenv("LISTEN_PID");

    if (pid && atol(pid) == (long)getpid())
        unsetenv("LISTEN_PIDFDID");
}

/* The library takes out of the environment what it knows; the program after an upgrade must believe
 * none of it. */
static void drop_all(void)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_PIDFDID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

int inherited_take(struct inherited *ret_inherited)
{
    char **names = NULL;
    int count, r = 0;

    drop_stale_pidfd();
    count = sd_listen_fds_with_names(1, &names);
    drop_all();
    *ret_inherited = (struct inherited){.control = -1};
    if (count < 0)
        log_error("cannot take the sockets that systemd passes: %s", strerror(-count));
    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = take_one(ret_inherited, SD_LISTEN_FDS_START + i, names[i]);
        if (r < 0)
            close(SD_LISTEN_FDS_START + i);
        free(names[i]);
    }
    free(names);
    if (r < 0) {
        for (size_t i = 0; i < ret_inherited->health_count; i++)
            close(ret_inherited->health[i]);
        if (ret_inherited->control >= 0)
            close(ret_inherited->control);
        free(ret_inherited->control_path);
    }
    return count < 0 ? count : r;
}
