/* SPDX-License-Identifier: MIT */
/* Select: one clause, one moment, no favourite. */
#include <poll.h>
#include <reeve/channel.h>
#include <sys/eventfd.h>

#include "tests/support/test.h"

static struct rv_context *bg;

static struct rv_channel *make(size_t capacity)
{
    struct rv_channel *channel;

    assert_int_equal(rv_channel_create(sizeof(int), capacity, &channel), 0);
    return channel;
}

struct pair {
    struct rv_channel *a, *b;
    int from_a, from_b;
    int result; /* of the chosen clause */
    rv_duration timeout;
};

static int recv_either(void *arg)
{
    struct pair *pair = arg;
    struct rv_clause clauses[] = {RV_RECV(pair->a, &pair->from_a), RV_RECV(pair->b, &pair->from_b)};
    int r = rv_select(bg, clauses, 2, pair->timeout);

    if (r >= 0)
        pair->result = clauses[r].result;
    return r;
}

static int send_either(void *arg)
{
    struct pair *pair = arg;
    struct rv_clause clauses[] = {RV_SEND(pair->a, &pair->from_a), RV_SEND(pair->b, &pair->from_b)};
    int r = rv_select(bg, clauses, 2, pair->timeout);

    if (r >= 0)
        pair->result = clauses[r].result;
    return r;
}

/* Blocking ---------------------------------------------------------------- */

static void test_each_clause_can_end_the_wait(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct pair pair = {make(0), make(0), 1, 2, 1, RV_FOREVER};
        struct rv_channel *channel = which ? pair.b : pair.a;
        struct caller caller;
        int value = 70 + which;

        caller_start(&caller, recv_either, &pair);
        caller_wait_blocked(&caller);
        assert_int_equal(rv_channel_send(bg, channel, &value), 0);
        assert_int_equal(caller_join(&caller), which);
        assert_int_equal(which ? pair.from_b : pair.from_a, value);
        assert_int_equal(pair.result, 0);
        caller_start(&caller, send_either, &pair);
        caller_wait_blocked(&caller);
        value = 0;
        assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
        assert_int_equal(caller_join(&caller), which);
        assert_int_equal(value, 70 + which);
        /* It has left both queues. */
        assert_int_equal(rv_channel_try_recv(pair.a, &value), -EAGAIN);
        assert_int_equal(rv_channel_try_recv(pair.b, &value), -EAGAIN);
        assert_int_equal(rv_channel_try_send(pair.a, &value), -EAGAIN);
        assert_int_equal(rv_channel_try_send(pair.b, &value), -EAGAIN);
        rv_channel_unref(pair.a);
        rv_channel_unref(pair.b);
    }
}

static void test_a_close_ends_the_wait(void **state)
{
    int (*const calls[])(void *) = {recv_either, send_either};
    (void)state;

    for (int i = 0; i < 4; i++) {
        struct pair pair = {make(0), make(0), 0, 0, 1, RV_FOREVER};
        struct caller caller;

        caller_start(&caller, calls[i / 2], &pair);
        caller_wait_blocked(&caller);
        rv_channel_close(i % 2 ? pair.b : pair.a);
        assert_int_equal(caller_join(&caller), i % 2);
        assert_int_equal(pair.result, -EPIPE);
        rv_channel_unref(pair.a);
        rv_channel_unref(pair.b);
    }
}

static void test_select_meets_select(void **state)
{
    struct pair sender = {make(0), make(0), 5, 6, 1, RV_FOREVER}, receiver = sender;
    struct caller caller;
    (void)state;

    for (int i = 0; i < 20; i++) {
        int r;

        receiver.from_a = receiver.from_b = 0;
        caller_start(&caller, send_either, &sender);
        r = recv_either(&receiver);
        assert_int_equal(caller_join(&caller), r);
        assert_int_equal(receiver.from_a, r == 0 ? 5 : 0);
        assert_int_equal(receiver.from_b, r == 1 ? 6 : 0);
    }
    rv_channel_unref(sender.a);
    rv_channel_unref(sender.b);
}

static void test_a_missing_channel_is_never_ready(void **state)
{
    struct pair pair = {NULL, make(0), 0, 0, 1, RV_MILLISECOND};
    struct caller caller;
    int value = 3;
    (void)state;

    assert_int_equal(recv_either(&pair), -EAGAIN);
    assert_int_equal(send_either(&pair), -EAGAIN);
    pair.timeout = RV_FOREVER;
    caller_start(&caller, recv_either, &pair);
    assert_int_equal(rv_channel_send(bg, pair.b, &value), 0);
    assert_int_equal(caller_join(&caller), 1);
    rv_channel_unref(pair.b);
}

