/* SPDX-License-Identifier: MIT */
#include "daemon/process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "settings/limits.h"

#define LEAF   "supervisor"
#define PREFIX "host-"

/* Killed processes are gone within milliseconds, unless a disk holds them up. */
#define REMOVE_DELAY     (10 * NSEC_PER_MSEC)
#define REMOVE_DELAY_MAX NSEC_PER_SEC

/* The share of cpu.max is given for periods of so many microseconds, the kernel's own default. */
#define CPU_PERIOD 100000

#define FILE_MAX 65536

struct cgroup {
    struct list list; /* of those that wait to be empty */
    char *path;
    bool limits_memory;
    bool limits_cpu;
};

static struct {
    char *root; /* the delegated group; NULL: there is none */
    bool memory;
    bool cpu;
    uint64_t serial;
    struct list leaving;
    struct loop_timer *timer;
    int64_t delay;
} groups;

static int write_file(const char *folder, const char *name, const char *text)
{
    cleanup_free char *path = format_new("%s/%s", folder, name);
    cleanup_close int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

    if (!path)
        return -ENOMEM;
    return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

/* Taking over ------------------------------------------------------------- */

static bool has_mark(const char *path, const char *name)
{
    char value[2];

    return getxattr(path, name, value, sizeof(value)) == 1 && value[0] == '1';
}

/* Only root sees trusted ones. */
static bool is_delegated(const char *path)
{
    cleanup_free char *control = format_new("%s/cgroup.subtree_control", path);

    return (has_mark(path, "user.delegate") || has_mark(path, "trusted.delegate")) && control &&
           access(path, W_OK) == 0 && access(control, W_OK) == 0;
}

static void remove_empty(void *arg _unused_)
{
    struct cgroup *cgroup, *next;

    LIST_FOREACH_SAFE (cgroup, next, &groups.leaving, list)
        if (rmdir(cgroup->path) == 0 || errno != EBUSY) {
            list_remove(&cgroup->list);
            free(cgroup->path);
            free(cgroup);
        }
    if (list_is_empty(&groups.leaving))
        return;
    groups.delay = MIN(groups.delay * 2, REMOVE_DELAY_MAX);
    loop_timer_arm(groups.timer, groups.delay);
}

static void remove_later(const char *name)
{
    struct cgroup *cgroup = calloc(1, sizeof(*cgroup));

    if (!cgroup || !(cgroup->path = format_new("%s/%s", groups.root, name))) {
        free(cgroup);
        return;
    }
    list_append(&groups.leaving, &cgroup->list);
}

/* Of a supervisor that was killed. Its hosts have their grace, and even who has exited leaves the
 * group a moment later: those that still have processes are tried again. */
static void sweep(void)
{
    DIR *folder = opendir(groups.root);
    struct dirent *entry;

    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR) < 0 && errno == EBUSY)
            remove_later(entry->d_name);
    closedir(folder);
    groups.delay = REMOVE_DELAY / 2;
    remove_empty(NULL);
}

/* Into the leaf, so that the group itself is empty and can hand its controllers down. */
static int take_over(const char *path, bool successor)
{
    cleanup_free char *leaf = format_new("%s/" LEAF, path);
    int r;

    groups.root = strdup(path);
    if (!leaf || !groups.root)
        return -ENOMEM;
    if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
        r = -errno;
    else
        r = write_file(leaf, "cgroup.procs", "0");
    if (r < 0) {
        log_warning("no control groups: cannot move into %s: %s", leaf, strerror(-r));
        free(TAKE_PTR(groups.root));
        return r == -ENOMEM ? r : 0;
    }
    groups.memory = write_file(path, "cgroup.subtree_control", "+memory") == 0;
    groups.cpu = write_file(path, "cgroup.subtree_control", "+cpu") == 0;
    if (successor)
        return 0;
    sweep();
    log_notice("hosts have control groups in %s, %s memory-max, %s cpu-max", path,
               groups.memory ? "with" : "without", groups.cpu ? "with" : "without");
    return 0;
}

static int find_own(char *ret_path, size_t size)
{
    cleanup_free char *mounts = NULL, *membership = NULL;
    size_t length;
    int r = file_read("/proc/self/mountinfo", 16 * FILE_MAX, &mounts, &length);

    if (r == 0)
        r = file_read("/proc/self/cgroup", FILE_MAX, &membership, &length);
    return r < 0 ? r : cgroup_find(mounts, membership, ret_path, size);
}

int cgroups_start(struct loop *loop, bool successor)
{
    char path[PATH_MAX], *slash;

    list_init(&groups.leaving);
    if (find_own(path, sizeof(path)) < 0)
        return 0;
    if (!is_delegated(path)) {
        /* A supervisor before this one, or systemd, may have put us into the leaf. */
        slash = strrchr(path, '/');
        if (!slash || strcmp(slash + 1, LEAF) != 0)
            return 0;
        *slash = '\0';
        if (!is_delegated(path))
            return 0;
    }
    return loop_timer_create(loop, remove_empty, NULL, &groups.timer) < 0
               ? -ENOMEM
               : take_over(path, successor);
}

