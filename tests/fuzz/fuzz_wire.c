/* SPDX-License-Identifier: MIT */
/* Packets that a hostile host could send: decoded, encoded again, and decoded once more. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char encoded[WIRE_PACKET_MAX];
    struct wire_message message, again;
    uint8_t *packet;
    int r, length;

    if (size > WIRE_PACKET_MAX)
        return 0;
    /* Memory of exactly its size, so that a read past its end is seen. */
    packet = malloc(size > 0 ? size : 1);
    if (!packet)
        abort();
    if (size > 0)
        memcpy(packet, data, size);
    r = wire_decode(packet, size, &message);
    fuzz_check(r == 0 || r == -EBADMSG, "decoding returns %d", r);
    if (r == 0) {
        fuzz_check(strcmp(wire_type_name(message.type), "?") != 0, "a type without a name");
        length = wire_encode(&message, encoded, sizeof(encoded));
        /* There is one way to write a message, so that even the bytes are the same. */
        fuzz_check(length >= 0 && (size_t)length == size && memcmp(encoded, data, size) == 0,
                   "%s of %zu bytes is encoded in %d", wire_type_name(message.type), size, length);
        fuzz_check(wire_decode(encoded, (size_t)length, &again) == 0, "cannot be decoded again");
        fuzz_check(again.type == message.type && again.size == message.size &&
                       strcmp(again.name, message.name) == 0 &&
                       strcmp(again.text, message.text) == 0,
                   "%s is decoded in two ways", wire_type_name(message.type));
        fuzz_check(size == 0 || wire_encode(&message, encoded, size - 1) == -EMSGSIZE,
                   "%s is encoded in too little room", wire_type_name(message.type));
    }
    free(packet);
    return 0;
}
