/* SPDX-License-Identifier: MIT */
/*
 * The program begins with the architecture and the number of the call. First come the calls that are denied whatever
 * their arguments are: one comparison for each, which leads to the answer. Then there is a block for each list of
 * conditions, for all calls that have just these; it ends with an answer. What no block is for is allowed.
 *
 * It is short since the kernel goes through it for every number of a call when it is loaded, to remember those that are
 * always allowed, and each host loads one.
 */
#include "daemon/host/sandbox_filter.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/macro.h"

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define OUR_ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__arm__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OUR_ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__loongarch64)
#define OUR_ARCHITECTURE AUDIT_ARCH_LOONGARCH64
#elif defined(__mips64) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_ARCHITECTURE AUDIT_ARCH_MIPSEL64
#else
#error "The name of this architecture in linux/audit.h is missing here."
#endif

/* Calls of x32 come under x86-64's name, with this bit. */
#define X32_BIT 0x40000000u

#define LOAD(place)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(place))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
/* Goes on behind so many instructions if that is so, or is not. */
#define JUMP(condition, value, if_so, if_not) \
    BPF_JUMP(BPF_JMP | BPF_K | (condition), (value), (if_so), (if_not))

struct program {
    struct sock_filter *code;
    unsigned count;
    bool full;
};

static unsigned add(struct program *program, struct sock_filter instruction)
{
    if (program->count == FILTER_CODE) {
        program->full = true;
        return 0;
    }
    program->code[program->count] = instruction;
    return program->count++;
}

#define ADD(program, ...) add((program), (struct sock_filter)__VA_ARGS__)

/* Has the jump at that place lead to the instruction that comes next. */
static void land(struct program *program, unsigned place, bool if_so)
{
    unsigned distance = program->count - place - 1;

    if (distance > UINT8_MAX)
        program->full = true;
    else if (if_so)
        program->code[place].jt = (uint8_t)distance;
    else
        program->code[place].jf = (uint8_t)distance;
}

static uint32_t deny(int error)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA);
}

static size_t low_half(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + 8 * (size_t)argument +
           (__BYTE_ORDER == __LITTLE_ENDIAN ? 0 : 4);
}

static size_t high_half(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + 8 * (size_t)argument +
           (__BYTE_ORDER == __LITTLE_ENDIAN ? 4 : 0);
}

static void begin(struct program *program)
{
    ADD(program, LOAD(offsetof(struct seccomp_data, arch)));
    ADD(program, JUMP(BPF_JEQ, OUR_ARCHITECTURE, 1, 0));
    ADD(program, RETURN(SECCOMP_RET_KILL_PROCESS));
    ADD(program, LOAD(offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
    /* -1 is what a tracer makes of a call that is not to be. */
    ADD(program, JUMP(BPF_JGE, X32_BIT, 0, 2));
    ADD(program, JUMP(BPF_JEQ, UINT32_MAX, 1, 0));
    ADD(program, RETURN(SECCOMP_RET_KILL_PROCESS));
#endif
}

/* Whatever the arguments are ---------------------------------------------------------------------- */

static bool is_denied(const struct filter *filter, int call)
{
    for (unsigned i = 0; i < filter->count; i++)
        if (filter->rules[i].count == 0 && filter->rules[i].call == call)
            return true;
    return false;
}

/* Whether it denies a call whatever its arguments are, and none before does so with the same error. */
static bool is_first_of_error(const struct filter *filter, unsigned i)
{
    for (unsigned j = 0; j < i; j++)
        if (filter->rules[j].count == 0 && filter->rules[j].error == filter->rules[i].error)
            return false;
    return filter->rules[i].count == 0;
}

static void deny_with(struct program *program, const struct filter *filter, int error)
{
    unsigned places[FILTER_RULES], count = 0;

    for (unsigned i = 0; i < filter->count; i++)
        if (filter->rules[i].count == 0 && filter->rules[i].error == error)
            places[count++] = ADD(program, JUMP(BPF_JEQ, (uint32_t)filter->rules[i].call, 0, 0));
    if (count == 0)
        return;
    ADD(program, BPF_STMT(BPF_JMP | BPF_JA, 1));
    for (unsigned i = 0; i < count; i++)
        land(program, places[i], true);
    ADD(program, RETURN(deny(error)));
}

/* Conditions ---------------------------------------------------------------------------------------- */

/* The jumps of one block that lead to its answer "no", each with the error. */
struct exits {
    struct {
        unsigned place;
        bool if_so;
        int error;
    } list[FILTER_RULES];
    unsigned count;
};

static void leave(struct exits *exits, unsigned place, bool if_so, int error)
{
    if (exits->count < FILTER_RULES) {
        exits->list[exits->count].place = place;
        exits->list[exits->count].if_so = if_so;
        exits->list[exits->count++].error = error;
    }
}

/* Asks for the last condition of a rule, or the only one. */
static void ask_last(struct program *program, const struct filter_condition *condition, int error,
                     struct exits *exits)
{
    if (!condition->equal) {
        ADD(program, LOAD(high_half(condition->argument)));
        leave(exits, ADD(program, JUMP(BPF_JEQ, 0, 0, 0)), false, error);
    }
    ADD(program, LOAD(low_half(condition->argument)));
    if (condition->mask != UINT32_MAX)
        ADD(program, BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition->mask));
    leave(exits, ADD(program, JUMP(BPF_JEQ, condition->value, 0, 0)), condition->equal, error);
}

/* Asks for all of them; the first of two looks for a value. */
static void ask(struct program *program, const struct filter_rule *rule, struct exits *exits)
{
    unsigned first = 0;

    if (rule->count > 1) {
        ADD(program, LOAD(low_half(rule->conditions[0].argument)));
        ADD(program, BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->conditions[0].mask));
        first = ADD(program, JUMP(BPF_JEQ, rule->conditions[0].value, 0, 0));
    }
    ask_last(program, &rule->conditions[rule->count - 1], rule->error, exits);
    if (rule->count > 1)
        land(program, first, false);
}

