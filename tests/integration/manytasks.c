/* SPDX-License-Identifier: MIT */
/* A module with one task more than a process has records for. */
#include <reeve/module.h>

static int run(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

#define TASK(number)         \
    {                        \
        .name = "t" #number, \
        .run = run,          \
    }
#define TEN(tens)                                                                             \
    TASK(tens##0), TASK(tens##1), TASK(tens##2), TASK(tens##3), TASK(tens##4), TASK(tens##5), \
        TASK(tens##6), TASK(tens##7), TASK(tens##8), TASK(tens##9)
#define HUNDRED(hundreds)                                                                     \
    TEN(hundreds##0), TEN(hundreds##1), TEN(hundreds##2), TEN(hundreds##3), TEN(hundreds##4), \
        TEN(hundreds##5), TEN(hundreds##6), TEN(hundreds##7), TEN(hundreds##8), TEN(hundreds##9)

RV_MODULE(.name = "manytasks", .summary = "Has 1,025 tasks",
          .tasks = RV_TASKS(HUNDRED(0), HUNDRED(1), HUNDRED(2), HUNDRED(3), HUNDRED(4), HUNDRED(5),
                            HUNDRED(6), HUNDRED(7), HUNDRED(8), HUNDRED(9), TEN(100), TEN(101),
                            TASK(1020), TASK(1021), TASK(1022), TASK(1023), TASK(1024)));
