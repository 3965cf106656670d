/* SPDX-License-Identifier: MIT */
/*
 * The few parts of an ELF file that are looked at before it is loaded, read by hand: libelf, and
 * what it needs in turn, would be a third of what each host's start gives the dynamic linker to do.
 * Nothing in the file is believed: each read is bounded, and one that reaches past the end is an
 * error. A file for another kind of machine is no module here.
 */
#include "host/load/note.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <link.h>
#include <reeve/module.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif
#define OUR_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

/* Of a note's parts, and of a dynamic section: a sane file has a few dozen. */
#define ENTRIES_MAX 4096

struct elf {
    int fd;
    uint64_t size;
    ElfW(Ehdr) header;
};

static bool read_at(const struct elf *elf, uint64_t offset, void *buffer, size_t size)
{
    if (offset > elf->size || size > elf->size - offset)
        return false;
    return pread(elf->fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

/* Returns 0, -ENOEXEC for another file, or a negative errno. */
static int open_elf(int fd, struct elf *ret_elf)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    ret_elf->fd = fd;
    ret_elf->size = (uint64_t)status.st_size;
    if (!read_at(ret_elf, 0, &ret_elf->header, sizeof(ret_elf->header)) ||
        memcmp(&ret_elf->header, ELFMAG, SELFMAG) != 0 ||
        ret_elf->header.e_ident[EI_CLASS] != OUR_CLASS ||
        ret_elf->header.e_ident[EI_DATA] != OUR_DATA || ret_elf->header.e_phnum == 0 ||
        ret_elf->header.e_phentsize != sizeof(ElfW(Phdr)))
        return -ENOEXEC;
    return 0;
}

static bool read_segment(const struct elf *elf, unsigned i, ElfW(Phdr) * ret_segment)
{
    uint64_t offset = elf->header.e_phoff;

    return offset <= elf->size &&
           read_at(elf, offset + i * sizeof(*ret_segment), ret_segment, sizeof(*ret_segment));
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) / align * align;
}

/* Looks through a segment of notes, which lies in the file. Returns the ABI version, or 0 when it
 * is not there. */
static uint32_t find_note(const struct elf *elf, const ElfW(Phdr) * segment)
{
    uint64_t align = segment->p_align == 8 ? 8 : 4, at = segment->p_offset,
             end = segment->p_offset + segment->p_filesz;

    for (unsigned i = 0; i < ENTRIES_MAX && end - at >= sizeof(ElfW(Nhdr)); i++) {
        struct {
            ElfW(Nhdr) header;
            char owner[sizeof(RV_MODULE_NOTE_OWNER)];
        } note;
        uint64_t description, next;
        uint32_t abi;

        if (!read_at(elf, at, &note.header, sizeof(note.header)))
            return 0;
        description = align_up(sizeof(note.header) + note.header.n_namesz, align);
        next = align_up(description + note.header.n_descsz, align);
        if (next > end - at && description + note.header.n_descsz > end - at)
            return 0;
        if (note.header.n_type == RV_MODULE_NOTE_TYPE &&
            note.header.n_namesz == sizeof(note.owner) && note.header.n_descsz == sizeof(abi) &&
            read_at(elf, at, &note, sizeof(note.header) + sizeof(note.owner)) &&
            memcmp(note.owner, RV_MODULE_NOTE_OWNER, sizeof(note.owner)) == 0 &&
            read_at(elf, at + description, &abi, sizeof(abi)))
            return abi;
        at += MIN(next, end - at);
    }
    return 0;
}

int64_t note_read_abi(int fd)
{
    struct elf elf;
    int64_t abi = open_elf(fd, &elf);

    for (unsigned i = 0; abi >= 0 && i < elf.header.e_phnum; i++) {
        ElfW(Phdr) segment;

        if (!read_segment(&elf, i, &segment) || segment.p_offset > elf.size ||
            segment.p_filesz > elf.size - segment.p_offset)
            return -ENODATA;
        if (segment.p_type == PT_NOTE && abi == 0)
            abi = find_note(&elf, &segment);
    }
    return abi;
}

/* Where an address of the loaded file lies in it; UINT64_MAX: nowhere. */
static uint64_t find_offset(const struct elf *elf, uint64_t address)
{
    for (unsigned i = 0; i < elf->header.e_phnum; i++) {
        ElfW(Phdr) segment;

        if (read_segment(elf, i, &segment) && segment.p_type == PT_LOAD &&
            address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
            return segment.p_offset + (address - segment.p_vaddr);
    }
    return UINT64_MAX;
}

/* The next entry of that tag from *i on. Returns false when there is none. */
static bool find_dynamic(const struct elf *elf, const ElfW(Phdr) * segment, ElfW(Sxword) tag,
                         unsigned *i, ElfW(Dyn) * ret_entry)
{
    for (; *i < ENTRIES_MAX && *i < segment->p_filesz / sizeof(*ret_entry); (*i)++) {
        if (!read_at(elf, segment->p_offset + *i * sizeof(*ret_entry), ret_entry,
                     sizeof(*ret_entry)) ||
            ret_entry->d_tag == DT_NULL)
            return false;
        if (ret_entry->d_tag == tag)
            return true;
    }
    return false;
}

/* Takes the name of libreeve from what the file needs. */
static void take_runtime(const struct elf *elf, const ElfW(Phdr) * segment, char *ret_name,
                         size_t size)
{
    ElfW(Dyn) entry;
    uint64_t strings;
    unsigned i = 0;
    char name[64];

    if (!find_dynamic(elf, segment, DT_STRTAB, &i, &entry))
        return;
    strings = find_offset(elf, entry.d_un.d_ptr);
    for (i = 0; find_dynamic(elf, segment, DT_NEEDED, &i, &entry); i++) {
        size_t left = strings < elf->size && entry.d_un.d_val < elf->size - strings
                          ? (size_t)(elf->size - strings - entry.d_un.d_val)
                          : 0;

        if (!read_at(elf, strings + entry.d_un.d_val, name, MIN(left, sizeof(name) - 1)) ||
            left == 0)
            continue;
        name[MIN(left, sizeof(name) - 1)] = '\0';
        if (strncmp(name, "libreeve.so", strlen("libreeve.so")) == 0) {
            string_copy(ret_name, size, name);
            return;
        }
    }
}

void note_read_runtime(int fd, char *ret_name, size_t size)
{
    struct elf elf;

    string_copy(ret_name, size, "");
    if (open_elf(fd, &elf) < 0)
        return;
    for (unsigned i = 0; i < elf.header.e_phnum; i++) {
        ElfW(Phdr) segment;

        if (read_segment(&elf, i, &segment) && segment.p_type == PT_DYNAMIC &&
            segment.p_offset <= elf.size && segment.p_filesz <= elf.size - segment.p_offset)
            take_runtime(&elf, &segment, ret_name, size);
    }
}
