/* SPDX-License-Identifier: MIT */
/* Claims of the spool: one job for each file, and none forgotten. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "modules/spool/spool.h"

static struct spool spool;

static int setup(void **state)
{
    (void)state;
    spool = (struct spool){.lock = PTHREAD_MUTEX_INITIALIZER};
    /* Nothing of these names is there. */
    spool.directory_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return spool.directory_fd < 0 || spool.wake_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    while (spool.claims)
        claim_release(&spool, spool.claims);
    close(spool.directory_fd);
    close(spool.wake_fd);
    return 0;
}

static int queue(const char *name, bool arrived)
{
    return claim_queue(&spool, name, &arrived);
}

static bool woken(void)
{
    uint64_t count;

    return read(spool.wake_fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void test_one_job_for_a_file(void **state)
{
    struct claim *claim, *same;

    (void)state;
    assert_int_equal(queue("a", true), 0);
    assert_int_equal(queue("a", false), -EALREADY);
    /* One from outside does not take the place of the watch's. */
    assert_int_equal(claim_take(&spool, "a", 7, false, &claim), -EALREADY);
    assert_int_equal(claim_take(&spool, "a", 8, true, &claim), 0);
    assert_int_equal(claim_take(&spool, "a", 9, true, &same), -EALREADY);
    /* Its next attempt. */
    assert_int_equal(claim_take(&spool, "a", 8, true, &same), 0);
    assert_ptr_equal(claim, same);
    claim_release(&spool, claim);
    assert_null(spool.claims);
    assert_false(woken());
    assert_int_equal(claim_take(&spool, "b", 9, false, &claim), 0);
    assert_int_equal(queue("b", false), -EALREADY);
    claim_release(&spool, claim);
    assert_int_equal(queue("c", true), 0);
    claim_unqueue(&spool, "c");
    assert_null(spool.claims);
}

static void test_a_file_that_arrives_meanwhile(void **state)
{
    struct claim *claim;

    (void)state;
    assert_int_equal(claim_take(&spool, "a", 1, false, &claim), 0);
    assert_int_equal(queue("a", true), -EALREADY);
    assert_false(woken());
    claim_release(&spool, claim);
    assert_true(woken());
    /* A scan finds the file of each job, which is nothing new. */
    assert_int_equal(claim_take(&spool, "a", 2, false, &claim), 0);
    assert_int_equal(queue("a", false), -EALREADY);
    claim_release(&spool, claim);
    assert_false(woken());
    assert_int_equal(claim_take(&spool, "a", 3, false, &claim), 0);
    assert_int_equal(queue("a", true), -EALREADY);
    claim->ended = true;
    claim_end(&spool, 3);
    assert_true(woken());
}

/* The file is another one by now: whoever queues it hears of what arrived while the job had the
 * claim. */
static void test_a_job_anew(void **state)
{
    struct claim *claim;
    bool arrived = false;

    (void)state;
    assert_int_equal(claim_take(&spool, "a", 1, false, &claim), 0);
    claim->changes = 1;
    claim_renew(&spool, claim);
    assert_true(woken());
    assert_int_equal(claim_queue(&spool, "a", &arrived), 0);
    assert_false(arrived);
    /* It cannot be taken yet, and stays known. */
    claim_unqueue(&spool, "a");
    assert_int_equal(queue("a", false), 0);
    assert_int_equal(claim_take(&spool, "a", 2, true, &claim), 0);
    assert_int_equal(claim->changes, 1);
    assert_false(claim->begun);
    assert_int_equal(queue("a", true), -EALREADY);
    claim->begun = claim->ended = true;
    claim_end(&spool, 2);
    assert_true(woken());
    assert_int_equal(spool.waiting, 1);
    assert_int_equal(claim_queue(&spool, "a", &arrived), 0);
    assert_true(arrived);
    assert_int_equal(claim_take(&spool, "a", 3, true, &claim), 0);
    assert_true(claim->ended);
    assert_false(claim->begun);
    /* A result that is forgotten does not wait. */
    claim_renew(&spool, claim);
    assert_false(claim->ended);
    assert_int_equal(spool.waiting, 0);
    assert_true(woken());
    /* Nothing of that name is there. */
    claim_forget_gone(&spool);
    assert_null(spool.claims);
}

static void test_results_that_wait(void **state)
{
    struct claim *claim;
    char name[16];
    unsigned count = 0;

    (void)state;
    assert_int_equal(claim_take(&spool, "a", 1, false, &claim), 0);
    claim->ended = true;
    claim_end(&spool, 1);
    assert_int_equal(queue("a", true), 0);
    claim_unqueue(&spool, "a");
    assert_int_equal(queue("a", true), 0);
    assert_int_equal(claim_take(&spool, "a", 2, true, &claim), 0);
    assert_true(claim->ended);
    claim_end(&spool, 2);
    /* There is an end to what is kept in memory. */
    while (queue("next", true) == 0) {
        claim_unqueue(&spool, "next");
        snprintf(name, sizeof(name), "f%u", count++);
        assert_int_equal(claim_take(&spool, name, 100 + count, false, &claim), 0);
        claim->ended = true;
        claim_end(&spool, 100 + count);
        assert_true(count < 1000);
    }
    assert_int_equal(queue("next", true), -EBUSY);
    assert_true(claim_is_full(&spool));
    /* They wait as much while a scan has queued them, or a job tries once more. */
    assert_int_equal(queue("a", true), 0);
    assert_int_equal(queue("next", true), -EBUSY);
    assert_int_equal(claim_take(&spool, "a", 3, true, &claim), 0);
    assert_int_equal(queue("next", true), -EBUSY);
    claim_end(&spool, 3);
    assert_int_equal(claim_take(&spool, "a", 4, true, &claim), 0);
    claim_release(&spool, claim);
    assert_false(claim_is_full(&spool));
    assert_int_equal(queue("next", true), 0);
    claim_unqueue(&spool, "next");
    assert_int_equal(claim_take(&spool, "a", 5, false, &claim), 0);
    claim->ended = true;
    claim_end(&spool, 5);
    assert_true(claim_is_full(&spool));
    assert_int_equal(queue("a", true), 0);
    /* Nobody will ask for them, but for the one that has a job. */
    claim_forget_gone(&spool);
    assert_int_equal(queue("next", true), 0);
    assert_int_equal(queue("a", true), -EALREADY);
    claim_unqueue(&spool, "next");
    claim_unqueue(&spool, "a");
    claim_forget_gone(&spool);
    assert_null(spool.claims);
    assert_int_equal(spool.waiting, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_job_for_a_file),
        TEST(test_a_file_that_arrives_meanwhile),
        TEST(test_a_job_anew),
        TEST(test_results_that_wait),
    };

    return cmocka_run_group_tests_name("spool_claim", tests, NULL, NULL);
}