static void test_a_time_that_has_not_passed_does_not_count(void **state)
{
    struct pair pair = {make(0), make(0), 0, 0, 1, RV_HOUR};
    struct caller caller;
    int value = 9;
    (void)state;

    caller_start(&caller, recv_either, &pair);
    assert_int_equal(rv_channel_send(bg, pair.a, &value), 0);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(pair.from_a, 9);
    pair.timeout = -RV_SECOND;
    assert_int_equal(recv_either(&pair), -EAGAIN);
    rv_channel_unref(pair.a);
    rv_channel_unref(pair.b);
}

/* One channel more than once ---------------------------------------------- */

static int recv_thrice(void *arg)
{
    struct pair *pair = arg;
    struct rv_clause clauses[] = {RV_RECV(pair->a, &pair->from_a), RV_RECV(pair->a, &pair->from_a),
                                  RV_RECV(pair->b, &pair->from_b)};

    return rv_select(bg, clauses, 3, pair->timeout);
}

static int recv_a(void *arg)
{
    struct pair *pair = arg;
    int value, r = rv_channel_recv(bg, pair->a, &value);

    return r < 0 ? r : value;
}

/* Waking through b takes both waiters out of a's queue, and not the one that stands behind them. */
static void test_a_channel_in_two_clauses(void **state)
{
    struct pair pair = {make(0), make(0), 0, 0, 1, RV_MILLISECOND};
    struct caller twice, once;
    int value = 7;
    (void)state;

    assert_int_equal(recv_thrice(&pair), -EAGAIN);
    pair.timeout = RV_FOREVER;
    caller_start(&twice, recv_thrice, &pair);
    caller_wait_blocked(&twice);
    caller_start(&once, recv_a, &pair);
    caller_wait_blocked(&once);
    assert_int_equal(rv_channel_send(bg, pair.b, &value), 0);
    assert_int_equal(caller_join(&twice), 2);
    value = 8;
    assert_int_equal(rv_channel_send(bg, pair.a, &value), 0);
    assert_int_equal(caller_join(&once), 8);
    rv_channel_unref(pair.a);
    rv_channel_unref(pair.b);
}

struct self {
    struct rv_channel *channel;
    int me;
};

/* Sends and receives on one channel in one select: never meets itself at a rendezvous. */
static int both_ways(void *arg)
{
    struct self *self = arg;
    int met_myself = 0;

    for (int i = 0; i < 1000; i++) {
        int value = -1;
        struct rv_clause clauses[] = {RV_SEND(self->channel, &self->me),
                                      RV_RECV(self->channel, &value)};
        int r = rv_select(bg, clauses, 2, RV_FOREVER);

        if (r < 0 || clauses[r].result != 0)
            return -1;
        met_myself += r == 1 && value == self->me;
    }
    return rv_channel_capacity(self->channel) == 0 ? met_myself : 0;
}

static void test_nobody_meets_himself(void **state)
{
    static const size_t capacities[] = {0, 10};
    (void)state;

    for (int c = 0; c < 2; c++) {
        struct rv_channel *channel = make(capacities[c]);
        struct self selves[2] = {{channel, 0}, {channel, 1}};
        struct caller callers[2];

        for (int i = 0; i < 2; i++)
            caller_start(&callers[i], both_ways, &selves[i]);
        for (int i = 0; i < 2; i++)
            assert_int_equal(caller_join(&callers[i]), 0);
        rv_channel_unref(channel);
    }
}

/* One moment -------------------------------------------------------------- */

/* From before the select begins until after it has ended a or b is ready: it must find one. */
static void test_it_looks_at_one_moment(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct pair pair = {make(1), make(1), 0, 0, 1, 0};
        struct caller caller;
        int value = 1, r;

        assert_int_equal(rv_channel_try_send(pair.a, &value), 0);
        caller_start(&caller, recv_either, &pair);
        if (round % 2)
            rv_channel_close(pair.b);
        else
            (void)!rv_channel_try_send(pair.b, &value);
        (void)!rv_channel_try_recv(pair.a, &value);
        r = caller_join(&caller);
        assert_true(r == 0 || r == 1);
        rv_channel_unref(pair.a);
        rv_channel_unref(pair.b);
    }
}

/* Fairness ---------------------------------------------------------------- */

static int drain_and_count(void *arg)
{
    struct rv_channel *channel = arg;
    int ones = 0, value;

    while (rv_channel_recv(bg, channel, &value) == 0)
        ones += value;
    return ones;
}

