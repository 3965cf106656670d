/* SPDX-License-Identifier: MIT */
/* Messages: what is encoded is decoded, and nothing else is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "wire/message.h"
#include "wire/scoreboard.h"

static unsigned char buffer[WIRE_PACKET_MAX];

static struct wire_message full(enum wire_type type)
{
    return (struct wire_message){
        .type = type,
        .version = 7,
        .scoreboard = 8,
        .module = 3,
        .flags = 1,
        .line = 12,
        .code = -ECANCELED,
        .request = 1ULL << 40,
        .number = 99,
        .drain = 1,
        .grace = 2,
        .timeout = 3,
        .duration = 4,
        .deadline = 5,
        .since = 6,
        .device = 10,
        .inode = 11,
        .mtime = 13,
        .name = "name",
        .path = "/path",
        .key = "key",
        .value = "value",
        .text = "text",
        .data = "da\0ta",
        .size = 5,
    };
}

static void test_round_trip(void **state)
{
    (void)state;
    for (enum wire_type type = WIRE_HELLO; type < WIRE_TYPE_MAX; type++) {
        struct wire_message in = full(type), out;
        unsigned char again[256];
        int size = wire_encode(&in, buffer, sizeof(buffer));

        assert_true(size > 0);
        assert_int_equal(wire_decode(buffer, (size_t)size, &out), 0);
        assert_int_equal(out.type, type);
        /* Equal when encoded again: every field of the schema has arrived. */
        assert_int_equal(wire_encode(&out, again, sizeof(again)), size);
        assert_memory_equal(buffer, again, (size_t)size);
    }
}

/* The known bytes of one version of the wire. A change of a packet or a record raises the version
 * (version.c), and notes here what the failure prints: hosts and daemons of the version before do
 * not understand the new one. */
static void test_a_change_raises_the_version(void **state)
{
    static const struct {
        uint32_t wire, scoreboard;
        uint64_t packets, records;
    } known = {8, 7, UINT64_C(0x754f4c058a2ccbdb), UINT64_C(0xbe6647744bf042a9)};
    const uint64_t records[] = {
        sizeof(struct scoreboard_module), sizeof(struct scoreboard_task),
        sizeof(struct scoreboard_pool),   sizeof(struct scoreboard_thread),
        sizeof(struct scoreboard_stack),  sizeof(struct scoreboard),
    };
    uint64_t packets = HASH_BEGIN;
    (void)state;

    for (enum wire_type type = WIRE_HELLO; type < WIRE_TYPE_MAX; type++) {
        struct wire_message in = full(type);

        packets = hash_add(packets, buffer, (size_t)wire_encode(&in, buffer, sizeof(buffer)));
    }
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        skip();
    assert_int_equal(wire_version, known.wire);
    assert_int_equal(packets, known.packets);
    assert_int_equal(scoreboard_version, known.scoreboard);
    assert_int_equal(hash_add(HASH_BEGIN, records, sizeof(records)), known.records);
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    for (enum wire_type type = WIRE_HELLO; type < WIRE_TYPE_MAX; type++) {
        struct wire_message in = full(type), out;
        int size = wire_encode(&in, buffer, sizeof(buffer));

        for (int cut = 0; cut < size; cut++) {
            /* On the heap, so that a sanitizer sees a read past the end. */
            unsigned char *copy = malloc((size_t)cut + 1);

            memcpy(copy, buffer, (size_t)cut);
            assert_int_equal(wire_decode(copy, (size_t)cut, &out), -EBADMSG);
            free(copy);
        }
        buffer[size] = 0;
        assert_int_equal(wire_decode(buffer, (size_t)size + 1, &out), -EBADMSG);
        for (int small = 0; small < size; small++)
            assert_int_equal(wire_encode(&in, buffer, (size_t)small), -EMSGSIZE);
    }
}

static void test_foreign_packets(void **state)
{
    struct wire_message in = full(WIRE_SUBMIT), out;
    int size = wire_encode(&in, buffer, sizeof(buffer));
    uint32_t bad_type = WIRE_TYPE_MAX, huge = UINT32_MAX;
    (void)state;

    /* A length of data beyond the packet. */
    memcpy(buffer + size - 5 - 4, &huge, sizeof(huge));
    assert_int_equal(wire_decode(buffer, (size_t)size, &out), -EBADMSG);
    memcpy(buffer + 4, &bad_type, sizeof(bad_type));
    assert_int_equal(wire_decode(buffer, (size_t)size, &out), -EBADMSG);
    bad_type = 0;
    memcpy(buffer + 4, &bad_type, sizeof(bad_type));
    assert_int_equal(wire_decode(buffer, (size_t)size, &out), -EBADMSG);
    buffer[0] ^= 1;
    assert_int_equal(wire_decode(buffer, (size_t)size, &out), -EBADMSG);
    in.size = WIRE_JOB_DATA_MAX + 1;
    assert_int_equal(wire_encode(&in, buffer, sizeof(buffer)), -EMSGSIZE);
}

