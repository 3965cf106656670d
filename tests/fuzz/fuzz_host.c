/* SPDX-License-Identifier: MIT */
/*
 * A hostile host talks to the supervisor, through its socket: packets of any kind, in any
 * state of its modules. The input is a list of
 *
 *     what to do, number of bytes (2), bytes
 *
 * where the lowest bit chooses the host and the others a packet that is sent as it is, one that is
 * given a good beginning, or something that an operator does meanwhile. Nothing may crash, and the
 * supervisor must still be able to tell how things stand, and to stop.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/snapshot_take.h"
#include "daemon/edge/control/status.h"
#include "daemon/loop/loop.h"
#include "tests/fuzz/world.h"

/* More steps tell nothing new, and take long. */
#define STEPS_MAX 64

static void packet(struct world *world, size_t i, uint8_t *bytes, size_t size, bool good)
{
    /* As WIRE_MAGIC, in this machine's byte order. */
    static const uint8_t magic[] = {0x45, 0x57, 0x56, 0x52};

    if (good && size >= 8) {
        memcpy(bytes, magic, sizeof(magic));
        bytes[4] = (uint8_t)(bytes[4] % (WIRE_TYPE_MAX + 1));
        bytes[5] = bytes[6] = bytes[7] = 0;
    }
    send(world->channels[i], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void act(struct world *world, uint8_t what)
{
    struct cause cause = {.code = -ECANCELED, .text = "the fuzzer"};
    struct unit_input input = {.cause = &cause};
    struct unit *unit = supervisor_find(world->supervisor, what & 1 ? "c" : "a");

    unit->wanted = what & 2;
    unit_handle(unit, (enum unit_event)((what & 63) >> 2), &input);
}

static bool event_needs_more(uint8_t what)
{
    /* These come with a message or an end, from a host only. */
    switch ((enum unit_event)((what & 63) >> 2)) {
    case UNIT_EVENT_START:
    case UNIT_EVENT_STOP:
    case UNIT_EVENT_RELOAD:
    case UNIT_EVENT_TIMEOUT:
        return false;
    default:
        return true;
    }
}

static void stop(void *arg)
{
    loop_stop(arg);
}

/* Until all that is due has been done: a few turns, since one thing leads to another. */
static void run_loop(struct world *world)
{
    struct loop_timer *timer;

    fuzz_check(loop_timer_create(world->loop, stop, world->loop, &timer) == 0, "no timer");
    for (int turn = 0; turn < 3; turn++) {
        loop_timer_arm(timer, 0);
        loop_run(world->loop);
    }
    loop_timer_destroy(timer);
}

static void swallow(struct world *world)
{
    static unsigned char buffer[WIRE_PACKET_MAX];

    for (size_t i = 0; i < WORLD_HOSTS; i++)
        while (recv(world->channels[i], buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
            ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[WIRE_PACKET_MAX];
    struct edge edge = {0};
    struct world world;
    struct snapshot *snapshot;
    json_t *json;

    world_init(&world);
    for (int step = 0; step < STEPS_MAX && size > 0; step++) {
        uint16_t length;
        uint8_t what;

        fuzz_take(&data, &size, &what, sizeof(what));
        if (what >= 192 && !event_needs_more(what)) {
            act(&world, what);
        } else {
            fuzz_take(&data, &size, &length, sizeof(length));
            length = (uint16_t)MIN((size_t)length, size);
            fuzz_take(&data, &size, bytes, length);
            packet(&world, what & 1, bytes, length, what & 2);
        }
        run_loop(&world);
        swallow(&world);
    }
    fuzz_check(snapshot_take(world.supervisor, &snapshot) == 0, "no snapshot");
    json = status_json(&edge, snapshot);
    fuzz_check(json, "the status cannot be told");
    json_decref(json);
    snapshot_free(snapshot);
    world_finish(&world);
    return 0;
}
