/* SPDX-License-Identifier: MIT */
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

struct end {
    struct rv_context *ctx;
    struct rv_channel *channel;
    int value;
    struct rv_cancel *cancel;
};

static int call_send(void *arg)
{
    struct end *end = arg;

    return rv_channel_send(end->ctx, end->channel, &end->value);
}

static int call_recv(void *arg)
{
    struct end *end = arg;

    return rv_channel_recv(end->ctx, end->channel, &end->value);
}

static int call_select(void *arg)
{
    struct end *end = arg;
    int other = 0;
    struct rv_clause clauses[] = {RV_RECV(end->channel, &end->value), RV_SEND(NULL, &other)};
    int r = rv_select(end->ctx, clauses, 2, RV_FOREVER);

    return r == 0 ? clauses[0].result : r;
}

static void test_buffer(void **state)
{
    struct rv_channel *channel = make(2);
    int value;
    (void)state;

    for (value = 1; value <= 2; value++)
        assert_int_equal(rv_channel_try_send(channel, &value), 0);
    assert_int_equal(rv_channel_try_send(channel, &value), -EAGAIN);
    assert_int_equal(rv_channel_length(channel), 2);
    assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(rv_channel_close(channel), 0);
    assert_int_equal(rv_channel_close(channel), -EPIPE);
    assert_int_equal(rv_channel_send(bg, channel, &value), -EPIPE);
    /* Buffered elements are drained first. */
    assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
    assert_int_equal(value, 2);
    assert_int_equal(rv_channel_recv(bg, channel, &value), -EPIPE);
    rv_channel_unref(channel);
    assert_int_equal(rv_channel_create(0, 1, &channel), -EINVAL);
    assert_int_equal(rv_channel_create(SIZE_MAX, 2, &channel), -EINVAL);
}

static void test_rendezvous(void **state)
{
    struct rv_channel *channel = make(0);
    struct end sender = {bg, channel, 7};
    struct caller caller;
    int value = 0;
    (void)state;

    assert_int_equal(rv_channel_try_send(channel, &value), -EAGAIN);
    assert_int_equal(rv_channel_try_recv(channel, &value), -EAGAIN);
    caller_start(&caller, call_send, &sender);
    caller_wait_blocked(&caller);
    assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(caller_join(&caller), 0);
    rv_channel_unref(channel);
}

static void test_close_wakes_everybody(void **state)
{
    int (*const calls[])(void *) = {call_send, call_recv, call_select};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct rv_channel *channel = make(0);
        struct end ends[5];
        struct caller callers[5];

        for (int j = 0; j < 5; j++) {
            ends[j] = (struct end){bg, channel, j};
            caller_start(&callers[j], calls[i], &ends[j]);
        }
        for (int j = 0; j < 5; j++)
            caller_wait_blocked(&callers[j]);
        rv_channel_close(channel);
        for (int j = 0; j < 5; j++)
            assert_int_equal(caller_join(&callers[j]), -EPIPE);
        rv_channel_unref(channel);
    }
}

static void test_cancel_while_blocked(void **state)
{
    int (*const calls[])(void *) = {call_send, call_recv, call_select};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct rv_channel *channel = make(0);
        struct rv_context *ctx;
        struct rv_cancel *cancel;
        struct caller caller;
        struct end end = {.channel = channel};

        assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
        end.ctx = ctx;
        caller_start(&caller, calls[i], &end);
        caller_wait_blocked(&caller);
        rv_context_cancel(cancel, -EINTR, "enough");
        assert_int_equal(caller_join(&caller), -EINTR);
        /* Nothing was sent, and nobody is left in the queues. */
        assert_int_equal(rv_channel_try_recv(channel, &end.value), -EAGAIN);
        assert_int_equal(rv_channel_try_send(channel, &end.value), -EAGAIN);
        rv_channel_unref(channel);
        rv_context_unref(ctx);
    }
}

static void test_a_done_context_wins(void **state)
{
    struct rv_channel *channel = make(1);
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int value = 1;
    struct rv_clause clause = RV_RECV(channel, &value);
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    rv_context_cancel(cancel, 0, NULL);
    assert_int_equal(rv_channel_send(ctx, channel, &value), -ECANCELED);
    assert_int_equal(rv_channel_try_send(channel, &value), 0);
    assert_int_equal(rv_channel_recv(ctx, channel, &value), -ECANCELED);
    assert_int_equal(rv_select(ctx, &clause, 1, RV_FOREVER), -ECANCELED);
    assert_int_equal(rv_channel_length(channel), 1);
    rv_context_unref(ctx);
    rv_channel_unref(channel);
}

