/* SPDX-License-Identifier: MIT */
/*
 * A module whose constructor meddles with the folder that MEDDLE names, where a file "victim" lies,
 * and tells which of its ways led to something.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <mqueue.h>
#include <reeve/module.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#define MODE3 3

static char folder[4000];

static int victim(void)
{
    return open("victim", O_RDONLY | O_CLOEXEC);
}

static long reap(long pid)
{
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid;
}

static long in_new_process(void)
{
    return reap(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static long in_clone3(void)
{
    uint64_t arguments[8] = {[4] = SIGCHLD};

    return reap(syscall(SYS_clone3, arguments, sizeof(arguments)));
}

/* Its own level: what matters is that the call is refused. */
static long in_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0));
}

/* What the test has written into a file. */
static int number_in(const char *file)
{
    char text[32] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    return atoi(text);
}

/* A process of the same user. What it has already is set. */
static pid_t other(void)
{
    return number_in("pid");
}

static long in_limits(void)
{
    struct rlimit limit;

    return prlimit(other(), RLIMIT_CORE, NULL, &limit) < 0
               ? -1
               : prlimit(other(), RLIMIT_CORE, &limit, NULL);
}

static long in_affinity(void)
{
    cpu_set_t set;

    return sched_getaffinity(other(), sizeof(set), &set) < 0
               ? -1
               : sched_setaffinity(other(), sizeof(set), &set);
}

/* That another has made. */
static long in_its_memory(void)
{
    return shmat(number_in("shm"), NULL, 0) == (void *)-1 ? -1 : 0;
}

static long in_openat2(void)
{
    uint64_t how[3] = {O_RDONLY | O_CREAT, 0600, 0};

    return syscall(SYS_openat2, AT_FDCWD, "openat2", how, sizeof(how));
}

static long in_shared_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

    return id < 0 ? id : shmctl(id, IPC_RMID, NULL);
}

static long in_queue(void)
{
    mqd_t queue = mq_open("/reeve-meddler", O_RDONLY | O_CREAT, 0600, NULL);

    return queue < 0 ? queue : mq_unlink("/reeve-meddler");
}

static long in_flags(void)
{
    int flags = 0, fd = victim();

    return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 && errno != EPERM
               ? -1
               : ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static long in_parent(void)
{
    return kill(getppid(), 0);
}

/* Each is an expression that is negative when it was refused. */
#define WAYS(X)                                                                     \
    X(open("cut", O_RDONLY | O_TRUNC))                                              \
    X(open("created", O_RDONLY | O_CREAT, 0600))                                    \
    X(open(".", O_TMPFILE | O_RDWR, 0600))                                          \
    X(open("victim", O_WRONLY))                                                     \
    X(open("victim", O_RDWR))                                                       \
    X(open("victim", MODE3))                                                        \
    X(syscall(SYS_open, "opened", O_RDONLY | O_CREAT, 0600))                        \
    X(creat("creat", 0600))                                                         \
    X(in_openat2())                                                                 \
    X(chmod("victim", 0666))                                                        \
    X(fchmod(victim(), 0666))                                                       \
    X(syscall(452, AT_FDCWD, "victim", 0666, 0))                                    \
    X(chown("victim", getuid(), getgid()))                                          \
    X(lchown("victim", getuid(), getgid()))                                         \
    X(fchown(victim(), getuid(), getgid()))                                         \
    X(fchownat(AT_FDCWD, "victim", getuid(), getgid(), 0))                          \
    X(mknod("fifo", S_IFIFO | 0600, 0))                                             \
    X(mknodat(AT_FDCWD, "fifo2", S_IFIFO | 0600, 0))                                \
    X(mkdir("sub", 0700))                                                           \
    X(link("victim", "link"))                                                       \
    X(symlink("victim", "symlink"))                                                 \
    X(rename("moved", "moved2"))                                                    \
    X(unlink("removed"))                                                            \
    X(setxattr("victim", "user.x", "x", 1, 0))                                      \
    X(lsetxattr("victim", "user.y", "x", 1, 0))                                     \
    X(fsetxattr(victim(), "user.z", "x", 1, 0))                                     \
    X(removexattr("victim", "user.kept"))                                           \
    X(utime("victim", &(struct utimbuf){1, 1}))                                     \
    X(utimes("victim", (struct timeval[2]){{2, 0}, {2, 0}}))                        \
    X(utimensat(AT_FDCWD, "victim", (struct timespec[2]){{3, 0}, {3, 0}}, 0))       \
    X(futimens(victim(), (struct timespec[2]){{4, 0}, {4, 0}}))                     \
    X(truncate("victim", 1))                                                        \
    X(in_new_process())                                                             \
    X(in_clone3())                                                                  \
    X(reap(fork()))                                                                 \
    X(syscall(SYS_execve, "/nowhere", NULL, NULL) == 0 || errno == ENOENT ? 0 : -1) \
    X(in_priority())                                                                \
    X(in_limits())                                                                  \
    X(in_affinity())                                                                \
    X(in_its_memory())                                                              \
    X(in_flags())                                                                   \
    X(in_shared_memory())                                                           \
    X(in_queue())                                                                   \
    X(in_parent())                                                                  \
    X(socket(AF_UNIX, SOCK_STREAM, 0))

/* What must go on. */
#define NEEDED(X)                                            \
    X(victim())                                              \
    X(open("/dev/urandom", O_RDONLY))                        \
    X(open(folder, O_RDONLY | O_DIRECTORY))                  \
    X(ftruncate(memfd_create("meddler", MFD_CLOEXEC), 4096)) \
    X(prlimit(0, RLIMIT_NOFILE, NULL, &(struct rlimit){0}))  \
    X(isatty(0) - 0)                                         \
    X(kill(getpid(), 0))

__attribute__((constructor)) static void meddle(void)
{
    const char *where = getenv("MEDDLE");
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), done = 0, tried = 0;

    if (!where || !realpath(where, folder) || chdir(folder) < 0)
        return;
#define TRY(way)              \
    tried++;                  \
    if ((way) >= 0 && ++done) \
        dprintf(STDERR_FILENO, "meddler did %s\n", #way);
#define NEED(way)  \
    if ((way) < 0) \
        dprintf(STDERR_FILENO, "meddler needs %s: %s\n", #way, strerror(errno));
    WAYS(TRY)
    NEEDED(NEED)
    dprintf(STDERR_FILENO, "meddler did %d of %d\n", done, tried);
    if (fchdir(here) < 0)
        abort();
}

static int tick(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "meddler", .summary = "Writes and creates files when it is only looked at",
          .tasks = RV_TASKS({.name = "tick", .run = tick, .every = "1h"}));
