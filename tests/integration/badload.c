/* SPDX-License-Identifier: MIT */
/* A module that crashes while it is being loaded. */
#include <reeve/module.h>
#include <stdio.h>
#include <unistd.h>

/* Volatile, so that the compiler does not see what it points to. */
static int *volatile nowhere = (int *)(uintptr_t)0x10;

__attribute__((constructor)) static void begin(void)
{
    dprintf(STDERR_FILENO, "it begins\n");
    *nowhere = 1;
}

RV_MODULE(.name = "badload", .summary = "Crashes in a constructor");
