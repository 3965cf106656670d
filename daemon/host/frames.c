/* SPDX-License-Identifier: MIT */
#include "daemon/host/frames.h"

#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"
#include "daemon/host/board.h"

/* Written before any thread can crash in what it describes; read by handlers. */
struct object {
    uintptr_t start, end, base;
};
static struct object objects[SCOREBOARD_OBJECTS];
static _Atomic unsigned object_count;

/* The program itself has no name in the loader's list. */
static void name_object(struct scoreboard_object *object, const char *name)
{
    ssize_t length;

    if (name[0] != '\0') {
        string_copy(object->path, sizeof(object->path), name);
        return;
    }
    length = readlink("/proc/self/exe", object->path, sizeof(object->path) - 1);
    object->path[MAX(length, 0)] = '\0';
}

static int note_object(struct dl_phdr_info *info, size_t size _unused_, void *arg)
{
    unsigned *count = arg;
    struct object object = {.start = UINTPTR_MAX, .base = info->dlpi_addr};

    if (*count == SCOREBOARD_OBJECTS)
        return 1;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        object.start = MIN(object.start, start);
        object.end = MAX(object.end, start + segment->p_memsz);
    }
    objects[*count] = object;
    name_object(board_object(*count), info->dlpi_name);
    ++*count;
    return 0;
}

void frames_map_objects(void)
{
    unsigned count = 0;

    /* A crash meanwhile finds no objects rather than half of them. */
    atomic_store(&object_count, 0);
    dl_iterate_phdr(note_object, &count);
    atomic_store(&object_count, count);
}

static void note_frame(struct scoreboard_frame *frame, uintptr_t address)
{
    *frame = (struct scoreboard_frame){.offset = address, .object = UINT32_MAX};
    for (unsigned i = 0; i < atomic_load(&object_count); i++)
        if (address >= objects[i].start && address < objects[i].end) {
            frame->offset = address - objects[i].base;
            frame->object = i;
        }
}

static uintptr_t instruction_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* The handler's own frames are left out. */
void frames_note(struct scoreboard_stack *stack, const void *context)
{
    void *addresses[SCOREBOARD_FRAMES + 8];
    int count = backtrace(addresses, (int)ARRAY_SIZE(addresses)), first = 0;

    stack->instruction = instruction_of(context);
    for (int i = 0; i < count; i++)
        if ((uintptr_t)addresses[i] == (uintptr_t)stack->instruction)
            first = i;
    for (int i = first; i < count && stack->frame_count < SCOREBOARD_FRAMES; i++)
        note_frame(&stack->frames[stack->frame_count++], (uintptr_t)addresses[i]);
}

void frames_install(void)
{
    void *warm_up[4];

    backtrace(warm_up, (int)ARRAY_SIZE(warm_up));
    frames_map_objects();
}
