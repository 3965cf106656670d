/* SPDX-License-Identifier: MIT */
/*
 * The file system by Landlock: what may be written, and with `read-only` also what may be read.
 *
 * A right that the kernel's ABI does not know yet cannot be handled: moving files between
 * directories is always denied by ABI 1, truncating is never denied before ABI 3 (seccomp does it
 * then, coarsely), and no ABI knows of modes, owners and times, which stay the matter of the file's
 * owner.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <reeve/log.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "host/report/log_sink.h"
#include "host/sandbox/sandbox_internal.h"

/* Newer than Debian 12's header: from ABI 2, 3 and 5. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define READING \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

#define WRITING                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |      \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* The rights that a rule for something other than a directory may name. */
#define OF_FILES                                                                                 \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* Without these no program runs, finds a host's address or knows the time. */
static const char *const needed[] = {
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/proc/self",
};

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom"};

struct ruleset {
    int fd;
    uint64_t handled;
};

/* Returns the ABI, or a negative errno where Landlock is not built in or not turned on. */
static int find_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? -errno : (int)abi;
}

static uint64_t known_rights(int abi)
{
    uint64_t rights = READING | WRITING;

    if (abi < 2)
        rights &= ~LANDLOCK_ACCESS_FS_REFER;
    if (abi < 3)
        rights &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi < 5)
        rights &= ~LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

/* Returns 0 or a negative errno. */
static int allow(const struct ruleset *ruleset, const char *path, uint64_t rights)
{
    cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.parent_fd = fd};
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    rule.allowed_access =
        rights & ruleset->handled & (S_ISDIR(status.st_mode) ? ~UINT64_C(0) : OF_FILES);
    if (rule.allowed_access == 0)
        return 0;
    if (syscall(SYS_landlock_add_rule, ruleset->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return -errno;
    return 0;
}

/* A path that is not there needs no rule: it stays out of reach, also once it comes. */
static void allow_own(const struct ruleset *ruleset, const struct sandbox *sandbox,
                      const struct strings *paths, const char *key, uint64_t rights)
{
    for (size_t i = 0; i < paths->count; i++) {
        int r = allow(ruleset, paths->items[i], rights);

        if (r < 0 && !sandbox->reader)
            host_log(NULL, RV_LOG_WARNING, "sandbox: %s = %s stays out of reach: %s", key,
                     paths->items[i], strerror(-r));
    }
}

/* libreeve.so has been loaded, but a program that the module starts may want it too. */
static void allow_library(const struct ruleset *ruleset)
{
    cleanup_free char *folder = NULL;
    const char *slash;
    Dl_info info;

    if (dladdr((const void *)(uintptr_t)rv_log, &info) == 0 || !info.dli_fname ||
        !(slash = strrchr(info.dli_fname, '/')))
        return;
    folder = format_new("%.*s", (int)(slash - info.dli_fname), info.dli_fname);
    if (folder)
        (void)allow(ruleset, folder, READING);
}

static void allow_needed(const struct ruleset *ruleset)
{
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        (void)allow(ruleset, needed[i], READING);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        (void)allow(ruleset, devices[i], READING | WRITING);
    /* Names alone, which signals and ps tell as well: rv_command_run() looks for the rest of a
     * group. */
    (void)allow(ruleset, "/proc", LANDLOCK_ACCESS_FS_READ_DIR);
    allow_library(ruleset);
}

int sandbox_restrict_files(struct sandbox *sandbox, int *ret_abi)
{
    bool reading = sandbox->read_only.count > 0;
    struct landlock_ruleset_attr attributes = {0};
    struct ruleset ruleset;
    cleanup_close int fd = -1;
    int abi;

    if (!reading && sandbox->read_write.count == 0)
        return 0;
    abi = find_abi();
    if (abi < 0 && sandbox->reader)
        return 0; /* it looks at names itself */
    if (abi < 0)
        return sandbox_cannot(sandbox, "read-only and read-write: this kernel has no Landlock: %s",
                              strerror(-abi));
    ruleset.handled = known_rights(abi) & (reading ? READING | WRITING : WRITING);
    attributes.handled_access_fs = ruleset.handled;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (fd < 0)
        return sandbox_cannot(sandbox, "read-only and read-write: %s", strerror(errno));
    ruleset.fd = fd;
    allow_needed(&ruleset);
    allow_own(&ruleset, sandbox, &sandbox->module_folders, "load", READING);
    allow_own(&ruleset, sandbox, &sandbox->read_only, "read-only", READING);
    allow_own(&ruleset, sandbox, &sandbox->read_write, "read-write", READING | WRITING);
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        return sandbox_cannot(sandbox, "read-only and read-write: %s", strerror(errno));
    *ret_abi = abi;
    return 0;
}
