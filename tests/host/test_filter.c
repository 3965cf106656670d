/* SPDX-License-Identifier: MIT */
/* The filters that libseccomp has made deny what a plain list says, and nothing else: run by an
 * interpreter here, for every number of a call, with random arguments and random numbers of
 * processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/macro.h"
#include "host/sandbox/sandbox_filter.h"

#define CALLS 600 /* above every number in use */

static uint32_t ids[FILTER_IDS];
static struct sock_filter code[FILTER_CODE];
static unsigned count;

static uint32_t load(const struct seccomp_data *data, uint32_t place)
{
    uint32_t value;

    assert_true(place % 4 == 0 && place + 4 <= sizeof(*data));
    memcpy(&value, (const char *)data + place, sizeof(value));
    return value;
}

/* Only what libseccomp makes use of; the kernel refuses programs that run past their end. */
static uint32_t run(const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (int i = 0; i < (int)count; i++) {
        const struct sock_filter *c = &code[i];

        switch (c->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            a = load(data, c->k);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= c->k;
            break;
        case BPF_JMP | BPF_JA:
            i += (int)c->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            i += a == c->k ? c->jt : c->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            i += a > c->k ? c->jt : c->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            i += a >= c->k ? c->jt : c->jf;
            break;
        case BPF_RET | BPF_K:
            return c->k;
        default:
            fail_msg("instruction %d has the code %#x", i, c->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

/* Denied calls ------------------------------------------------------------ */

#define NAMESPACES                                                                                \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

static bool is_always(const struct seccomp_data *data)
{
    return true;
}

/* The lower half, as the kernel takes it where it wants an int. */
static uint32_t low(const struct seccomp_data *data, unsigned argument)
{
    return (uint32_t)data->args[argument];
}

static bool is_aimed(const struct seccomp_data *data)
{
    return low(data, 0) == ids[FILTER_SUPERVISOR] || low(data, 0) == ids[FILTER_GROUP] ||
           low(data, 0) == UINT32_MAX;
}

static bool is_for_supervisor(const struct seccomp_data *data)
{
    return low(data, 1) == ids[FILTER_SUPERVISOR];
}

static bool is_for_priorities(const struct seccomp_data *data)
{
    return low(data, 0) == PRIO_PGRP || low(data, 0) == PRIO_USER;
}

/* IOPRIO_WHO_PGRP and IOPRIO_WHO_USER. */
static bool is_for_io_priorities(const struct seccomp_data *data)
{
    return low(data, 0) == 2 || low(data, 0) == 3;
}

static bool names_owner(const struct seccomp_data *data)
{
    return low(data, 1) == F_SETOWN_EX || low(data, 1) == F_SETSIG ||
           (low(data, 1) == F_SETOWN && data->args[2] != ids[FILTER_SELF]);
}

static bool sets_owner(const struct seccomp_data *data)
{
    return low(data, 1) == FIOSETOWN || low(data, 1) == SIOCSPGRP || low(data, 1) == TIOCSTI;
}

static uint32_t clone_flags(const struct seccomp_data *data)
{
#ifdef __s390x__
    return low(data, 1);
#else
    return low(data, 0);
#endif
}

static bool makes_namespace(const struct seccomp_data *data)
{
    return (clone_flags(data) & NAMESPACES) != 0;
}

static bool makes_process(const struct seccomp_data *data)
{
    return (clone_flags(data) & CLONE_THREAD) == 0;
}

static bool is_network(const struct seccomp_data *data)
{
    return data->args[0] != AF_UNIX;
}

/* Of open() and openat(). */
static uint32_t open_flags(const struct seccomp_data *data)
{
    return low(data, data->nr == SCMP_SYS(openat) ? 2 : 1);
}

static bool truncates(const struct seccomp_data *data)
{
    return (open_flags(data) & (O_ACCMODE | O_TRUNC)) == (O_RDONLY | O_TRUNC);
}

static bool writes(const struct seccomp_data *data)
{
    return (open_flags(data) & O_ACCMODE) != O_RDONLY ||
           (open_flags(data) & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))) != 0;
}

static bool sets_attribute(const struct seccomp_data *data)
{
    return low(data, 1) == FS_IOC_SETFLAGS || low(data, 1) == FS_IOC32_SETFLAGS ||
           low(data, 1) == FS_IOC_FSSETXATTR || low(data, 1) == FS_IOC_SETVERSION ||
           low(data, 1) == FS_IOC32_SETVERSION;
}

static bool is_another(const struct seccomp_data *data)
{
    return data->args[0] != ids[FILTER_SELF];
}

static bool is_any_other(const struct seccomp_data *data)
{
    return data->args[0] != 0;
}

#define EVERY    0x1fu
#define OFFLINE  (1u << FILTER_NO_NETWORK | 1u << (FILTER_NO_NETWORK | FILTER_NO_TRUNCATING))
#define UNCUT    (1u << FILTER_NO_TRUNCATING | 1u << (FILTER_NO_NETWORK | FILTER_NO_TRUNCATING))
#define CHECKING (1u << FILTER_CHECK)

static struct expected {
    const char
        *names; /* with spaces between them; a number for what the library may not know yet */
    unsigned kinds;
    int error;
    bool (*denies)(const struct seccomp_data *data);
    bool exists, seen;
} expected[] = {
    {"ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd kcmp "
     "move_pages migrate_pages userfaultfd perf_event_open bpf io_uring_setup io_uring_enter "
     "io_uring_register mount umount umount2 mount_setattr move_mount open_tree 467 fsopen "
     "fsconfig fsmount fspick pivot_root chroot setns unshare open_by_handle_at name_to_handle_at "
     "kexec_load kexec_file_load init_module finit_module delete_module reboot sethostname "
     "setdomainname vhangup swapon swapoff iopl ioperm acct quotactl quotactl_fd nfsservctl "
     "settimeofday stime clock_settime clock_settime64 clock_adjtime clock_adjtime64 adjtimex "
     "add_key request_key keyctl",
     EVERY, EPERM, is_always},
    {"clone3 pidfd_send_signal", EVERY, ENOSYS, is_always},
    {"kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open prlimit64 sched_setaffinity "
     "sched_setparam sched_setscheduler sched_setattr",
     EVERY, EPERM, is_aimed},
    {"setpriority ioprio_set", EVERY, EPERM, is_for_supervisor},
    {"setpriority", EVERY, EPERM, is_for_priorities},
    {"ioprio_set", EVERY, EPERM, is_for_io_priorities},
    {"fcntl fcntl64", EVERY, EPERM, names_owner},
    {"ioctl", EVERY, EPERM, sets_owner},
    {"clone", EVERY, EPERM, makes_namespace},
    {"socket", OFFLINE, EACCES, is_network},
    {"truncate truncate64", UNCUT, EACCES, is_always},
    {"open openat", UNCUT, EACCES, truncates},
    {"openat2", UNCUT | CHECKING, ENOSYS, is_always},
    {"socket connect bind execve execveat fork vfork tkill setpriority ioprio_set creat unlink "
     "unlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat link linkat symlink "
     "symlinkat truncate truncate64 chmod fchmod fchmodat 452 chown chown32 fchown fchown32 lchown "
     "lchown32 fchownat utime utimes futimesat utimensat utimensat_time64 setxattr lsetxattr "
     "fsetxattr 463 removexattr lremovexattr fremovexattr 466 469 mq_open mq_unlink shmat semop "
     "semtimedop msgsnd msgrcv shmget shmctl semget semctl msgget msgctl",
     CHECKING, EPERM, is_always},
    {"open openat", CHECKING, EPERM, writes},
    {"ioctl", CHECKING, EPERM, sets_attribute},
    {"clone", CHECKING, EPERM, makes_process},
    {"kill tgkill rt_sigqueueinfo rt_tgsigqueueinfo", CHECKING, EPERM, is_another},
    {"prlimit64 sched_setaffinity sched_setparam sched_setscheduler sched_setattr", CHECKING, EPERM,
     is_any_other},
};

/* Which lines each call is in. */
static uint32_t lines[CALLS];

static void read_names(unsigned line)
{
    char *copy = strdup(expected[line].names), *rest = copy;

    for (char *name; (name = strsep(&rest, " "));) {
        int call = *name >= '0' && *name <= '9' ? atoi(name) : seccomp_syscall_resolve_name(name);

        assert_int_not_equal(call, __NR_SCMP_ERROR);
        assert_true(call < CALLS);
        if (call < 0)
            continue; /* this architecture has none */
        lines[call] |= (uint32_t)1 << line;
        expected[line].exists = true;
    }
    free(copy);
}

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        read_names(i);
    return 0;
}

/* Whether the list allows that answer. */
static bool is_right(unsigned kind, const struct seccomp_data *data, uint32_t answer)
{
    bool denied = false;

    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        struct expected *line = &expected[i];

        if (!(lines[data->nr] >> i & 1) || !(line->kinds >> kind & 1) || !line->denies(data))
            continue;
        line->seen = denied = true;
        if (answer == (SECCOMP_RET_ERRNO | (uint32_t)line->error))
            return true;
    }
    return !denied && answer == SECCOMP_RET_ALLOW;
}

