/* SPDX-License-Identifier: MIT */
/* Channels at every small capacity: what blocks, in which order it comes out, and by whom. */
#include <reeve/channel.h>

#include "tests/support/test.h"

#define CAPACITIES 5

static struct rv_context *bg;

static struct rv_channel *make(size_t capacity)
{
    struct rv_channel *channel;

    assert_int_equal(rv_channel_create(sizeof(int), capacity, &channel), 0);
    return channel;
}

struct end {
    struct rv_channel *channel;
    int value, count;
};

static int call_send(void *arg)
{
    struct end *end = arg;

    return rv_channel_send(bg, end->channel, &end->value);
}

static int call_recv(void *arg)
{
    struct end *end = arg;
    int r = rv_channel_recv(bg, end->channel, &end->value);

    return r < 0 ? r : end->value;
}

static int send_count(void *arg)
{
    struct end *end = arg;
    int r = 0;

    for (int i = 0; i < end->count && r == 0; i++)
        r = rv_channel_send(bg, end->channel, &i);
    return r;
}

static void test_full_and_empty_block(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        struct rv_channel *channel = make(capacity);
        struct end end = {.channel = channel, .value = 99};
        struct caller caller;
        int value;

        assert_int_equal(rv_channel_capacity(channel), capacity);
        assert_int_equal(rv_channel_element_size(channel), sizeof(int));
        caller_start(&caller, call_recv, &end);
        caller_wait_blocked(&caller);
        assert_int_equal(rv_channel_try_recv(channel, &value), -EAGAIN);
        value = 1;
        assert_int_equal(rv_channel_send(bg, channel, &value), 0);
        assert_int_equal(caller_join(&caller), 1);
        for (int i = 0; i < (int)capacity; i++) {
            assert_int_equal(rv_channel_length(channel), i);
            assert_int_equal(rv_channel_try_send(channel, &i), 0);
        }
        end.value = 99;
        caller_start(&caller, call_send, &end);
        caller_wait_blocked(&caller);
        assert_int_equal(rv_channel_length(channel), capacity);
        /* A waiting sender comes behind what is buffered; nobody overtakes. */
        assert_int_equal(rv_channel_try_send(channel, &value), -EAGAIN);
        for (int i = 0; i < (int)capacity; i++) {
            assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
            assert_int_equal(value, i);
        }
        assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
        assert_int_equal(value, 99);
        assert_int_equal(caller_join(&caller), 0);
        rv_channel_unref(channel);
    }
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        struct end end = {.channel = make(capacity), .count = 200};
        struct caller caller;

        caller_start(&caller, send_count, &end);
        for (int i = 0; i < end.count; i++) {
            int value = -1;

            assert_int_equal(rv_channel_recv(bg, end.channel, &value), 0);
            assert_int_equal(value, i);
        }
        assert_int_equal(caller_join(&caller), 0);
        rv_channel_unref(end.channel);
    }
}

