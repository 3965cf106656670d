/* SPDX-License-Identifier: MIT */
/* Reading a file's note before it is loaded: a good one, and false claims. */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <reeve/module.h>

#include "host/load/note.h"

/* A file with a note of somebody else's, and then ours. */
struct file {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[2];
    struct {
        ElfW(Nhdr) header;
        char owner[4];
        char description[8];
    } other;
    struct {
        ElfW(Nhdr) header;
        char owner[8];
        uint32_t abi;
    } note;
    ElfW(Dyn) dynamic[3];
    char strings[32];
};

static struct file make_file(void)
{
    struct file file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                               sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
                               __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB},
                   .e_phoff = offsetof(struct file, segments),
                   .e_phnum = 2,
                   .e_phentsize = sizeof(ElfW(Phdr))},
        .segments = {{.p_type = PT_NOTE,
                      .p_offset = offsetof(struct file, other),
                      .p_filesz = offsetof(struct file, dynamic) - offsetof(struct file, other),
                      .p_align = 4},
                     {.p_type = PT_LOAD, .p_offset = 0, .p_filesz = sizeof(struct file)}},
        .other = {{4, 8, 1}, "GNU", "1234567"},
        .note = {{sizeof(RV_MODULE_NOTE_OWNER), sizeof(uint32_t), RV_MODULE_NOTE_TYPE},
                 RV_MODULE_NOTE_OWNER,
                 7},
        .dynamic = {{.d_tag = DT_STRTAB, .d_un.d_ptr = offsetof(struct file, strings)},
                    {.d_tag = DT_NEEDED, .d_un.d_val = 1},
                    {.d_tag = DT_NULL}},
        .strings = "\0libreeve.so.1",
    };

    return file;
}

static int64_t read_abi(const struct file *file, size_t size)
{
    int fd = memfd_create("note", MFD_CLOEXEC);
    int64_t abi;

    assert_int_equal(write(fd, file, size), size);
    abi = note_read_abi(fd);
    close(fd);
    return abi;
}

static void test_notes(void **state)
{
    struct file file = make_file();
    (void)state;

    assert_int_equal(read_abi(&file, sizeof(file)), 7);
    file.note.header.n_type++;
    assert_int_equal(read_abi(&file, sizeof(file)), 0);
    file = make_file();
    file.note.owner[0] = 'R';
    assert_int_equal(read_abi(&file, sizeof(file)), 0);
    /* Sizes that lead past the segment, the file, or round the end of numbers. */
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t sizes[] = {UINT32_MAX, UINT32_MAX - 8, 100000};

        file = make_file();
        file.other.header.n_namesz = sizes[i];
        assert_int_equal(read_abi(&file, sizeof(file)), 0);
        file = make_file();
        file.other.header.n_descsz = sizes[i];
        assert_int_equal(read_abi(&file, sizeof(file)), 0);
        file = make_file();
        file.note.header.n_descsz = sizes[i];
        assert_int_equal(read_abi(&file, sizeof(file)), 0);
    }
    /* An empty note leads nowhere either. */
    file = make_file();
    memset(&file.other.header, 0, sizeof(file.other.header));
    assert_int_equal(read_abi(&file, sizeof(file)), 0);
}

static void test_files(void **state)
{
    struct file file = make_file();
    (void)state;

    for (size_t size = 0; size < sizeof(file); size++)
        assert_true(read_abi(&file, size) < 0);
    assert_int_equal(read_abi(&file, 3), -ENOEXEC);
    assert_int_equal(read_abi(&file, sizeof(file) - 1), -ENODATA);
    file.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    assert_int_equal(read_abi(&file, sizeof(file)), -ENOEXEC);
    file = make_file();
    file.header.e_ident[0] = 0;
    assert_int_equal(read_abi(&file, sizeof(file)), -ENOEXEC);
    file = make_file();
    file.header.e_phoff = (__typeof__(file.header.e_phoff))-1;
    assert_int_equal(read_abi(&file, sizeof(file)), -ENODATA);
    file = make_file();
    file.segments[0].p_offset = (__typeof__(file.segments[0].p_offset))-8;
    assert_int_equal(read_abi(&file, sizeof(file)), -ENODATA);
}

static void test_runtime(void **state)
{
    struct file file = make_file();
    char name[16];
    int fd = memfd_create("note", MFD_CLOEXEC);
    (void)state;

    /* The dynamic section in place of the notes. */
    file.segments[0] = (ElfW(Phdr)){.p_type = PT_DYNAMIC,
                                    .p_offset = offsetof(struct file, dynamic),
                                    .p_filesz = sizeof(file.dynamic)};
    assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
    note_read_runtime(fd, name, sizeof(name));
    assert_string_equal(name, "libreeve.so.1");
    file.dynamic[1].d_un.d_val = UINT32_MAX;
    assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
    note_read_runtime(fd, name, sizeof(name));
    assert_string_equal(name, "");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_runtime),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