/* ---------------------------------------------------------------------------------------------------
 */

/* The architecture that the program wants stands in its second instruction. */
static struct seccomp_data make_call(int nr)
{
    return (struct seccomp_data){.nr = nr, .arch = code[1].k};
}

/* One that a rule may be about, or near it. */
static uint32_t random_low(void)
{
    static const uint32_t constants[] = {F_SETOWN_EX,
                                         F_SETSIG,
                                         F_SETOWN,
                                         FIOSETOWN,
                                         SIOCSPGRP,
                                         TIOCSTI,
                                         FS_IOC_SETFLAGS,
                                         FS_IOC32_SETFLAGS,
                                         FS_IOC_FSSETXATTR,
                                         FS_IOC_SETVERSION,
                                         FS_IOC32_SETVERSION,
                                         UINT32_MAX};

    switch (rand() % 5) {
    case 0:
        return ids[rand() % FILTER_IDS];
    case 1:
        return constants[(size_t)rand() % ARRAY_SIZE(constants)];
    case 2:
        return (uint32_t)1 << rand() % 32;
    case 3:
        return rand() % 2 ? FILTER_PLACEHOLDER((uint32_t)rand() % FILTER_IDS) : (uint32_t)rand();
    default:
        return (uint32_t)rand() % 16;
    }
}

