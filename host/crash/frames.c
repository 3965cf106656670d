/* SPDX-License-Identifier: MIT */
#include "host/crash/frames.h"

#include <inttypes.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/macro.h"
#include "base/text.h"
#include "host/crash/maps.h"
#include "host/report/board.h"

/* The last records of objects are for those that a handler finds beside the picture: one for each
 * frame at most. */
#define PICTURED (SCOREBOARD_OBJECTS - SCOREBOARD_FRAMES)

/* Written before any thread can crash in what it describes; read by handlers. */
struct object {
    uintptr_t start, end, base;
};
static struct object objects[PICTURED];
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

    if (*count == PICTURED)
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

    /* A crash meanwhile finds no objects here rather than half of them. */
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

static bool is_known(const struct scoreboard_frame *frame)
{
    return frame->object != UINT32_MAX;
}

/* Of the frames that lie in what has been loaded since the picture was taken. */
struct naming {
    struct scoreboard_stack *stack;
    uint32_t next; /* record of an object */
};

static void name_frames(const struct mapping *mapping, void *arg)
{
    struct naming *naming = arg;
    bool used = false;

    for (uint32_t i = 0; i < naming->stack->frame_count; i++) {
        struct scoreboard_frame *frame = &naming->stack->frames[i];

        if (is_known(frame) || frame->offset < mapping->start || frame->offset >= mapping->end)
            continue;
        frame->offset -= mapping->base;
        frame->object = naming->next;
        used = true;
    }
    if (used)
        string_copy(board_object(naming->next++)->path, SCOREBOARD_PATH_SIZE, mapping->path);
}

static void note_late_objects(struct scoreboard_stack *stack)
{
    struct naming naming = {stack, PICTURED};

    for (uint32_t i = 0; i < stack->frame_count; i++)
        if (!is_known(&stack->frames[i])) {
            maps_each(name_frames, &naming);
            return;
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

struct noting {
    void *addresses[SCOREBOARD_FRAMES + 8];
    int count;
};

static _Unwind_Reason_Code add_address(struct _Unwind_Context *context, void *arg)
{
    struct noting *noting = arg;
    void *address = (void *)_Unwind_GetIP(context);

    if (!address || noting->count == (int)ARRAY_SIZE(noting->addresses))
        return _URC_END_OF_STACK;
    noting->addresses[noting->count++] = address;
    return _URC_NO_REASON;
}

/* Not backtrace(3), for which the C library loads libgcc_s into each process: it takes a tenth of a
 * host's start. */
static void look_up(void *arg)
{
    (void)_Unwind_Backtrace(add_address, arg);
}

#if defined(__x86_64__)
/*
 * Calls fn(arg) as if from the interrupted instruction: to the unwinder this is a signal's frame,
 * whose rules restore each register from the handler's ucontext, which is kept in rbx. So what lies
 * between the handler and the signal does not matter: another runtime's handler, which has no
 * unwind information, or stacks of its own.
 */
void frames_call_interrupted(const void *context, void (*fn)(void *arg), void *arg);

/* "Register reg is saved at rbx + offset", as DW_CFA_expression and DW_OP_breg3. */
#define SAVED(reg, low, high) ".cfi_escape 0x10, " #reg ", 3, 0x73, " #low ", " #high "\n\t"

/* An offset in two bytes, as DW_OP_breg3 takes it, is 0x80 + (offset & 0x7f), offset >> 7. */
#define GREG(n) (offsetof(ucontext_t, uc_mcontext.gregs) + (n) * sizeof(greg_t))
_Static_assert(GREG(REG_R8) == 0x28 && GREG(REG_RSP) == 0xa0 && GREG(REG_RIP) == 0xa8, "see below");

__asm__(".pushsection .text\n\t"
        ".type frames_call_interrupted, @function\n"
        "frames_call_interrupted:\n\t"
        ".cfi_startproc\n\t"
        ".cfi_signal_frame\n\t"
        ".cfi_escape 0x0f, 4, 0x73, 0xa0, 0x01, 0x06\n\t" /* the CFA is what is saved as rsp */
        SAVED(8, 0xa8, 0x00) SAVED(9, 0xb0, 0x00) SAVED(10, 0xb8, 0x00) SAVED(11, 0xc0, 0x00)
            SAVED(12, 0xc8, 0x00) SAVED(13, 0xd0, 0x00) SAVED(14, 0xd8, 0x00) SAVED(15, 0xe0, 0x00)
                SAVED(5, 0xe8, 0x00) /* rdi */
        SAVED(4, 0xf0, 0x00)         /* rsi */
        SAVED(6, 0xf8, 0x00)         /* rbp */
        SAVED(3, 0x80, 0x01)         /* rbx */
        SAVED(1, 0x88, 0x01)         /* rdx */
        SAVED(0, 0x90, 0x01)         /* rax */
        SAVED(2, 0x98, 0x01)         /* rcx */
        SAVED(7, 0xa0, 0x01)         /* rsp */
        SAVED(16, 0xa8, 0x01)        /* rip */
        "push %rbx\n\t"
        "mov %rdi, %rbx\n\t"
        "mov %rdx, %rdi\n\t"
        "call *%rsi\n\t"
        "pop %rbx\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t"
        ".size frames_call_interrupted, . - frames_call_interrupted\n\t"
        ".popsection\n");
#else
/* From the handler's own frame. */
static void frames_call_interrupted(const void *context _unused_, void (*fn)(void *arg), void *arg)
{
    fn(arg);
}
#endif

/* The handler's own frames are left out. */
void frames_note(struct scoreboard_stack *stack, const void *context)
{
    struct noting noting = {0};
    int first = 0;

    stack->instruction = instruction_of(context);
    frames_call_interrupted(context, look_up, &noting);
    for (int i = 0; i < noting.count; i++)
        if ((uintptr_t)noting.addresses[i] == (uintptr_t)stack->instruction && first == 0)
            first = i;
    for (int i = first; i < noting.count && stack->frame_count < SCOREBOARD_FRAMES; i++)
        note_frame(&stack->frames[stack->frame_count++], (uintptr_t)noting.addresses[i]);
    note_late_objects(stack);
}

void frames_format(const struct scoreboard_stack *stack, char *buffer, size_t size)
{
    size_t length = 0;

    buffer[0] = '\0';
    for (uint32_t i = 0; i < stack->frame_count && length < size; i++) {
        const struct scoreboard_frame *frame = &stack->frames[i];
        const char *path =
            frame->object < SCOREBOARD_OBJECTS ? board_object(frame->object)->path : "";

        length += (size_t)snprintf(buffer + length, size - length, "%s%s+0x%" PRIx64,
                                   i == 0 ? "" : " ", path_name(path), frame->offset);
    }
}

void frames_install(void)
{
    struct noting warm_up = {0};

    look_up(&warm_up);
    maps_open();
    frames_map_objects();
}
