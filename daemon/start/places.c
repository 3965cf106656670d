/* SPDX-License-Identifier: MIT */
#include "daemon/start/places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/hold.h"

/* Whether the path leads to the program that this process runs. */
static bool is_this_program(const char *path)
{
    struct stat ours, named;

    return stat("/proc/self/exe", &ours) == 0 && stat(path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* A path that outlives the process that was started by it. */
static bool is_lasting(const char *path)
{
    return path && strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/dev/fd/", 8) != 0;
}

/*
 * The path by which the kernel was told to execute this program, symbolic links and all: where
 * "current" leads by then is what an upgrade is to execute. Started otherwise (by the dynamic
 * linker, under valgrind, by a descriptor) it is the file's own path.
 */
static int find_program(struct places *places)
{
    const char *name =
        (const char *)getauxval(AT_EXECFN); /* NOLINT: the kernel gives it as a number */
    cleanup_free char *absolute = NULL, *folder = NULL;
    ssize_t length;

    if (is_lasting(name) && name[0] != '/') {
        name += strncmp(name, "./", 2) == 0 ? 2 : 0;
        folder = getcwd(NULL, 0);
        absolute = folder ? format_new("%s/%s", folder, name) : NULL;
        name = absolute;
    }
    if (is_lasting(name) && strlen(name) < sizeof(places->program) && is_this_program(name)) {
        string_copy(places->program, sizeof(places->program), name);
        return 0;
    }
    length = readlink("/proc/self/exe", places->program, sizeof(places->program));
    if (length < 0)
        return -errno;
    if ((size_t)length >= sizeof(places->program))
        return -ENAMETOOLONG;
    places->program[length] = '\0';
    return 0;
}

int places_find(struct places *ret_places)
{
    struct places *places = ret_places;
    int r = find_program(places);

    if (r < 0)
        return r;
    config_places_init(&places->config);
    r = build_tree_find(places->program, &places->tree);
    if (r == -EPERM)
        log_warning(
            "%s and the programs beside it are not used: users who may not write to the directory "
            "of %s may write there",
            places->tree.host, places->program);
    if (r == 0) {
        places->host_program = places->tree.host;
        if (!secure_getenv("REEVE_MODULE_PATH"))
            places->config.modules = places->tree.modules;
        return 0;
    }
    places->host_program = REEVE_HOST_PROGRAM;
    return access(places->host_program, X_OK) < 0 ? -errno : 0;
}

static int make_folder(const char *path, const char *variable)
{
    struct stat status;

    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    log_error("cannot make the directory %s: %s; make it, or let %s name another one", path,
              strerror(errno), variable);
    return errno == EEXIST ? -ENOTDIR : -errno;
}

int places_prepare(const struct places *places)
{
    int r = make_folder(places->config.runtime, "RUNTIME_DIRECTORY");

    return r < 0 ? r : make_folder(places->config.state, "STATE_DIRECTORY");
}

/* The reeved that holds it has written its pid into it. */
static void tell_other(int fd, const char *folder)
{
    char text[32];
    ssize_t length = read(fd, text, sizeof(text) - 1);

    text[MAX(length, 0)] = '\0';
    log_error(
        "another reeved (pid %d) uses the state directory %s: stop that one, or give this one directories of "
        "its own by STATE_DIRECTORY and RUNTIME_DIRECTORY",
        atoi(text), folder);
}

int places_lock(const struct places *places)
{
    cleanup_free char *path = format_new("%s/.reeved.lock", places->config.state);
    cleanup_close int fd =
        path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600) : -1;
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        tell_other(fd, places->config.state);
        return -EBUSY;
    }
    if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0)) {
        log_warning(
            "cannot lock the state directory %s: %s; a second reeved in it would not be noticed",
            places->config.state, strerror(path ? errno : ENOMEM));
        return -1;
    }
    /* A reeved that finds it taken reads whose it is; that nobody can is no reason not to start. */
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
        log_debug("cannot write %s: %s", path, strerror(errno));
    return TAKE_FD(fd);
}

/* More than a command has to end, and less than systemd waits for a start. */
#define HOSTS_PATIENCE (30 * NSEC_PER_SEC)

int places_await_hosts(const struct places *places)
{
    cleanup_free char *path = format_new("%s/" HOLD_FILE, places->config.state);
    int64_t deadline = clock_monotonic() + HOSTS_PATIENCE;
    bool told = false;
    pid_t pid = path ? 0 : -ENOMEM;

    /* Only the reeved that has the state directory starts hosts, so these are of the one before. */
    while (path && (pid = hold_find(path)) > 0) {
        if (clock_monotonic() > deadline) {
            log_error(
                "a host (pid %d) of a reeved that was killed has not ended within %d s: end it, "
                "or tasks would run twice at once",
                (int)pid, (int)(HOSTS_PATIENCE / NSEC_PER_SEC));
            return -ETIMEDOUT;
        }
        if (!told)
            log_notice(
                "waiting for hosts of a reeved that was killed (pid %d), which end their commands",
                (int)pid);
        told = true;
        poll(NULL, 0, 20);
    }
    if (pid < 0)
        log_warning("cannot see by %s/" HOLD_FILE
                    " whether hosts of a reeved that was killed are still there: %s; tasks "
                    "may run twice at once",
                    places->config.state, strerror(-pid));
    return 0;
}
