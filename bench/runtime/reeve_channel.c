/* SPDX-License-Identifier: MIT */
/* libreeve: channels and fans. */
#include <pthread.h>
#include <reeve/channel.h>
#include <reeve/fan.h>
#include <stdlib.h>

#include "bench/runtime/reeve.h"

struct side {
    pthread_t thread;
    struct rv_channel *channel, *back;
    uint64_t first, count, sum;
};

static void start(struct side *side, void *(*run)(void *arg))
{
    check(-pthread_create(&side->thread, NULL, run, side), "pthread_create");
}

static void *produce(void *arg)
{
    struct side *side = arg;
    struct rv_context *ctx = rv_context_background();

    for (uint64_t i = side->first; i < side->first + side->count; i++)
        check(rv_channel_send(ctx, side->channel, &i), "rv_channel_send");
    return NULL;
}

static void *consume(void *arg)
{
    struct side *side = arg;
    struct rv_context *ctx = rv_context_background();
    uint64_t value;

    while (rv_channel_recv(ctx, side->channel, &value) == 0)
        side->sum += value;
    return NULL;
}

/* As many senders as receivers; the sum of all elements. */
static uint64_t through_channel(const struct size *size, void *(*send)(void *arg),
                                void *(*receive)(void *arg))
{
    struct side *senders = calloc(size->workers, sizeof(*senders));
    struct side *receivers = calloc(size->workers, sizeof(*receivers));
    uint64_t each = size->count / size->workers, sum = 0;
    struct rv_channel *channel;

    check(rv_channel_create(sizeof(uint64_t), size->capacity, &channel), "rv_channel_create");
    begin();
    for (unsigned i = 0; i < size->workers; i++) {
        receivers[i] = (struct side){.channel = channel};
        senders[i] = (struct side){.channel = channel, .first = i * each, .count = each};
        start(&receivers[i], receive);
        start(&senders[i], send);
    }
    for (unsigned i = 0; i < size->workers; i++)
        pthread_join(senders[i].thread, NULL);
    rv_channel_close(channel);
    for (unsigned i = 0; i < size->workers; i++) {
        pthread_join(receivers[i].thread, NULL);
        sum += receivers[i].sum;
    }
    end();
    rv_channel_unref(channel);
    free(senders);
    free(receivers);
    return sum;
}

/* The same, BATCH at a time. */
#define BATCH 64

static void *produce_many(void *arg)
{
    struct side *side = arg;
    struct rv_context *ctx = rv_context_background();
    uint64_t values[BATCH], last = side->first + side->count;

    for (uint64_t i = side->first; i < last;) {
        size_t count = 0;

        while (count < BATCH && i < last)
            values[count++] = i++;
        check(rv_channel_send_many(ctx, side->channel, values, count, NULL),
              "rv_channel_send_many");
    }
    return NULL;
}

static void *consume_many(void *arg)
{
    struct side *side = arg;
    struct rv_context *ctx = rv_context_background();
    uint64_t values[BATCH];
    size_t count;

    while (rv_channel_recv_many(ctx, side->channel, values, BATCH, &count) == 0)
        for (size_t i = 0; i < count; i++)
            side->sum += values[i];
    return NULL;
}

uint64_t reeve_channel(const struct size *size)
{
    return through_channel(size, produce, consume);
}

uint64_t reeve_channel_many(const struct size *size)
{
    return through_channel(size, produce_many, consume_many);
}

static void *echo(void *arg)
{
    struct side *side = arg;
    struct rv_context *ctx = rv_context_background();
    uint64_t value;

    while (rv_channel_recv(ctx, side->channel, &value) == 0)
        check(rv_channel_send(ctx, side->back, &value), "rv_channel_send");
    return NULL;
}

uint64_t reeve_ping_pong(const struct size *size)
{
    struct rv_context *ctx = rv_context_background();
    struct rv_channel *there, *back;
    struct side side;
    uint64_t sum = 0, value;

    check(rv_channel_create(sizeof(uint64_t), 0, &there), "rv_channel_create");
    check(rv_channel_create(sizeof(uint64_t), 0, &back), "rv_channel_create");
    side = (struct side){.channel = there, .back = back};
    start(&side, echo);
    begin();
    for (uint64_t i = 0; i < size->count; i++) {
        check(rv_channel_send(ctx, there, &i), "rv_channel_send");
        check(rv_channel_recv(ctx, back, &value), "rv_channel_recv");
        sum += value;
    }
    end();
    rv_channel_close(there);
    pthread_join(side.thread, NULL);
    rv_channel_unref(there);
    rv_channel_unref(back);
    return sum;
}

static int triple(struct rv_context *ctx, const void *item, void *result, void *arg)
{
    (void)ctx;
    (void)arg;
    *(uint64_t *)result = *(const uint64_t *)item * 3;
    return 0;
}

struct fan_ends {
    struct rv_channel *in, *out;
    uint64_t count, sum;
};

static void *feed(void *arg)
{
    struct fan_ends *ends = arg;

    for (uint64_t i = 0; i < ends->count; i++)
        check(rv_channel_send(rv_context_background(), ends->in, &i), "rv_channel_send");
    rv_channel_close(ends->in);
    return NULL;
}

static void *collect(void *arg)
{
    struct fan_ends *ends = arg;
    uint64_t value;

    while (rv_channel_recv(rv_context_background(), ends->out, &value) == 0)
        ends->sum += value;
    return NULL;
}

uint64_t reeve_fan(const struct size *size)
{
    struct fan_ends ends = {.count = size->count};
    pthread_t feeder, collector;

    check(rv_channel_create(sizeof(uint64_t), size->capacity, &ends.in), "rv_channel_create");
    check(rv_channel_create(sizeof(uint64_t), size->capacity, &ends.out), "rv_channel_create");
    begin();
    check(-pthread_create(&feeder, NULL, feed, &ends), "pthread_create");
    check(-pthread_create(&collector, NULL, collect, &ends), "pthread_create");
    check(rv_fan_run(rv_context_background(), ends.in, ends.out, size->workers, triple, NULL),
          "rv_fan_run");
    pthread_join(feeder, NULL);
    pthread_join(collector, NULL);
    end();
    rv_channel_unref(ends.in);
    rv_channel_unref(ends.out);
    return ends.sum;
}