static bool same_condition(const struct filter_condition *a, const struct filter_condition *b)
{
    return a->argument == b->argument && a->equal == b->equal && a->mask == b->mask &&
           a->value == b->value;
}

static bool same_rule(const struct filter_rule *a, const struct filter_rule *b)
{
    if (a->error != b->error || a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!same_condition(&a->conditions[i], &b->conditions[i]))
            return false;
    return true;
}

/* The call's next rule with conditions from this index on; the filter's count at the end. */
static unsigned next_rule(const struct filter *filter, int call, unsigned i)
{
    while (i < filter->count && (filter->rules[i].call != call || filter->rules[i].count == 0))
        i++;
    return i;
}

/* Whether both calls have the same rules in the same order. */
static bool same_rules(const struct filter *filter, int a, int b)
{
    unsigned i = next_rule(filter, a, 0), j = next_rule(filter, b, 0);

    while (i < filter->count && j < filter->count &&
           same_rule(&filter->rules[i], &filter->rules[j])) {
        i = next_rule(filter, a, i + 1);
        j = next_rule(filter, b, j + 1);
    }
    return i == filter->count && j == filter->count;
}

static void end_block(struct program *program, const struct exits *exits)
{
    bool told[FILTER_RULES] = {false};

    ADD(program, RETURN(SECCOMP_RET_ALLOW));
    for (unsigned i = 0; i < exits->count; i++) {
        if (told[i])
            continue;
        for (unsigned j = i; j < exits->count; j++)
            if (exits->list[j].error == exits->list[i].error) {
                told[j] = true;
                land(program, exits->list[j].place, exits->list[j].if_so);
            }
        ADD(program, RETURN(deny(exits->list[i].error)));
    }
}

/* For the call and all others that have the same rules; calls: the list of them all. */
static void add_block(struct program *program, const struct filter *filter, const int *calls,
                      unsigned count)
{
    struct exits exits = {.count = 0};
    unsigned places[FILTER_RULES], last;

    for (unsigned i = 0; i < count; i++)
        places[i] = ADD(program, JUMP(BPF_JEQ, (uint32_t)calls[i], 0, 0));
    last = places[count - 1];
    for (unsigned i = 0; i < count; i++)
        land(program, places[i], true);
    for (unsigned i = next_rule(filter, calls[0], 0); i < filter->count;
         i = next_rule(filter, calls[0], i + 1))
        ask(program, &filter->rules[i], &exits);
    end_block(program, &exits);
    land(program, last, false);
}

static void add_blocks(struct program *program, const struct filter *filter)
{
    bool done[FILTER_RULES] = {false};

    for (unsigned i = 0; i < filter->count; i++) {
        int calls[FILTER_RULES];
        unsigned count = 0;

        for (unsigned j = i; j < filter->count && !done[i]; j++) {
            int call = filter->rules[j].call;

            if (filter->rules[j].count == 0 || done[j] || filter->rules[i].count == 0 ||
                is_denied(filter, call) || !same_rules(filter, filter->rules[i].call, call))
                continue;
            for (unsigned k = j; k < filter->count; k++)
                done[k] = done[k] || filter->rules[k].call == call;
            calls[count++] = call;
        }
        if (count > 0)
            add_block(program, filter, calls, count);
    }
}

/* --------------------------------------------------------------------------------------------------- */

static void add_rule(struct filter *filter, struct filter_rule rule)
{
    if (rule.call == NO_CALL)
        return;
    if (filter->count == FILTER_RULES)
        filter->full = true;
    else
        filter->rules[filter->count++] = rule;
}

void filter_begin(struct filter *filter)
{
    filter->count = 0;
    filter->full = false;
}

void filter_deny(struct filter *filter, int error, int call)
{
    add_rule(filter, (struct filter_rule){call, error});
}

void filter_deny_if(struct filter *filter, int error, int call, struct filter_condition condition)
{
    add_rule(filter, (struct filter_rule){call, error, 1, {condition}});
}

void filter_deny_if_both(struct filter *filter, int error, int call, struct filter_condition first,
                         struct filter_condition second)
{
    add_rule(filter, (struct filter_rule){call, error, 2, {first, second}});
}

void filter_deny_all(struct filter *filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        filter_deny(filter, EPERM, calls[i]);
}

void filter_deny_opening(struct filter *filter, int error, uint32_t mask, uint32_t value)
{
    filter_deny_if(filter, error, CALL(openat), filter_masked(2, mask, value));
    filter_deny_if(filter, error, CALL(open), filter_masked(1, mask, value));
}

int filter_compile(const struct filter *filter, struct sock_filter *ret_code)
{
    struct program program = {.code = ret_code, .full = filter->full};

    begin(&program);
    for (unsigned i = 0; i < filter->count; i++)
        if (is_first_of_error(filter, i))
            deny_with(&program, filter, filter->rules[i].error);
    add_blocks(&program, filter);
    ADD(&program, RETURN(SECCOMP_RET_ALLOW));
    return program.full ? -E2BIG : (int)program.count;
}

int filter_enforce(const struct filter *filter)
{
    struct sock_filter code[FILTER_CODE];
    struct sock_fprog program = {.filter = code};
    int count = filter_compile(filter, code);

    if (count < 0)
        return count;
    program.len = (unsigned short)count;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return -errno;
    return 0;
}