static void test_random_packets(void **state)
{
    unsigned seed = 4711;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        struct wire_message in = full(WIRE_HELLO + (unsigned)rand_r(&seed) % (WIRE_TYPE_MAX - 1)),
                            out;
        int size = wire_encode(&in, buffer, sizeof(buffer));

        for (int flips = rand_r(&seed) % 4; flips >= 0; flips--)
            buffer[8 + rand_r(&seed) % (size - 8)] = (unsigned char)rand_r(&seed);
        /* Parsed or refused, all that it points to lies within the packet. */
        if (wire_decode(buffer, (size_t)size, &out) == 0) {
            assert_true(strlen(out.name) < (size_t)size);
            assert_true(out.size <= (size_t)size);
        }
    }
}

static void test_sockets(void **state)
{
    int sockets[2], attached[2], r;
    struct wire_message in = full(WIRE_SUBMIT), out;
    static unsigned char data[WIRE_JOB_DATA_MAX];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec vector = {(void *)(uintptr_t)"x", 1};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct cmsghdr *cmsg;
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets),
                     0);
    assert_int_equal(wire_receive(sockets[0], buffer, &out), -EAGAIN);
    /* The largest job arrives in one piece. */
    memset(data, 7, sizeof(data));
    in.data = data;
    in.size = sizeof(data);
    assert_int_equal(wire_send(sockets[1], &in), 0);
    assert_int_equal(wire_receive(sockets[0], buffer, &out), 1);
    assert_int_equal(out.size, sizeof(data));
    assert_memory_equal(out.data, data, sizeof(data));
    /* A descriptor that a peer attaches does not stay open here. */
    assert_int_equal(pipe(attached), 0);
    cmsg = CMSG_FIRSTHDR(&header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &attached[1], sizeof(int));
    assert_int_equal(sendmsg(sockets[1], &header, 0), 1);
    close(attached[1]);
    assert_int_equal(wire_receive(sockets[0], buffer, &out), -EBADMSG);
    assert_int_equal(read(attached[0], buffer, 1), 0);
    close(attached[0]);
    /* Too large a packet is no message. */
    r = (int)send(sockets[1], (unsigned char[WIRE_PACKET_MAX + 1]){0}, WIRE_PACKET_MAX + 1, 0);
    assert_int_equal(r, WIRE_PACKET_MAX + 1);
    assert_int_equal(wire_receive(sockets[0], buffer, &out), -EBADMSG);
    /* A peer that does not read fills up, and one that is gone ends. */
    while ((r = wire_send(sockets[1], &in)) == 0)
        ;
    assert_int_equal(r, -EAGAIN);
    close(sockets[1]);
    while ((r = wire_receive(sockets[0], buffer, &out)) == 1)
        ;
    assert_int_equal(r, 0);
    close(sockets[0]);
}

/* The bytes of STOP and EXIT never change: a supervisor of any version must be able to tell them to
 * a host of any other. (Here those of a little-endian machine.) */
static void test_what_every_version_understands(void **state)
{
    static const char stop[] = "EWVR\x09\0\0\0"                   /* magic, type */
                               "\3\0\0\0\1\0\0\0"                 /* module, flags */
                               "\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0" /* drain, stall */
                               "\2\0\0\0\0\0\0\0text";            /* grace, cause */
    static const char end[] = "EWVR\x0c\0\0\0text";
    struct wire_message message = full(WIRE_STOP);

    (void)state;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        skip();
    assert_int_equal(wire_encode(&message, buffer, sizeof(buffer)), sizeof(stop));
    assert_memory_equal(buffer, stop, sizeof(stop));
    message = full(WIRE_EXIT);
    assert_int_equal(wire_encode(&message, buffer, sizeof(buffer)), sizeof(end));
    assert_memory_equal(buffer, end, sizeof(end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_every_version_understands),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_a_change_raises_the_version),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_foreign_packets),
        cmocka_unit_test(test_random_packets),
        cmocka_unit_test(test_sockets),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