/* The thread that has waited longest is served first, on either side. */
static void test_waiters_take_their_turns(void **state)
{
    struct end ends[4];
    struct caller callers[4];
    struct rv_channel *channel = make(0);
    int value;
    (void)state;

    for (int i = 0; i < 4; i++) {
        ends[i] = (struct end){.channel = channel, .value = i};
        caller_start(&callers[i], call_send, &ends[i]);
        caller_wait_blocked(&callers[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
        assert_int_equal(value, i);
        assert_int_equal(caller_join(&callers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        caller_start(&callers[i], call_recv, &ends[i]);
        caller_wait_blocked(&callers[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rv_channel_send(bg, channel, &i), 0);
        assert_int_equal(caller_join(&callers[i]), i);
    }
    rv_channel_unref(channel);
}

/* A blocked sender's element is lost to a close, and what was buffered is not. */
static void test_close_keeps_what_is_buffered(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        struct rv_channel *channel = make(capacity);
        struct end end = {.channel = channel, .value = 99};
        struct caller caller;
        int value;

        for (int i = 0; i < (int)capacity; i++)
            assert_int_equal(rv_channel_send(bg, channel, &i), 0);
        caller_start(&caller, call_send, &end);
        caller_wait_blocked(&caller);
        assert_int_equal(rv_channel_close(channel), 0);
        assert_int_equal(caller_join(&caller), -EPIPE);
        for (int i = 0; i < (int)capacity; i++) {
            assert_int_equal(rv_channel_recv(bg, channel, &value), 0);
            assert_int_equal(value, i);
        }
        for (int i = 0; i < 3; i++) {
            value = 55;
            assert_int_equal(rv_channel_recv(bg, channel, &value), -EPIPE);
            assert_int_equal(rv_channel_try_recv(channel, &value), -EPIPE);
            assert_int_equal(rv_channel_try_send(channel, &value), -EPIPE);
            assert_int_equal(value, 55);
        }
        rv_channel_unref(channel);
    }
}

static int try_recv(void *arg)
{
    struct end *end = arg;

    return rv_channel_try_recv(end->channel, &end->value);
}

/* One element is there: of a try and a close, the try must find it. */
static void test_a_try_beside_a_close(void **state)
{
    int rounds = rounds_of(300);
    (void)state;

    for (int round = 0; round < rounds; round++) {
        struct end end = {.channel = make(1)};
        struct caller caller;
        int value = 1, taken;

        assert_int_equal(rv_channel_send(bg, end.channel, &value), 0);
        caller_start(&caller, try_recv, &end);
        rv_channel_close(end.channel);
        taken = rv_channel_recv(bg, end.channel, &value) == 0;
        assert_int_equal(caller_join(&caller), taken ? -EPIPE : 0);
        rv_channel_unref(end.channel);
    }
}

/* A write before a send is seen after its receive: TSan watches. */
struct parcel {
    int plain;
};

static int unpack(void *arg)
{
    struct rv_channel *channel = arg;
    struct parcel *parcel;
    int sum = 0;

    while (rv_channel_recv(bg, channel, &parcel) == 0) {
        sum += parcel->plain;
        free(parcel);
    }
    return sum;
}

static void test_memory_travels_with_elements(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        struct rv_channel *channel;
        struct caller callers[2];

        assert_int_equal(rv_channel_create(sizeof(struct parcel *), capacity, &channel), 0);
        for (int i = 0; i < 2; i++)
            caller_start(&callers[i], unpack, channel);
        for (int i = 0; i < 500; i++) {
            struct parcel *parcel = malloc(sizeof(*parcel));

            assert_non_null(parcel);
            parcel->plain = 1;
            assert_int_equal(rv_channel_send(bg, channel, &parcel), 0);
        }
        rv_channel_close(channel);
        assert_int_equal(caller_join(&callers[0]) + caller_join(&callers[1]), 500);
        rv_channel_unref(channel);
    }
}

static int send_large(void *arg)
{
    unsigned char bytes[4096];

    memset(bytes, 0xa5, sizeof(bytes));
    return rv_channel_send(bg, arg, bytes);
}

static void test_large_and_odd_sizes(void **state)
{
    static const size_t sizes[] = {1, 3, 4096};
    (void)state;

    for (int i = 0; i < 3; i++)
        for (size_t capacity = 0; capacity < 3; capacity++) {
            unsigned char bytes[4096 + 1] = {0};
            struct rv_channel *channel;
            struct caller caller;

            assert_int_equal(rv_channel_create(sizes[i], capacity, &channel), 0);
            caller_start(&caller, send_large, channel);
            assert_int_equal(rv_channel_recv(bg, channel, bytes), 0);
            assert_int_equal(caller_join(&caller), 0);
            for (size_t at = 0; at < sizes[i]; at++)
                assert_int_equal(bytes[at], 0xa5);
            assert_int_equal(bytes[sizes[i]], 0);
            rv_channel_unref(channel);
        }
}

/* Workers between two channels: the second one is closed by who joined them. */
struct stage {
    struct rv_channel *in, *out;
};

static int forward(void *arg)
{
    struct stage *stage = arg;
    int value;

    while (rv_channel_recv(bg, stage->in, &value) == 0)
        if (rv_channel_send(bg, stage->out, &value) != 0)
            return -1;
    return 0;
}

static int feed(void *arg)
{
    struct stage *stage = arg;
    struct caller workers[7];
    int r = 0;

    for (int i = 0; i < 7; i++)
        caller_start(&workers[i], forward, stage);
    for (int i = 0; i < 5000 && r == 0; i++)
        r = rv_channel_send(bg, stage->in, &(int){i % 10});
    rv_channel_close(stage->in);
    for (int i = 0; i < 7; i++)
        r |= caller_join(&workers[i]);
    rv_channel_close(stage->out);
    return r;
}

static void test_many_consumers(void **state)
{
    struct stage stage = {make(21), make(21)};
    struct caller feeder;
    int count = 0, sum = 0, value;
    (void)state;

    caller_start(&feeder, feed, &stage);
    while (rv_channel_recv(bg, stage.out, &value) == 0) {
        count++;
        sum += value;
    }
    assert_int_equal(caller_join(&feeder), 0);
    assert_int_equal(count, 5000);
    assert_int_equal(sum, 5000 / 10 * 45);
    rv_channel_unref(stage.in);
    rv_channel_unref(stage.out);
}

/* Nobody left over -------------------------------------------------------- */

static void send_and_receive(size_t capacity, int senders, int receivers)
{
    struct rv_channel *channel;
    struct end ends[7];
    struct caller callers[7];

    (void)!rv_channel_create(sizeof(int), capacity, &channel);
    for (int i = 0; i < senders + receivers; i++) {
        ends[i] = (struct end){.channel = channel, .value = i};
        caller_start(&callers[i], i < senders ? call_send : call_recv, &ends[i]);
    }
    for (int i = 0; i < senders + receivers; i++)
        assert_true(caller_join(&callers[i]) >= 0);
    assert_int_equal(rv_channel_length(channel), senders - receivers);
    rv_channel_unref(channel);
}

/* Nobody comes for what stays in the buffer in the end: those who sent it must have been let go by
 * those who made room. */
static void test_more_sends_than_receives(void **state)
{
    int rounds = rounds_of(500);
    (void)state;

    for (int round = 0; round < rounds; round++) {
        send_and_receive(1, 2, 1);
        send_and_receive(1, 4, 3);
        send_and_receive(2, 4, 2);
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
        cmocka_unit_test(test_full_and_empty_block),
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_waiters_take_their_turns),
        cmocka_unit_test(test_close_keeps_what_is_buffered),
        cmocka_unit_test(test_a_try_beside_a_close),
        cmocka_unit_test(test_memory_travels_with_elements),
        cmocka_unit_test(test_large_and_odd_sizes),
        cmocka_unit_test(test_many_consumers),
        cmocka_unit_test(test_more_sends_than_receives),
    };

    return cmocka_run_group_tests_name("channel order", tests, setup, NULL);
}
