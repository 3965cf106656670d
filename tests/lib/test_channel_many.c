/* SPDX-License-Identifier: MIT */
/* Many elements at a time: nothing is lost, doubled or put out of order, however a call ends. */
#include <reeve/channel.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

static struct rv_channel *make(size_t capacity)
{
    struct rv_channel *channel;

    assert_int_equal(rv_channel_create(sizeof(uint64_t), capacity, &channel), 0);
    return channel;
}

static void test_as_many_as_there_are(void **state)
{
    struct rv_channel *channel = make(5);
    uint64_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
    size_t count = 99;
    (void)state;

    /* From every place of the ring on, so that blocks are broken everywhere. */
    for (int round = 0; round < 20; round++) {
        assert_int_equal(rv_channel_send_many(bg, channel, in, 3, &count), 0);
        assert_int_equal(count, 3);
        assert_int_equal(rv_channel_send_many(bg, channel, in + 3, 2, NULL), 0);
        assert_int_equal(rv_channel_try_send(channel, in), -EAGAIN);
        assert_int_equal(rv_channel_recv_many(bg, channel, out, 4, &count), 0);
        assert_int_equal(count, 4);
        assert_memory_equal(out, in, 4 * sizeof(in[0]));
        assert_int_equal(rv_channel_recv_many(bg, channel, out, 8, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(out[0], 5);
    }
    rv_channel_unref(channel);
}

static void test_none(void **state)
{
    struct rv_channel *channel = make(2);
    struct rv_context *done;
    size_t count = 99;
    uint64_t element;
    (void)state;

    assert_int_equal(rv_channel_send_many(bg, channel, NULL, 0, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(rv_context_with_timeout(bg, 0, &done, NULL), 0);
    count = 99;
    assert_int_equal(rv_channel_send_many(done, channel, NULL, 0, &count), -ETIMEDOUT);
    assert_int_equal(count, 0);
    rv_context_unref(done);
    count = 99;
    assert_int_equal(rv_channel_recv_many(bg, channel, &element, 0, &count), -EINVAL);
    assert_int_equal(count, 0);
    rv_channel_close(channel);
    assert_int_equal(rv_channel_recv_many(bg, channel, &element, 1, &count), -EPIPE);
    assert_int_equal(rv_channel_send_many(bg, channel, &element, 1, &count), -EPIPE);
    assert_int_equal(count, 0);
    rv_channel_unref(channel);
}

/* A sender of more than there is room for, ended in the middle. */
struct sender {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_channel *channel;
    size_t sent;
};

static int send_ten(void *arg)
{
    static const uint64_t elements[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct sender *sender = arg;

    return rv_channel_send_many(sender->ctx, sender->channel, elements, 10, &sender->sent);
}

static void test_the_count_says_what_was_sent(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 12; capacity++)
        for (int how = 0; how < 3; how++) {
            struct sender sender = {.channel = make(capacity)};
            struct caller caller;
            uint64_t element, expected = 0;
            size_t count;
            int r;

            assert_int_equal(rv_context_with_cancel(bg, &sender.ctx, &sender.cancel), 0);
            caller_start(&caller, send_ten, &sender);
            if (capacity < 10)
                caller_wait_blocked(&caller);
            else
                assert_int_equal(caller_join(&caller), 0);
            if (how == 0)
                rv_context_cancel(sender.cancel, -EIO, NULL);
            else if (how == 1)
                rv_channel_close(sender.channel);
            if (capacity < 10 && how < 2) {
                assert_int_equal(caller_join(&caller), how == 0 ? -EIO : -EPIPE);
                assert_int_equal(sender.sent, capacity);
                while (rv_channel_try_recv(sender.channel, &element) == 0)
                    assert_int_equal(element, expected++);
                assert_int_equal(expected, capacity);
            } else {
                uint64_t elements[3];

                for (expected = 0; expected < 10;) {
                    r = rv_channel_recv_many(bg, sender.channel, elements, 3, &count);
                    assert_int_equal(r, 0);
                    assert_in_range(count, 1, 3);
                    for (size_t i = 0; i < count; i++)
                        assert_int_equal(elements[i], expected++);
                }
                if (capacity < 10)
                    assert_int_equal(caller_join(&caller), 0);
                assert_int_equal(sender.sent, 10);
            }
            rv_context_unref(sender.ctx);
            rv_channel_unref(sender.channel);
        }
}

/* Several of each, one at a time and many, with cancels, until all has arrived. */
#define SIDES    3
#define ELEMENTS 20000

struct traffic {
    struct rv_channel *channel;
    _Atomic uint64_t sum;
    _Atomic int disorder;
    _Atomic int number;
};

static int send_all(struct rv_context *ctx, void *arg)
{
    struct traffic *traffic = arg;
    uint64_t me = (uint64_t)atomic_fetch_add(&traffic->number, 1), elements[40];
    size_t done = 0, sent;
    int r = 0;

    while (done < ELEMENTS && (r == 0 || r == -ETIMEDOUT)) {
        size_t count = 1 + (done * 7 + me) % 40;
        struct rv_context *timed;

        count = count < ELEMENTS - done ? count : ELEMENTS - done;
        for (size_t i = 0; i < count; i++)
            elements[i] = me << 32 | (done + i + 1);
        r = rv_context_with_timeout(ctx, 200 * RV_MICROSECOND, &timed, NULL);
        if (r < 0)
            return r;
        r = rv_channel_send_many(timed, traffic->channel, elements, count, &sent);
        done += sent;
        rv_context_unref(timed);
    }
    return done == ELEMENTS ? 0 : r;
}

static int recv_all(struct rv_context *ctx, void *arg)
{
    struct traffic *traffic = arg;
    uint64_t last[SIDES] = {0}, elements[30];
    size_t limit = 0, count;
    int r;

    for (;;) {
        limit = limit % 30 + 1;
        r = limit == 1 ? rv_channel_recv(ctx, traffic->channel, elements)
                       : rv_channel_recv_many(ctx, traffic->channel, elements, limit, &count);
        if (r < 0)
            return r == -EPIPE ? 0 : r;
        if (limit == 1)
            count = 1;
        for (size_t i = 0; i < count; i++) {
            uint64_t from = elements[i] >> 32, number = elements[i] & UINT32_MAX;

            if (from >= SIDES || number <= last[from])
                atomic_store(&traffic->disorder, 1);
            else
                last[from] = number;
            atomic_fetch_add(&traffic->sum, number);
        }
    }
}

static void test_all_arrives_in_order(void **state)
{
    static const size_t capacities[] = {0, 1, 3, 64, 100, 1024};
    (void)state;

    for (size_t i = 0; i < 6; i++)
        for (int round = 0; round < rounds_of(3); round++) {
            struct traffic traffic = {.channel = make(capacities[i])};
            struct rv_group *senders, *receivers;

            assert_int_equal(rv_group_create(bg, &senders), 0);
            assert_int_equal(rv_group_create(bg, &receivers), 0);
            for (int j = 0; j < SIDES; j++) {
                assert_int_equal(rv_group_go(senders, send_all, &traffic), 0);
                assert_int_equal(rv_group_go(receivers, recv_all, &traffic), 0);
            }
            assert_int_equal(rv_group_wait(senders), 0);
            rv_group_destroy(senders);
            rv_channel_close(traffic.channel);
            assert_int_equal(rv_group_wait(receivers), 0);
            rv_group_destroy(receivers);
            assert_int_equal(traffic.disorder, 0);
            assert_int_equal(traffic.sum, SIDES * (uint64_t)ELEMENTS * (ELEMENTS + 1) / 2);
            rv_channel_unref(traffic.channel);
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
        cmocka_unit_test(test_as_many_as_there_are),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_the_count_says_what_was_sent),
        cmocka_unit_test(test_all_arrives_in_order),
    };

    return cmocka_run_group_tests_name("channel many", tests, setup, NULL);
}
