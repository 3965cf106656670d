/* SPDX-License-Identifier: MIT */
#include "host/symbols/symbols.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <reeve/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/text.h"

/* Files that may be opened ------------------------------------------------ */

static struct strings allowed; /* without symbolic links */
static uid_t supervisor, installer;

int symbols_name_system(struct strings *paths)
{
    static const char *const system_folders[] = {"/usr", "/lib", "/lib32", "/lib64", "/libx32"};
    cleanup_free char *program = realpath("/proc/self/exe", NULL);
    cleanup_free char *host = NULL;
    struct stat status;
    Dl_info info;
    int r = 0;

    supervisor = geteuid();
    installer = program && stat(program, &status) == 0 ? status.st_uid : supervisor;
    for (size_t i = 0; i < ARRAY_SIZE(system_folders) && r == 0; i++)
        if (access(system_folders[i], F_OK) == 0)
            r = strings_add(paths, system_folders[i]);
    host = format_new("%.*s/reeve-host", program ? (int)(path_name(program) - program - 1) : 0,
                      program ? program : "");
    if (r == 0)
        r = host ? strings_add(paths, host) : -ENOMEM;
    if (r == 0 && dladdr((const void *)(uintptr_t)rv_log, &info) != 0 && info.dli_fname)
        r = strings_add(paths, info.dli_fname);
    return r;
}

int symbols_allow(const struct strings *paths)
{
    int r = 0;

    for (size_t i = 0; i < paths->count && r == 0; i++) {
        cleanup_free char *real = realpath(paths->items[i], NULL);

        if (real)
            r = strings_add(&allowed, real);
    }
    return r;
}

static bool is_allowed(const char *real)
{
    for (size_t i = 0; i < allowed.count; i++) {
        size_t length = strlen(allowed.items[i]);

        if (strncmp(real, allowed.items[i], length) == 0 &&
            (real[length] == '/' || real[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_trusted(const struct stat *status)
{
    return S_ISREG(status->st_mode) && (status->st_uid == 0 || status->st_uid == supervisor ||
                                        status->st_uid == installer || status->st_uid == geteuid());
}

/* A path that a host names may be anything; to open a fifo would block, a device may do worse. */
static int open_allowed(const char *path, char **ret_real)
{
    cleanup_free char *real = path[0] == '/' ? realpath(path, NULL) : NULL;
    cleanup_close int fd = -1;
    struct stat status;

    if (!real || !is_allowed(real) || stat(real, &status) < 0 || !is_trusted(&status))
        return -1;
    fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || !is_trusted(&status))
        return -1;
    *ret_real = TAKE_PTR(real);
    return TAKE_FD(fd);
}

/* The file says by itself where its debug information is: in no other directory than such have. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                          const char *file, const char *link, GElf_Word crc, char **ret_path)
{
    cleanup_free char *path = NULL;
    int found;

    if (link && strchr(link, '/'))
        return -1;
    found = dwfl_standard_find_debuginfo(module, data, name, base, file, link, crc, ret_path);
    if (found < 0)
        return -1;
    close(found);
    if (!*ret_path)
        return -1;
    path = TAKE_PTR(*ret_path);
    return open_allowed(path, ret_path);
}

/* Names and lines --------------------------------------------------------- */

/* One file stays open: the frames of a stack are mostly of one. */
static Dwfl_Module *open_file(const char *path)
{
    static char *debuginfo_path;
    static const Dwfl_Callbacks callbacks = {
        .find_debuginfo = find_debuginfo,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &debuginfo_path,
    };
    static char open_path[4096];
    static Dwfl_Module *module;
    static Dwfl *dwfl;
    cleanup_free char *real = NULL;
    int fd;

    if (module && strcmp(open_path, path) == 0)
        return module;
    if (dwfl)
        dwfl_end(dwfl);
    module = NULL;
    dwfl = dwfl_begin(&callbacks);
    fd = dwfl ? open_allowed(path, &real) : -1;
    if (fd < 0)
        return NULL;
    snprintf(open_path, sizeof(open_path), "%s", path);
    module = dwfl_report_offline(dwfl, path_name(real), real, fd);
    if (!module)
        close(fd);
    dwfl_report_end(dwfl, NULL, NULL);
    return module;
}

void symbols_describe(const char *path, uint64_t offset, bool is_return, char *buffer, size_t size)
{
    Dwfl_Module *module = open_file(path);
    const char *function = NULL, *file;
    GElf_Off into = 0;
    Dwfl_Line *line = NULL;
    GElf_Addr bias;
    GElf_Sym symbol;
    int number = 0;

    if (module && dwfl_module_getelf(module, &bias)) {
        GElf_Addr address = bias + offset - is_return;

        function = dwfl_module_addrinfo(module, address, &into, &symbol, NULL, NULL, NULL);
        line = dwfl_module_getsrc(module, address);
    }
    file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    if (function && file)
        snprintf(buffer, size, "%s at %s:%d", function, path_name(file), number);
    else if (function)
        snprintf(buffer, size, "%s+0x%" PRIx64 " in %s", function, (uint64_t)into + is_return,
                 path_name(path));
    else
        snprintf(buffer, size, "%s+0x%" PRIx64, path_name(path), offset);
}
