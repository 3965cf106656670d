/* SPDX-License-Identifier: MIT */
/* A program that loads the library by itself, as one for another language does, may unload it: what
 * it has begun goes on. */
#include <dlfcn.h>
#include <reeve/context.h>
#include <reeve/group.h>

#include "tests/support/test.h"

static void *library;

static struct rv_context *(*background)(void);
static int (*with_timeout)(struct rv_context *, rv_duration, struct rv_context **,
                           struct rv_cancel **);
static int (*wait_done)(struct rv_context *);
static struct rv_context *(*give_back)(struct rv_context *);
static int (*create_group)(struct rv_context *, struct rv_group **);
static int (*go)(struct rv_group *, rv_function, void *);
static int (*wait_group)(struct rv_group *);
static void (*destroy_group)(struct rv_group *);

static void load(void)
{
    const struct {
        const char *name;
        void *function;
    } table[] = {
        {"rv_context_background", &background}, {"rv_context_with_timeout", &with_timeout},
        {"rv_context_wait", &wait_done},        {"rv_context_unref", &give_back},
        {"rv_group_create", &create_group},     {"rv_group_go", &go},
        {"rv_group_wait", &wait_group},         {"rv_group_destroy", &destroy_group},
    };

    library = dlopen(LIBREEVE, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        void *symbol = dlsym(library, table[i].name);

        assert_non_null(symbol);
        memcpy(table[i].function, &symbol, sizeof(symbol));
    }
}

static _Atomic int parked, unloaded;

/* Its end gives back what the library keeps for a thread. */
static int wait_then_end(void *arg)
{
    int r = wait_done(arg);

    atomic_store(&parked, 1);
    wait_value(&unloaded, 1);
    return r;
}

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void test_threads_go_on_when_it_is_unloaded(void **state)
{
    struct rv_context *ctx, *later;
    struct rv_group *group;
    struct caller caller;
    (void)state;

    load();
    assert_int_equal(create_group(background(), &group), 0);
    assert_int_equal(go(group, nothing, NULL), 0);
    assert_int_equal(wait_group(group), 0);
    destroy_group(group);
    assert_int_equal(with_timeout(background(), RV_MILLISECOND, &ctx, NULL), 0);
    caller_start(&caller, wait_then_end, ctx);
    wait_value(&parked, 1);
    give_back(ctx);
    assert_int_equal(with_timeout(background(), 20 * RV_MILLISECOND, &later, NULL), 0);
    assert_int_equal(dlclose(library), 0);
    atomic_store(&unloaded, 1);
    assert_int_equal(caller_join(&caller), -ETIMEDOUT);
    /* It is the same one. */
    load();
    assert_int_equal(wait_done(later), -ETIMEDOUT);
    give_back(later);
    assert_int_equal(dlclose(library), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_go_on_when_it_is_unloaded),
    };

    return cmocka_run_group_tests_name("unloaded", tests, NULL, NULL);
}
