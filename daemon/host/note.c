/* SPDX-License-Identifier: MIT */
#include "daemon/host/note.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <reeve/module.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* Looks through a segment of notes. Returns the ABI version, or 0 when it is not there. */
static uint32_t find_note(Elf *elf, const GElf_Phdr *segment)
{
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)segment->p_offset, segment->p_filesz,
                                          segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    size_t offset = 0, name, description;
    GElf_Nhdr header;
    uint32_t abi;

    while (data && (offset = gelf_getnote(data, offset, &header, &name, &description)) > 0)
        if (header.n_type == RV_MODULE_NOTE_TYPE &&
            header.n_namesz == sizeof(RV_MODULE_NOTE_OWNER) &&
            memcmp((char *)data->d_buf + name, RV_MODULE_NOTE_OWNER, header.n_namesz) == 0 &&
            header.n_descsz == sizeof(abi)) {
            memcpy(&abi, (char *)data->d_buf + description, sizeof(abi));
            return abi;
        }
    return 0;
}

int64_t note_read_abi(int fd)
{
    struct stat status;
    uint64_t file_size;
    Elf *elf;
    size_t count;
    int64_t abi = 0;

    if (fstat(fd, &status) < 0)
        return -errno;
    file_size = (uint64_t)status.st_size;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &count) < 0 || count == 0) {
        elf_end(elf);
        return -ENOEXEC;
    }
    for (size_t i = 0; i < count && abi >= 0; i++) {
        GElf_Phdr segment;

        if (!gelf_getphdr(elf, (int)i, &segment))
            abi = -ENODATA;
        else if (segment.p_offset > file_size || segment.p_filesz > file_size - segment.p_offset)
            abi = -ENODATA;
        else if (segment.p_type == PT_NOTE && abi == 0)
            abi = find_note(elf, &segment);
    }
    elf_end(elf);
    return abi;
}

static bool take_runtime(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, char *ret_name,
                         size_t size)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Dyn entry;

    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
        const char *name =
            entry.d_tag == DT_NEEDED ? elf_strptr(elf, header->sh_link, entry.d_un.d_val) : NULL;

        if (name && strncmp(name, "libreeve.so", strlen("libreeve.so")) == 0) {
            string_copy(ret_name, size, name);
            return true;
        }
    }
    return false;
}

void note_read_runtime(int fd, char *ret_name, size_t size)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    Elf *elf;

    string_copy(ret_name, size, "");
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    while (elf && (section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNAMIC &&
            take_runtime(elf, section, &header, ret_name, size))
            break;
    elf_end(elf);
}
