/* SPDX-License-Identifier: MIT */
#include "bench/runtime/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t began, ended;
static char figures[1024];

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void begin(void)
{
    began = now_ns();
}

void end(void)
{
    ended = now_ns();
}

void report(const char *name, double value)
{
    size_t length = strlen(figures);

    snprintf(figures + length, sizeof(figures) - length, ", \"%s\": %.9g", name, value);
}

void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-r));
    exit(1);
}

uint64_t burn(uint64_t seed, uint64_t rounds)
{
    uint64_t x = seed | 1;

    for (uint64_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

uint64_t burn_per_microsecond(void)
{
    uint64_t best = UINT64_MAX, sum = 0;

    for (int i = 0; i < 20; i++) {
        uint64_t start = now_ns(), took;

        sum ^= burn((uint64_t)i, 100000);
        took = now_ns() - start;
        if (took < best)
            best = took;
    }
    return (uint64_t)100000 * 1000 / best + (sum == 1);
}

int main(int argc, char **argv)
{
    const struct work *work = works;
    struct size size;
    uint64_t result;

    while (work->name && (argc != 5 || strcmp(work->name, argv[1]) != 0))
        work++;
    if (!work->name) {
        fprintf(stderr, "Usage: %s WORK COUNT WORKERS CAPACITY, where WORK is one of", argv[0]);
        for (work = works; work->name; work++)
            fprintf(stderr, " %s", work->name);
        fprintf(stderr, "\n");
        return 2;
    }
    size = (struct size){
        .count = strtoull(argv[2], NULL, 10),
        .workers = (unsigned)strtoul(argv[3], NULL, 10),
        .capacity = strtoul(argv[4], NULL, 10),
    };
    result = work->run(&size);
    printf("{\"seconds\": %.9f, \"result\": %" PRIu64 "%s}\n", (double)(ended - began) / 1e9,
           result, figures);
    return 0;
}
