/* SPDX-License-Identifier: MIT */
/*
 * Another user, and no way back: the groups first, since only who may change users may change them;
 * the bounding set and the securebits before that, while there is CAP_SETPCAP. A call refused for
 * want of a capability other than that for changing users matters little: no-new-privileges
 * follows.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/sandbox/sandbox_internal.h"

/* Where the user database has none. */
#define NOBODY 65534

/* As many as the kernel's sets have bits. */
#define CAPABILITIES 64

/* Being root means nothing, nor does becoming it; and so it stays. */
#define SECUREBITS                                                          \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | \
     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* The last is the way into the supervisor's memory (/proc/PID/mem): that it is not dumpable keeps
 * out its own user, but not who may trace everything. It must be out of root's hosts too. */
static const int supervisors_capabilities[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL,
                                               CAP_SYS_PTRACE};
#define ROOTS_FIRST (ARRAY_SIZE(supervisors_capabilities) - 1)

static void get_capabilities(struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

    memset(data, 0, 2 * sizeof(data[0]));
    syscall(SYS_capget, &header, data);
}

/* A host that has no others is not stopped by a filter that denies capset, as that of the shipped
 * unit does. */
static int set_capabilities(const struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct present[2];

    get_capabilities(present);
    if (memcmp(present, data, sizeof(present)) == 0)
        return 0;
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int drop_capabilities(void)
{
    const struct __user_cap_data_struct none[2] = {{0}};

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return set_capabilities(none);
}

/*
 * A supervisor that is not root has these to start hosts under other users; one that runs under the
 * supervisor's own must not inherit the way to them. The others that a drop-in gave are for
 * modules, and so are those of root, but for tracing.
 */
static int keep_user(struct sandbox *sandbox)
{
    struct __user_cap_data_struct data[2];

    get_capabilities(data);
    for (size_t i = geteuid() == 0 ? ROOTS_FIRST : 0; i < ARRAY_SIZE(supervisors_capabilities);
         i++) {
        int capability = supervisors_capabilities[i];
        uint32_t mask = ~CAP_TO_MASK(capability);

        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability, 0, 0);
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
        data[CAP_TO_INDEX(capability)].effective &= mask;
        data[CAP_TO_INDEX(capability)].permitted &= mask;
        data[CAP_TO_INDEX(capability)].inheritable &= mask;
    }
    return set_capabilities(data) < 0
               ? sandbox_refuse(sandbox, "the supervisor's capabilities cannot be given up")
               : 0;
}

static int change(struct sandbox *sandbox, const struct passwd *user)
{
    for (int i = 0; i < CAPABILITIES; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0);
    if (initgroups(user->pw_name, user->pw_gid) < 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0) {
        if (errno == EPERM && sandbox->check_only && !sandbox->reader)
            return 0; /* `reeved --check` may be anybody's */
        return sandbox_refuse(sandbox,
                              "user = %.200s: %s; it takes root or CAP_SETUID and CAP_SETGID",
                              user->pw_name, strerror(errno));
    }
    if (drop_capabilities() < 0 || (user->pw_uid != 0 && setuid(0) == 0))
        return sandbox_refuse(sandbox, "user = %.200s: the way back cannot be closed",
                              user->pw_name);
    /* The change took away its own /proc/self, and core dumps. Other users stay others. */
    prctl(PR_SET_DUMPABLE, 1);
    return 0;
}

/* As for a login, so that what the module starts finds its own home and name. */
static int set_environment(struct sandbox *sandbox, const struct passwd *user)
{
    if (setenv("HOME", user->pw_dir, 1) < 0 || setenv("USER", user->pw_name, 1) < 0 ||
        setenv("LOGNAME", user->pw_name, 1) < 0)
        return sandbox_refuse(sandbox, "out of memory");
    return 0;
}

/* With the file system's user for a moment, as who stays root must not give it up. */
static bool can_read_as(const struct sandbox *sandbox, uid_t uid, gid_t gid)
{
    bool can = true;

    setfsgid(gid);
    setfsuid(uid);
    for (size_t i = 0; i < sandbox->module_folders.count && can; i++) {
        cleanup_close int fd =
            open(sandbox->module_folders.items[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        can = fd >= 0;
    }
    setfsuid(0);
    setfsgid(getegid());
    return can;
}

/* Root without a capability is still root's files' owner, which is what it takes to read a module
 * that nobody else may. */
static int become_nobody(struct sandbox *sandbox)
{
    char buffer[16384];
    struct passwd entry, *user = NULL;
    uid_t uid = NOBODY;
    gid_t gid = NOBODY;

    if (getpwnam_r("nobody", &entry, buffer, sizeof(buffer), &user) == 0 && user) {
        uid = user->pw_uid;
        gid = user->pw_gid;
    }
    for (int i = 0; i < CAPABILITIES; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0);
    if (setgroups(0, NULL) < 0 || !can_read_as(sandbox, uid, gid) || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return 0;
    return setuid(0) == 0 ? sandbox_refuse(sandbox, "the way back to root cannot be closed") : 0;
}

/* A reader has no code of a module that would need a capability, and nobody is to look into it. */
static int leave_rights(struct sandbox *sandbox)
{
    int r = geteuid() == 0 ? become_nobody(sandbox) : 0;

    prctl(PR_SET_DUMPABLE, 0);
    if (r == 0 && drop_capabilities() < 0)
        r = sandbox_refuse(sandbox, "capabilities cannot be given up");
    return r;
}

static int take_user(struct sandbox *sandbox)
{
    char buffer[16384];
    struct passwd entry, *user = NULL;
    int r;

    if (!sandbox->user)
        return keep_user(sandbox);
    r = getpwnam_r(sandbox->user, &entry, buffer, sizeof(buffer), &user);
    if (!user)
        return sandbox_refuse(sandbox, "user = %.200s: %s", sandbox->user,
                              r == 0 ? "there is no such user" : strerror(r));
    r = set_environment(sandbox, user);
    if (r < 0)
        return r;
    if (user->pw_uid == geteuid() && user->pw_gid == getegid())
        return keep_user(sandbox);
    return change(sandbox, user);
}

int sandbox_change_user(struct sandbox *sandbox)
{
    int r = take_user(sandbox);

    return r == 0 && sandbox->reader ? leave_rights(sandbox) : r;
}