static void test_select(void **state)
{
    struct rv_channel *a = make(1), *b = make(1);
    int from_a = 0, to_b = 9, counts[2] = {0}, fd = eventfd(0, EFD_NONBLOCK);
    struct rv_clause clauses[] = {RV_RECV(a, &from_a), RV_SEND(b, &to_b), RV_READY(fd, POLLIN)};
    uint64_t one = 1;
    (void)state;

    assert_int_equal(rv_select(bg, NULL, 0, RV_MILLISECOND), -EAGAIN);
    assert_int_equal(rv_select(bg, clauses, 1, 0), -EAGAIN);
    assert_int_equal(rv_select(bg, clauses, 3, 0), 1);
    assert_int_equal(rv_select(bg, clauses, 3, RV_MILLISECOND), -EAGAIN);
    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(rv_select(bg, clauses, 3, RV_FOREVER), 2);
    assert_int_equal(clauses[2].revents, POLLIN);
    /* Fair: over many turns with two ready clauses each is chosen often. */
    for (int i = 0; i < 1000; i++) {
        int value, r;

        (void)!rv_channel_try_send(a, &i);
        (void)!rv_channel_try_recv(b, &value);
        r = rv_select(bg, clauses, 2, RV_FOREVER);
        assert_true(r == 0 || r == 1);
        counts[r]++;
    }
    assert_true(counts[0] > 300 && counts[1] > 300);
    /* A closed channel is ready. */
    (void)!rv_channel_try_recv(a, &from_a);
    rv_channel_close(a);
    assert_int_equal(rv_select(bg, clauses, 1, RV_FOREVER), 0);
    assert_int_equal(clauses[0].result, -EPIPE);
    assert_int_equal(rv_select(bg, clauses, RV_SELECT_MAX + 1, 0), -EINVAL);
    close(fd);
    rv_channel_unref(a);
    rv_channel_unref(b);
}

/* Producers and consumers, some through select, over one channel: every element arrives once. */
#define ELEMENTS 20000

struct load {
    struct rv_channel *channel;
    struct rv_channel *never;
    int first;
    long long sum;
    bool selecting;
};

static int produce(void *arg)
{
    struct load *load = arg;

    for (int i = load->first; i < ELEMENTS; i += 4) {
        int other;
        struct rv_clause clauses[] = {RV_RECV(load->never, &other), RV_SEND(load->channel, &i)};
        int r = load->selecting ? rv_select(bg, clauses, 2, RV_FOREVER)
                                : rv_channel_send(bg, load->channel, &i);

        if (r < 0 || (load->selecting && (r != 1 || clauses[1].result != 0)))
            return -1;
    }
    return 0;
}

static int consume(void *arg)
{
    struct load *load = arg;

    for (;;) {
        int value, other;
        struct rv_clause clauses[] = {RV_RECV(load->channel, &value), RV_RECV(load->never, &other)};
        int r = load->selecting ? rv_select(bg, clauses, 2, RV_FOREVER)
                                : rv_channel_recv(bg, load->channel, &value);

        if (load->selecting && r == 0)
            r = clauses[0].result;
        if (r == -EPIPE)
            return 0;
        if (r != 0)
            return -1;
        load->sum += value;
    }
}

static void test_every_element_arrives_once(void **state)
{
    static const size_t capacities[] = {0, 1, 64};
    (void)state;

    for (size_t c = 0; c < 3; c++) {
        struct rv_channel *channel = make(capacities[c]), *never = make(0);
        struct load producers[4], consumers[4];
        struct caller p[4], r[4];
        long long sum = 0;

        for (int i = 0; i < 4; i++) {
            producers[i] = (struct load){channel, never, i, 0, i % 2 == 0};
            consumers[i] = (struct load){channel, never, 0, 0, i % 2 == 1};
            caller_start(&p[i], produce, &producers[i]);
            caller_start(&r[i], consume, &consumers[i]);
        }
        for (int i = 0; i < 4; i++)
            assert_int_equal(caller_join(&p[i]), 0);
        rv_channel_close(channel);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(caller_join(&r[i]), 0);
            sum += consumers[i].sum;
        }
        assert_int_equal(sum, (long long)ELEMENTS * (ELEMENTS - 1) / 2);
        rv_channel_unref(channel);
        rv_channel_unref(never);
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
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_rendezvous),
        cmocka_unit_test(test_close_wakes_everybody),
        cmocka_unit_test(test_cancel_while_blocked),
        cmocka_unit_test(test_a_done_context_wins),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_every_element_arrives_once),
    };

    return cmocka_run_group_tests_name("channel", tests, setup, NULL);
}
