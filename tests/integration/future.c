/* SPDX-License-Identifier: MIT */
/* A module of an ABI version to come, whose constructor must not run. */
#include <fcntl.h>
#include <reeve/module.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_a_trace(void)
{
    const char *path = getenv("REEVE_TEST_TRACE");
    int fd = path ? open(path, O_WRONLY | O_CREAT, 0644) : -1;

    if (fd >= 0)
        close(fd);
}

__attribute__((section(".note.reeve"), used,
               aligned(4))) static const struct rv_module_note note = {
    sizeof(RV_MODULE_NOTE_OWNER), sizeof(uint32_t), RV_MODULE_NOTE_TYPE, RV_MODULE_NOTE_OWNER, 999};
