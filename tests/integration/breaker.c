/* SPDX-License-Identifier: MIT */
/*
 * A module that tries what it is told to try: the data of a job is a word and its arguments. What
 * came of it is the job's result: 0 or an errno, and for questions the answer as the text.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <reeve/module.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK  (1 << 20)
#define CHUNKS 512

static int fail_if(bool failed)
{
    return failed ? rv_fail_text(-errno, "%s", strerror(errno)) : 0;
}

/* An answer travels as the text of an error, since a success has none. */
static int say(const char *text)
{
    return rv_fail_text(-EREMOTEIO, "%s", text);
}

/* Memory, until there is no more, and then all of it back. */
static int leak(char *arguments)
{
    static char *chunks[CHUNKS];
    int count = 0, r = 0;

    (void)arguments;
    while (count < CHUNKS && (chunks[count] = malloc(CHUNK)))
        memset(chunks[count++], 1, CHUNK);
    if (count < CHUNKS)
        r = rv_fail_text(-ENOMEM, "after %d MiB", count);
    while (count > 0)
        free(chunks[--count]);
    return r;
}

static int open_files(char *arguments)
{
    int fds[4096], count = 0, r;

    (void)arguments;
    while (count < 4096 && (fds[count] = dup(STDIN_FILENO)) >= 0)
        count++;
    r = count < 4096 ? rv_fail_text(-errno, "after %d", count) : 0;
    while (count > 0)
        close(fds[--count]);
    return r;
}

/* Processor time: so many milliseconds of it. */
static int spin(char *arguments)
{
    long wanted = strtol(arguments, NULL, 10);

    while (clock() < wanted * (CLOCKS_PER_SEC / 1000))
        ;
    return 0;
}

static int tell_nice(char *arguments)
{
    char text[32];

    (void)arguments;
    snprintf(text, sizeof(text), "%d", getpriority(PRIO_PROCESS, 0));
    return say(text);
}

static int make_socket(char *arguments)
{
    static const struct {
        const char *name;
        int domain;
    } domains[] = {
        {"inet", AF_INET}, {"inet6", AF_INET6}, {"netlink", AF_NETLINK}, {"unix", AF_UNIX}};
    int fds[2];

    if (strcmp(arguments, "pair") == 0)
        return fail_if(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0);
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        if (strcmp(arguments, domains[i].name) == 0) {
            int fd = socket(domains[i].domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);

            return fd < 0 ? fail_if(true) : close(fd);
        }
    return -EINVAL;
}

static int open_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);

    return fd < 0 ? fail_if(true) : close(fd);
}

static int read_path(char *arguments)
{
    return open_path(arguments, O_RDONLY);
}

static int write_path(char *arguments)
{
    return open_path(arguments, O_WRONLY | O_CREAT);
}

static int cut_path(char *arguments)
{
    return open_path(arguments, O_RDONLY | O_TRUNC);
}

static int truncate_path(char *arguments)
{
    return fail_if(truncate(arguments, 0) < 0);
}

static int remove_path(char *arguments)
{
    return fail_if(unlink(arguments) < 0);
}

static int make_folder(char *arguments)
{
    return fail_if(mkdir(arguments, 0755) < 0);
}

static int rename_path(char *arguments)
{
    char *to = strchr(arguments, ' ');

    *to = '\0';
    return fail_if(rename(arguments, to + 1) < 0);
}

/* A child and its exit code. */
static int execute(char *arguments)
{
    char *argv[] = {arguments, NULL};
    int status, r;
    pid_t pid;

    r = posix_spawn(&pid, arguments, NULL, NULL, argv, NULL);
    if (r != 0)
        return rv_fail(-r, "posix_spawn");
    waitpid(pid, &status, 0);
    return status == 0 ? 0 : rv_fail_text(-EIO, "status %d", status);
}

static int who_am_i(char *arguments)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    uid_t uids[3];
    gid_t gids[3];
    char text[300];

    (void)arguments;
    getresuid(&uids[0], &uids[1], &uids[2]);
    getresgid(&gids[0], &gids[1], &gids[2]);
    syscall(SYS_capget, &header, data);
    snprintf(text, sizeof(text), "uid %u %u %u gid %u %u %u groups %d caps %x home %s user %s",
             uids[0], uids[1], uids[2], gids[0], gids[1], gids[2], getgroups(0, NULL),
             data[0].permitted | data[1].permitted | data[0].inheritable, getenv("HOME"),
             getenv("USER"));
    return say(text);
}

static int become_root(char *arguments)
{
    (void)arguments;
    return fail_if(setresuid(0, 0, 0) < 0);
}

static int send_signal(char *arguments)
{
    return fail_if(kill((pid_t)strtol(arguments, NULL, 10), 0) < 0);
}

static int trace(char *arguments)
{
    return fail_if(ptrace(PTRACE_SEIZE, (pid_t)strtol(arguments, NULL, 10), NULL, NULL) < 0);
}

