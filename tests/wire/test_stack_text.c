/* SPDX-License-Identifier: MIT */
/* Crashes and hangs in words. */
#include "tests/support/test.h"

#include <signal.h>

#include "base/macro.h"
#include "wire/stack_text.h"

#define SENDER ((uint64_t)1000 << 32 | 4711)

static const struct {
    struct scoreboard_stack stack;
    const char *summary;
    const char *facts;
} rows[] = {
    {{.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 0x10, .run = 7, .what = "act"},
     "SIGSEGV in act run 7",
     "at address 0x10"},
    {{.signal = SIGBUS, .code = BUS_ADRERR, .address = 0x7f1e42543317, .what = "init"},
     "SIGBUS in init",
     "at address 0x7f1e42543317"},
    {{.signal = SIGFPE, .code = FPE_INTDIV, .address = 0x400}, "SIGFPE", "at address 0x400"},
    {{.signal = SIGSEGV, .code = SI_KERNEL}, "SIGSEGV", ""},
    {{.signal = SIGSEGV, .code = SEGV_MAPERR, .run = 7, .what = "act", .state = "256K"},
     "stack overflow in act run 7",
     "with a stack of 256K: see rv_runtime_configure(3)"},
    {{.signal = SIGTRAP, .code = TRAP_BRKPT, .address = 0x400, .what = "act"},
     "SIGTRAP in act",
     ""},
    {{.signal = SIGSYS, .code = 1, .address = 0x400}, "SIGSYS", ""},
    {{.signal = SIGSEGV, .code = SI_USER, .address = SENDER},
     "SIGSEGV",
     "sent by pid 4711 uid 1000"},
    {{.signal = SIGABRT, .code = SI_TKILL, .address = SENDER, .what = "act"},
     "SIGABRT in act",
     "sent by pid 4711 uid 1000"},
    {{.signal = SIGILL, .code = SI_QUEUE, .address = 4711}, "SIGILL", "sent by pid 4711 uid 0"},
    {{.signal = SIGABRT, .code = SI_TKILL, .what = "act"}, "SIGABRT in act", ""},
    {{.run = 2, .what = "act", .state = "sleeping in futex_wait"},
     "hang in act run 2",
     "sleeping in futex_wait"},
};

static void test_rows(void **state)
{
    char text[160];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        stack_summary(&rows[i].stack, text, sizeof(text));
        assert_string_equal(text, rows[i].summary);
        stack_facts(&rows[i].stack, text, sizeof(text));
        assert_string_equal(text, rows[i].facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests_name("stack_text", tests, NULL, NULL);
}
