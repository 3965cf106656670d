/* SPDX-License-Identifier: MIT */
#include "daemon/host/symbols.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* One file stays open: the frames of a stack are mostly of one. */
static Dwfl_Module *open_file(const char *path)
{
    static char *debuginfo_path;
    static const Dwfl_Callbacks callbacks = {
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &debuginfo_path,
    };
    static char open_path[4096];
    static Dwfl_Module *module;
    static Dwfl *dwfl;
    struct stat status;

    if (module && strcmp(open_path, path) == 0)
        return module;
    if (dwfl)
        dwfl_end(dwfl);
    module = NULL;
    dwfl = dwfl_begin(&callbacks);
    /* What a host names may be anything; to open a fifo would block. */
    if (!dwfl || stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return NULL;
    snprintf(open_path, sizeof(open_path), "%s", path);
    module = dwfl_report_offline(dwfl, base_name(path), path, -1);
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
        snprintf(buffer, size, "%s at %s:%d", function, base_name(file), number);
    else if (function)
        snprintf(buffer, size, "%s+0x%" PRIx64 " in %s", function, (uint64_t)into + is_return,
                 base_name(path));
    else
        snprintf(buffer, size, "%s+0x%" PRIx64, base_name(path), offset);
}
