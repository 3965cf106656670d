/* SPDX-License-Identifier: MIT */
/* Listening sockets, with errors that say what to do. */
#include "daemon/edge/socket/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "settings/address.h"

#define BACKLOG 1024

static int bind_tcp(const struct address *address)
{
    cleanup_close int fd =
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1, no = 0;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
        return -errno;
    /* "*" means both families. */
    if (address->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0 ||
        listen(fd, BACKLOG) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int listen_add_address(int fd, struct strings *addresses)
{
    struct address actual = {.length = sizeof(actual.storage)};
    char name[ADDRESS_TEXT_SIZE];

    if (getsockname(fd, (struct sockaddr *)&actual.storage, &actual.length) < 0)
        return -errno;
    return strings_add(addresses, address_format(&actual, name, sizeof(name)));
}

int listen_tcp(const char *text, struct strings *bound)
{
    struct address address;
    int fd, r = address_parse(text, &address);

    fd = r < 0 ? r : bind_tcp(&address);
    if (fd < 0) {
        log_error("cannot listen at %s: %s%s", text, strerror(-fd),
                  fd == -EADDRINUSE ? "; stop who uses it (ss -ltnp tells), or choose another port "
                                      "with `listen` in [daemon]"
                                    : "");
        return fd;
    }
    r = listen_add_address(fd, bound);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

/* Takes away what a crash left behind, which refuses connections. Returns 0, -EADDRINUSE when
 * somebody answers, or another negative errno. */
static int remove_stale(const struct sockaddr_un *address)
{
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat status;

    if (fd < 0 || lstat(address->sun_path, &status) < 0)
        return -errno;
    /* This is no socket that a crash of ours has left. */
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    /* EAGAIN: it lives, with a full backlog. */
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
        return -EADDRINUSE;
    if (errno != ECONNREFUSED)
        return -errno;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

static int bind_unix(const struct sockaddr_un *address, mode_t mode)
{
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask;
    int r;

    if (fd < 0)
        return -errno;
    /* Never, not even for a moment, open to more than it is to be. */
    mask = umask(0777 & ~mode);
    r = bind_to(fd, address);
    if (r == -EADDRINUSE) {
        r = remove_stale(address);
        r = r < 0 ? r : bind_to(fd, address);
    }
    umask(mask);
    if (r < 0)
        return r;
    return listen(fd, BACKLOG) < 0 ? -errno : TAKE_FD(fd);
}

int listen_unix_quietly(const char *path, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    string_copy(address.sun_path, sizeof(address.sun_path), path);
    return bind_unix(&address, mode);
}

int listen_unix(const char *path, mode_t mode)
{
    int fd = listen_unix_quietly(path, mode);

    if (fd == -ENAMETOOLONG)
        log_error("cannot listen at %s: a socket's path has at most %zu bytes", path,
                  sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    else if (fd == -EADDRINUSE)
        log_error("cannot listen at %s: another reeved uses it; stop that one, or give this one "
                  "another `control` in [daemon]",
                  path);
    else if (fd == -EEXIST)
        log_error("cannot listen at %s: there is a file that is no socket; take it away, or choose "
                  "another `control` in [daemon]",
                  path);
    else if (fd < 0)
        log_error("cannot listen at %s: %s", path, strerror(-fd));
    return fd;
}
