/* SPDX-License-Identifier: MIT */
#include "lib/command_output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

/* "\n[... 18446744073709551615 bytes left out ...]\n" and some. */
#define MARK_SIZE 64

int command_output_begin(struct command_output *output, size_t most)
{
    *output = (struct command_output){.most = most, .tail = most / 2, .text = strdup("")};
    return output->text ? 0 : -ENOMEM;
}

/* Returns how much of it found room. */
static size_t append(struct command_output *output, const char *bytes, size_t size)
{
    size_t taken = MIN(size, output->most - output->size);
    /* The mark has its room before anything is left out. */
    size_t room =
        output->size + taken == output->most ? output->most + MARK_SIZE : output->size + taken;
    char *larger = taken > 0 ? realloc(output->text, room + 1) : NULL;

    if (taken == 0)
        return 0;
    if (!larger) {
        output->out_of_memory = true;
        return 0;
    }
    memcpy(larger + output->size, bytes, taken);
    output->text = larger;
    output->size += taken;
    larger[output->size] = '\0';
    output->next = output->tail;
    return taken;
}

static void overwrite(struct command_output *output, const char *bytes, size_t size)
{
    size_t ring = output->most - output->tail;

    output->left_out += size;
    /* Of more than the ring holds only the end stays. */
    if (size > ring) {
        bytes += size - ring;
        size = ring;
    }
    while (size > 0) {
        size_t part = MIN(size, output->most - output->next);

        memcpy(output->text + output->next, bytes, part);
        bytes += part;
        size -= part;
        output->next += part;
        if (output->next == output->most)
            output->next = output->tail;
    }
}

void command_output_add(struct command_output *output, const char *bytes, size_t size)
{
    size_t taken = output->out_of_memory ? 0 : append(output, bytes, size);

    if (!output->out_of_memory && taken < size)
        overwrite(output, bytes + taken, size - taken);
}

static void reverse(char *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        char byte = bytes[i];

        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

/* The ring's oldest byte first: a rotation by three reversals, which needs no memory. */
static void straighten(struct command_output *output)
{
    char *ring = output->text + output->tail;
    size_t size = output->most - output->tail, oldest = output->next - output->tail;

    reverse(ring, oldest);
    reverse(ring + oldest, size - oldest);
    reverse(ring, size);
}

char *command_output_take(struct command_output *output, size_t *ret_size)
{
    char mark[MARK_SIZE];
    size_t length;

    if (output->left_out > 0) {
        straighten(output);
        length = (size_t)snprintf(mark, sizeof(mark), "\n[... %" PRIu64 " bytes left out ...]\n",
                                  output->left_out);
        memmove(output->text + output->tail + length, output->text + output->tail,
                output->most - output->tail);
        memcpy(output->text + output->tail, mark, length);
        output->size = output->most + length;
        output->text[output->size] = '\0';
    }
    *ret_size = output->size;
    return TAKE_PTR(output->text);
}

void command_output_free(struct command_output *output)
{
    free(output->text);
    output->text = NULL;
}