static void test_both_sends_are_chosen(void **state)
{
    static const size_t capacities[] = {0, 500};
    (void)state;

    for (int c = 0; c < 2; c++) {
        struct rv_channel *channel = make(capacities[c]);
        struct caller caller;
        int zero = 0, one = 1, ones;

        caller_start(&caller, drain_and_count, channel);
        for (int i = 0; i < 500; i++) {
            struct rv_clause clauses[] = {RV_SEND(channel, &one), RV_SEND(channel, &zero)};

            assert_true(rv_select(bg, clauses, 2, RV_FOREVER) >= 0);
        }
        rv_channel_close(channel);
        ones = caller_join(&caller);
        assert_true(ones > 50 && ones < 450);
        rv_channel_unref(channel);
    }
}

/* Descriptors and channels ------------------------------------------------ */

struct mixed {
    struct rv_channel *channel;
    int fd;
    short revents;
    int value;
};

static int recv_or_ready(void *arg)
{
    struct mixed *mixed = arg;
    struct rv_clause clauses[] = {RV_READY(mixed->fd, POLLIN),
                                  RV_RECV(mixed->channel, &mixed->value)};
    int r = rv_select(bg, clauses, 2, RV_FOREVER);

    mixed->revents = clauses[0].revents;
    return r;
}

static void test_descriptors_wait_beside_channels(void **state)
{
    struct mixed mixed = {make(0), eventfd(0, EFD_NONBLOCK), 0, 0};
    struct caller caller;
    uint64_t count = 1;
    (void)state;

    for (int i = 0; i < 50; i++) {
        caller_start(&caller, recv_or_ready, &mixed);
        if (i % 3)
            caller_wait_blocked(&caller);
        if (i % 2) {
            assert_int_equal(write(mixed.fd, &count, sizeof(count)), sizeof(count));
            assert_int_equal(caller_join(&caller), 0);
            assert_int_equal(mixed.revents, POLLIN);
            assert_int_equal(read(mixed.fd, &count, sizeof(count)), sizeof(count));
        } else {
            assert_int_equal(rv_channel_send(bg, mixed.channel, &i), 0);
            assert_int_equal(caller_join(&caller), 1);
            assert_int_equal(mixed.value, i);
            assert_int_equal(mixed.revents, 0);
        }
    }
    close(mixed.fd);
    rv_channel_unref(mixed.channel);
}

/* Each clause that is ready is as likely as any other, though others that are not stand before it.
 */
static void test_the_choice_is_fair(void **state)
{
    static const size_t counts[] = {2, 8, 64};
    (void)state;

    for (size_t n = 0; n < 3; n++)
        for (int fds = 0; fds < 2; fds++) {
            struct rv_channel *ready[2] = {make(1), make(1)};
            struct rv_clause clauses[64];
            int hits[2] = {0}, value = 1, ends[2];
            size_t count = counts[n];

            assert_int_equal(pipe(ends), 0);
            for (size_t i = 0; i < count; i++)
                clauses[i] = (struct rv_clause)RV_RECV(NULL, &value);
            for (int i = 0; i < 2; i++)
                clauses[count - 2 + (size_t)i] = fds ? (struct rv_clause)RV_READY(ends[1], POLLOUT)
                                                     : (struct rv_clause)RV_RECV(ready[i], &value);
            for (int round = 0; round < 2000; round++) {
                for (int i = 0; i < 2; i++)
                    (void)!rv_channel_try_send(ready[i], &value);
                hits[rv_select(bg, clauses, count, RV_FOREVER) - (int)count + 2]++;
            }
            /* Ten standard deviations off the half. */
            assert_in_range(hits[0], 776, 1224);
            close(ends[0]);
            close(ends[1]);
            rv_channel_unref(ready[0]);
            rv_channel_unref(ready[1]);
        }
}

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_clause_can_end_the_wait),
        cmocka_unit_test(test_a_close_ends_the_wait),
        cmocka_unit_test(test_select_meets_select),
        cmocka_unit_test(test_a_missing_channel_is_never_ready),
        cmocka_unit_test(test_a_time_that_has_not_passed_does_not_count),
        cmocka_unit_test(test_a_channel_in_two_clauses),
        cmocka_unit_test(test_nobody_meets_himself),
        cmocka_unit_test(test_it_looks_at_one_moment),
        cmocka_unit_test(test_both_sends_are_chosen),
        cmocka_unit_test(test_descriptors_wait_beside_channels),
        cmocka_unit_test(test_the_choice_is_fair),
    };

    return cmocka_run_group_tests_name("select", tests, setup, NULL);
}
