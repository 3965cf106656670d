/* SPDX-License-Identifier: MIT */
/*
 * reeve-symbols: names the frames of a stack for reeved. It speaks the hosts' protocol on the same
 * descriptors, sandboxed as a check is and as a reader of few files, and runs no code of a module;
 * it is a program of its own so that no host has to map what reads debug information.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/dispositions.h"
#include "base/fd.h"
#include "base/macro.h"
#include "host/sandbox/hello.h"
#include "host/sandbox/sandbox.h"
#include "host/symbols/symbols.h"
#include "wire/message.h"

/* Debug information that takes more than this is damaged, or meant to. */
#define CPU_SECONDS_MAX 10
#define MEMORY_MAX      ((rlim_t)1 << 30)

static unsigned char buffer[WIRE_PACKET_MAX];

static void limit(void)
{
    struct rlimit cpu = {CPU_SECONDS_MAX, CPU_SECONDS_MAX};
    struct rlimit memory _unused_ = {MEMORY_MAX, MEMORY_MAX};

    setrlimit(RLIMIT_CPU, &cpu);
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes that it never touches */
    setrlimit(RLIMIT_DATA, &memory);
#endif
    /* Files come from this machine only. */
    unsetenv("DEBUGINFOD_URLS");
}

static void answer(const struct wire_message *frame)
{
    char text[512];
    struct wire_message symbol = {
        .type = WIRE_SYMBOL, .module = frame->module, .line = frame->line, .text = text};

    symbols_describe(frame->path, frame->number, frame->flags & WIRE_FRAME_RETURN, text,
                     sizeof(text));
    wire_send(WIRE_FD_CONTROL, &symbol);
}

int main(int argc, char **argv)
{
    struct sandbox sandbox = {.reader = true};
    struct wire_message message;
    int64_t grace;

    if (fd_fill_standard() < 0)
        return 1;
    dispositions_set();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("reeve-symbols %s\n", REEVE_VERSION);
        return 0;
    }
    if (argc != 3 || strcmp(argv[1], "--supervised") != 0) {
        fputs("reeve-symbols is started by reeved, to name the frames of a stack.\n", stderr);
        return 2;
    }
    limit();
    if (symbols_name_system(&sandbox.read_only) < 0)
        return 1;
    if (hello_exchange(buffer, &sandbox, &grace) < 0)
        return 3;
    if (symbols_allow(&sandbox.read_only) < 0 || symbols_allow(&sandbox.module_folders) < 0)
        return 1;
    sandbox_finish(&sandbox);
    while (wire_receive(WIRE_FD_CONTROL, buffer, &message) == 1 && message.type == WIRE_FRAME)
        answer(&message);
    return 0;
}
