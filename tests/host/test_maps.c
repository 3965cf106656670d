/* SPDX-License-Identifier: MIT */
/* The maps of memory, as the loader tells them and as the kernel does. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sys/mman.h>

#include "base/macro.h"
#include "host/crash/maps.h"

struct search {
    uintptr_t address;
    uintptr_t base; /* 0: not found */
    char path[512];
};

static void look_at(const struct mapping *mapping, void *arg)
{
    struct search *search = arg;

    if (search->address < mapping->start || search->address >= mapping->end)
        return;
    search->base = mapping->base;
    snprintf(search->path, sizeof(search->path), "%s", mapping->path);
}

static struct search find(uintptr_t address)
{
    struct search search = {.address = address};

    maps_each(look_at, &search);
    return search;
}

static int compare(struct dl_phdr_info *info, size_t size _unused_, void *arg)
{
    unsigned *count = arg;

    if (info->dlpi_name[0] != '/')
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            struct search search = find(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            char whole[PATH_MAX];

            /* The kernel has resolved links. */
            assert_non_null(realpath(info->dlpi_name, whole));
            assert_string_equal(search.path, whole);
            assert_true(search.base == info->dlpi_addr);
            ++*count;
        }
    return 0;
}

static void test_libraries(void **state)
{
    unsigned count = 0;

    (void)state;
    dl_iterate_phdr(compare, &count);
    /* The C library and the loader at least. */
    assert_true(count >= 2);
}

static void test_a_part_of_a_file_that_is_gone(void **state)
{
    char path[] = "/tmp/reeve-maps-XXXXXX";
    cleanup_close int fd = mkstemp(path);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory;
    struct search search;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(3 * page)), 0);
    memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, (off_t)(2 * page));
    assert_true(memory != MAP_FAILED);
    unlink(path);
    search = find((uintptr_t)memory);
    assert_string_equal(search.path, path);
    assert_true(search.base == (uintptr_t)memory - 2 * page);
    munmap(memory, page);
}

static void test_no_file(void **state)
{
    char local = 0;

    (void)state;
    assert_true(find((uintptr_t)&local).base == 0);
    assert_true(find(0x10).base == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libraries),
        cmocka_unit_test(test_a_part_of_a_file_that_is_gone),
        cmocka_unit_test(test_no_file),
    };

    maps_open();
    return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