/* Now and then with an upper half, where the architecture has one. */
static uint64_t random_value(void)
{
    uint64_t high = rand() % 4 ? 0 : rand() % 2 ? UINT32_MAX : 1;

    return (unsigned long)(high << 32 | random_low());
}

/* Small ones meet other numbers. */
static void make_ids(void)
{
    ids[FILTER_SUPERVISOR] = (uint32_t)(rand() % 4 ? rand() % 4000000 + 1 : 1);
    ids[FILTER_GROUP] = -(rand() % 2 ? ids[FILTER_SUPERVISOR] : (uint32_t)rand() % 4);
    ids[FILTER_SELF] = (uint32_t)(rand() % 4 ? rand() % 4000000 + 2 : 2);
}

static void try_all_calls(unsigned kind)
{
    int socketcall = seccomp_syscall_resolve_name("socketcall");
    int ipc = seccomp_syscall_resolve_name("ipc");

    for (int nr = 0; nr < CALLS; nr++) {
        struct seccomp_data data = make_call(nr);

        /* They lead to others, and the library sees to that. */
        if (nr == socketcall || nr == ipc)
            continue;
        for (unsigned i = 0; i < 3; i++)
            data.args[i] = random_value();
        if (!is_right(kind, &data, run(&data)))
            fail_msg("filter %u: wrong answer %#x to call %d (%#llx, %#llx, %#llx)", kind,
                     run(&data), nr, data.args[0], data.args[1], data.args[2]);
    }
}

static void test_calls(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 1000; round++)
        for (unsigned kind = 0; kind < FILTER_KINDS; kind++) {
            make_ids();
            count = filter_make(kind, ids, code);
            try_all_calls(kind);
        }
    /* Random calls have come to every line. */
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        assert_true(expected[i].seen == expected[i].exists);
}

static void test_other_architectures(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < FILTER_KINDS; kind++) {
        struct seccomp_data data;

        count = filter_make(kind, ids, code);
        data = make_call(SCMP_SYS(getpid));
        assert_int_equal(run(&data), SECCOMP_RET_ALLOW);
        data.arch ^= 1;
        assert_int_equal(run(&data), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
        /* Calls of x32 come under x86-64's name, with this bit. -1 is what a tracer makes of a call
         * that is not to be. */
        data = make_call(0x40000000 | SCMP_SYS(getpid));
        assert_int_equal(run(&data), SECCOMP_RET_KILL_PROCESS);
        data = make_call(-1);
        assert_int_equal(run(&data), SECCOMP_RET_ALLOW);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_other_architectures),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