/* A grandchild in a session of its own, which outlives us. */
static int leave_stray(char *arguments)
{
    int ends[2];
    char text[32];
    pid_t pid;

    (void)arguments;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        _exit(write(ends[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
    }
    waitpid(pid, NULL, 0);
    if (read(ends[0], &pid, sizeof(pid)) != sizeof(pid))
        return -EIO;
    close(ends[0]);
    close(ends[1]);
    snprintf(text, sizeof(text), "%d", (int)pid);
    return say(text);
}

/* With arguments that the kernel refuses for other reasons, should it come that far. */
static int call(char *arguments)
{
    static const struct {
        const char *name;
        long number;
        long first;
    } calls[] = {
        {"mount", SYS_mount, 0},
        {"umount2", SYS_umount2, 0},
        {"pivot_root", SYS_pivot_root, 0},
        {"chroot", SYS_chroot, 0},
        {"fsopen", SYS_fsopen, 0},
        {"open_tree", SYS_open_tree, -1},
        {"setns", SYS_setns, -1},
        {"unshare", SYS_unshare, CLONE_NEWUSER},
        {"clone", SYS_clone, CLONE_NEWUSER | SIGCHLD},
        {"clone3", SYS_clone3, 0},
        {"bpf", SYS_bpf, -1},
        {"perf_event_open", SYS_perf_event_open, 0},
        {"kexec_load", SYS_kexec_load, 0},
        {"init_module", SYS_init_module, 0},
        {"finit_module", SYS_finit_module, -1},
        {"delete_module", SYS_delete_module, 0},
        {"reboot", SYS_reboot, 0},
        {"swapon", SYS_swapon, 0},
        {"swapoff", SYS_swapoff, 0},
        {"settimeofday", SYS_settimeofday, 1},
        {"clock_settime", SYS_clock_settime, -1},
        {"clock_adjtime", SYS_clock_adjtime, -1},
        {"adjtimex", SYS_adjtimex, 0},
        {"add_key", SYS_add_key, 0},
        {"request_key", SYS_request_key, 0},
        {"keyctl", SYS_keyctl, -1},
        {"userfaultfd", SYS_userfaultfd, -1},
        {"io_uring_setup", SYS_io_uring_setup, 0},
        {"open_by_handle_at", SYS_open_by_handle_at, -1},
        {"name_to_handle_at", SYS_name_to_handle_at, -1},
        {"acct", SYS_acct, 1},
        {"sethostname", SYS_sethostname, 1},
        {"process_mrelease", SYS_process_mrelease, -1},
        {"move_pages", SYS_move_pages, -1},
        {"migrate_pages", SYS_migrate_pages, -1},
        {"quotactl", SYS_quotactl, -1},
        {"pidfd_getfd", SYS_pidfd_getfd, -1},
        {"ptrace", SYS_ptrace, -1},
        {"process_vm_readv", SYS_process_vm_readv, -1},
#ifdef SYS_iopl
        {"iopl", SYS_iopl, 0},
        {"ioperm", SYS_ioperm, -1},
#endif
    };
    char text[2000] = "";

    /* Without one the names of all. */
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (*arguments == '\0')
            strcat(strcat(text, calls[i].name), " ");
        else if (strcmp(arguments, calls[i].name) == 0)
            return fail_if(syscall(calls[i].number, calls[i].first, 0, 0, 0, 0) < 0);
    return *arguments == '\0' ? say(text) : -EINVAL;
}

/* What libraries do with processes of their own, all of which must work. */
static int act_ordinarily(char *arguments)
{
    char path[] = "/bin/true", *argv[] = {path, NULL};
    struct sched_param parameter = {0};
    struct rlimit limit;
    siginfo_t info;
    cpu_set_t set;
    int ends[2], fd;
    pid_t pid;

    (void)arguments;
    if (posix_spawn(&pid, path, NULL, NULL, argv, NULL) != 0)
        return rv_fail(-errno, "posix_spawn");
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || waitid(P_PIDFD, (id_t)fd, &info, WEXITED) < 0)
        return rv_fail(-errno, "pidfd");
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        prlimit(getpid(), RLIMIT_NOFILE, &limit, NULL) < 0)
        return rv_fail(-errno, "prlimit");
    if (sched_getaffinity(0, sizeof(set), &set) < 0 ||
        sched_setaffinity(0, sizeof(set), &set) < 0 ||
        sched_setscheduler(gettid(), SCHED_OTHER, &parameter) < 0 ||
        pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
        return rv_fail(-errno, "sched");
    if (setpriority(PRIO_PROCESS, 0, 1) < 0 || setpriority(PRIO_PROCESS, (id_t)gettid(), 2) < 0)
        return rv_fail(-errno, "setpriority");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        fcntl(ends[0], F_SETOWN, getpid()) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return rv_fail(-errno, "fcntl");
    close(fd);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static int resolve(char *arguments)
{
    struct addrinfo *found = NULL;
    int r = getaddrinfo(arguments, "80", NULL, &found);

    if (r == 0)
        freeaddrinfo(found);
    return r == 0 ? 0 : rv_fail_text(-EIO, "%s", gai_strerror(r));
}

static const struct {
    const char *word;
    int (*perform)(char *arguments);
} actions[] = {
    {"leak", leak},
    {"fds", open_files},
    {"spin", spin},
    {"nice", tell_nice},
    {"socket", make_socket},
    {"read", read_path},
    {"write", write_path},
    {"cut", cut_path},
    {"truncate", truncate_path},
    {"unlink", remove_path},
    {"mkdir", make_folder},
    {"rename", rename_path},
    {"exec", execute},
    {"whoami", who_am_i},
    {"root", become_root},
    {"signal", send_signal},
    {"trace", trace},
    {"stray", leave_stray},
    {"call", call},
    {"ordinary", act_ordinarily},
    {"resolve", resolve},
};

static int attempt(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    char word[600], *arguments;

    (void)ctx;
    (void)state;
    snprintf(word, sizeof(word), "%.*s", (int)job->size, (const char *)job->data);
    arguments = word + strcspn(word, " ");
    if (*arguments != '\0')
        *arguments++ = '\0';
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(word, actions[i].word) == 0)
            return actions[i].perform(arguments);
    return -ENOSYS;
}

RV_MODULE(.name = "breaker", .summary = "Tries what it is told to try",
          .pools = RV_POOLS({.name = "try", .run = attempt, .workers = 1}));
