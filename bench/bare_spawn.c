/* SPDX-License-Identifier: MIT */
/*
 * The floor for starting modules: `bare_spawn COUNT FILE.so` forks and executes itself COUNT times,
 * each time to dlopen the file and say so, all at once. Prints the seconds until all have.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int child(const char *file)
{
    if (!dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return write(STDOUT_FILENO, "r", 1) == 1 ? 0 : 1;
}

static void spawn(char **argv, const int ready[2])
{
    pid_t pid = fork();

    if (pid < 0)
        exit(1);
    if (pid > 0)
        return;
    dup2(ready[1], STDOUT_FILENO);
    close(ready[0]);
    close(ready[1]);
    execl("/proc/self/exe", argv[0], "child", argv[2], (char *)NULL);
    _exit(1);
}

int main(int argc, char **argv)
{
    int ready[2], count, seen = 0;
    double start;

    if (argc != 3 || pipe(ready) < 0)
        return 2;
    if (strcmp(argv[1], "child") == 0)
        return child(argv[2]);
    count = atoi(argv[1]);
    start = now();
    for (int i = 0; i < count; i++)
        spawn(argv, ready);
    close(ready[1]);
    while (seen < count) {
        char bytes[64];
        ssize_t n = read(ready[0], bytes, sizeof(bytes));

        if (n <= 0)
            return 1;
        seen += (int)n;
    }
    printf("{\"seconds\": %.9f}\n", now() - start);
    while (wait(NULL) > 0)
        ;
    return 0;
}