void cgroups_stop(void)
{
    struct cgroup *cgroup, *next;

    if (!groups.timer)
        return;
    LIST_FOREACH_SAFE (cgroup, next, &groups.leaving, list) {
        (void)rmdir(cgroup->path);
        list_remove(&cgroup->list);
        free(cgroup->path);
        free(cgroup);
    }
    loop_timer_destroy(TAKE_PTR(groups.timer));
    free(TAKE_PTR(groups.root));
}

/* Groups ------------------------------------------------------------------ */

static void limit_memory(struct cgroup *cgroup, const char *host, uint64_t bytes)
{
    char text[32];
    int r;

    snprintf(text, sizeof(text), "%" PRIu64, bytes);
    r = write_file(cgroup->path, "memory.max", text);
    cgroup->limits_memory = r == 0;
    if (r < 0) {
        log_warning("[%s] memory-max is not set in its control group: %s", host, strerror(-r));
        return;
    }
    /* Where there is swap, memory-max would otherwise only make the machine swap. */
    (void)write_file(cgroup->path, "memory.swap.max", "0");
    /* All of it or nothing: a host without one of its children is worse than none. */
    (void)write_file(cgroup->path, "memory.oom.group", "1");
}

static void limit_cpu(struct cgroup *cgroup, const char *host, unsigned percent)
{
    char text[64];
    int r;

    snprintf(text, sizeof(text), "%" PRIu64 " %d", (uint64_t)percent * CPU_PERIOD / 100,
             CPU_PERIOD);
    r = write_file(cgroup->path, "cpu.max", text);
    cgroup->limits_cpu = r == 0;
    if (r < 0)
        log_warning("[%s] cpu-max is not set in its control group: %s", host, strerror(-r));
}

/* Every incarnation has its own: the one before may still have to be removed. */
static char *make_folder(const char *host)
{
    char *path;
    int r;

    do {
        path = format_new("%s/" PREFIX "%s-%" PRIu64, groups.root, host, ++groups.serial);
        r = !path ? -ENOMEM : mkdir(path, 0755) < 0 ? -errno : 0;
        if (r < 0)
            free(TAKE_PTR(path));
    } while (r == -EEXIST);
    if (r < 0)
        log_warning("[%s] has no control group: %s", host, strerror(-r));
    return path;
}

struct cgroup *cgroup_create(const char *host, const struct config_limits *limits)
{
    struct cgroup *cgroup;

    if (!groups.root)
        return NULL;
    cgroup = calloc(1, sizeof(*cgroup));
    if (!cgroup)
        return NULL;
    list_init(&cgroup->list);
    cgroup->path = make_folder(host);
    if (!cgroup->path) {
        free(cgroup);
        return NULL;
    }
    if (limits->memory_max > 0 && groups.memory)
        limit_memory(cgroup, host, limits->memory_max);
    if (limits->cpu_max > 0 && groups.cpu)
        limit_cpu(cgroup, host, limits->cpu_max);
    return cgroup;
}

struct cgroup *cgroup_adopt(const char *path, bool limits_memory, bool limits_cpu)
{
    struct cgroup *cgroup = groups.root ? calloc(1, sizeof(*cgroup)) : NULL;

    if (!cgroup)
        return NULL;
    *cgroup = (struct cgroup){
        .path = strdup(path), .limits_memory = limits_memory, .limits_cpu = limits_cpu};
    list_init(&cgroup->list);
    if (!cgroup->path) {
        free(cgroup);
        return NULL;
    }
    return cgroup;
}

void cgroup_destroy(struct cgroup *cgroup)
{
    if (!cgroup)
        return;
    /* Kernels before 5.14 lack it; the sweep of sessions is for them. */
    (void)write_file(cgroup->path, "cgroup.kill", "1");
    list_append(&groups.leaving, &cgroup->list);
    groups.delay = REMOVE_DELAY / 2;
    if (groups.timer)
        remove_empty(NULL);
}

const char *cgroup_path(const struct cgroup *cgroup)
{
    return cgroup->path;
}

bool cgroup_limits_memory(const struct cgroup *cgroup)
{
    return cgroup && cgroup->limits_memory;
}

bool cgroup_limits_cpu(const struct cgroup *cgroup)
{
    return cgroup && cgroup->limits_cpu;
}

uint64_t cgroup_oom_kills(const struct cgroup *cgroup)
{
    cleanup_free char *path = NULL, *text = NULL;
    size_t size;

    if (!cgroup || !(path = format_new("%s/memory.events", cgroup->path)) ||
        file_read(path, FILE_MAX, &text, &size) < 0)
        return 0;
    return cgroup_read_count(text, "oom_kill");
}
