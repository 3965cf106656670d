/* SPDX-License-Identifier: MIT */
/*
 * Makes the programs of host/sandbox/sandbox_filter.h, as C. Nothing else uses libseccomp, but a
 * test, and so no host loads it.
 *
 * Numbers that are not known yet have stand-ins. Each program is made twice, with other ones: the
 * two may differ in what comparisons for equality compare with, there from stand-in to stand-in,
 * and in nothing else. So every place that depends on such a number is found, and a constant that
 * happens to be a stand-in is not taken for one. libseccomp sorts the values that it asks for; as
 * each is compared alone, their order is without meaning, and that of the stand-ins is kept.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "host/sandbox/filter/rules.h"

struct program {
    struct sock_filter code[FILTER_CODE];
    size_t count;
};

static const char *const id_names[FILTER_IDS] = {
    [FILTER_SUPERVISOR] = "FILTER_SUPERVISOR",
    [FILTER_GROUP] = "FILTER_GROUP",
    [FILTER_SELF] = "FILTER_SELF",
};

static _Noreturn void printf_like(1, 2) fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void succeed(int r, const char *what)
{
    if (r < 0)
        fail("libseccomp: %s: %s", what, strerror(-r));
}

/* Calls of another architecture, of which the rules know nothing, end the process. A search by the
 * call's number is shortest: the kernel runs the program for every number when it is loaded, to
 * remember those that are always allowed. */
static scmp_filter_ctx begin_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter)
        fail("libseccomp: no filter");
    succeed(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "BADARCH");
    succeed(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "OPTIMIZE");
    return filter;
}

static void make_program(unsigned kind, const uint32_t ids[FILTER_IDS], struct program *ret_program)
{
    scmp_filter_ctx filter = begin_filter();
    int fd = memfd_create("filter", MFD_CLOEXEC);
    ssize_t size;

    if (fd < 0)
        fail("memfd_create: %s", strerror(errno));
    filter_add_rules(filter, kind, ids);
    succeed(seccomp_export_bpf(filter, fd), "export");
    seccomp_release(filter);
    size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || (size_t)size > sizeof(ret_program->code))
        fail("a filter has %zd bytes", size);
    if (pread(fd, ret_program->code, (size_t)size, 0) != size)
        fail("a filter cannot be read");
    close(fd);
    ret_program->count = (size_t)size / sizeof(ret_program->code[0]);
}

/* Which number both instructions have a stand-in of; FILTER_IDS if they are the same. */
static unsigned find_id(const struct sock_filter *a, const uint32_t ids[FILTER_IDS],
                        const struct sock_filter *b, const uint32_t other_ids[FILTER_IDS])
{
    if (memcmp(a, b, sizeof(*a)) == 0)
        return FILTER_IDS;
    for (unsigned id = 0; id < FILTER_IDS; id++)
        if (a->k == ids[id] && b->k == other_ids[id] && a->code == (BPF_JMP | BPF_JEQ | BPF_K) &&
            b->code == a->code && a->jt == b->jt && a->jf == b->jf)
            return id;
    fail("a filter depends on the numbers of processes");
}

static void print_code(unsigned kind, const struct program *program)
{
    printf("static const struct sock_filter code_%u[] = {\n", kind);
    for (size_t i = 0; i < program->count; i++)
        printf("    {%#x, %u, %u, %#x},\n", program->code[i].code, program->code[i].jt,
               program->code[i].jf, program->code[i].k);
    puts("};");
}

/* A kind whose rules name no such process would be a mistake. */
static void print_places(unsigned kind, const unsigned *found, size_t count)
{
    bool seen[FILTER_IDS + 1] = {false};

    printf("static const struct filter_place places_%u[] = {\n", kind);
    for (size_t i = 0; i < count; i++) {
        seen[found[i]] = true;
        if (found[i] < FILTER_IDS)
            printf("    {%zu, %s},\n", i, id_names[found[i]]);
    }
    puts("};");
    for (unsigned id = 0; id < FILTER_IDS; id++)
        if (!seen[id])
            fail("%s stands nowhere in filter %u", id_names[id], kind);
}

static void print_kind(unsigned kind)
{
    static struct program program, other;
    uint32_t ids[FILTER_IDS], other_ids[FILTER_IDS];
    unsigned found[FILTER_CODE];

    for (unsigned id = 0; id < FILTER_IDS; id++) {
        ids[id] = FILTER_PLACEHOLDER(id);
        other_ids[id] = FILTER_PLACEHOLDER(id) + 0x1000;
    }
    make_program(kind, ids, &program);
    make_program(kind, other_ids, &other);
    if (program.count != other.count)
        fail("the length of a filter depends on the numbers of processes");
    for (size_t i = 0; i < program.count; i++)
        found[i] = find_id(&program.code[i], ids, &other.code[i], other_ids);
    print_code(kind, &program);
    print_places(kind, found, program.count);
}

int main(void)
{
    puts("/* Made by host/sandbox/filter. */\n"
         "#include \"base/macro.h\"\n"
         "#include \"host/sandbox/sandbox_filter.h\"\n");
    for (unsigned kind = 0; kind < FILTER_KINDS; kind++)
        print_kind(kind);
    puts("const struct filter_program filter_programs[FILTER_KINDS] = {");
    for (unsigned kind = 0; kind < FILTER_KINDS; kind++)
        printf("    {code_%u, places_%u, ARRAY_SIZE(code_%u), ARRAY_SIZE(places_%u)},\n", kind,
               kind, kind, kind);
    puts("};");
    return fflush(stdout) == 0 ? 0 : 1;
}
