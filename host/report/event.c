/* SPDX-License-Identifier: MIT */
#include "host/report/event.h"

static void (*event_sink)(const struct wire_message *event);

void event_set_sink(void (*sink)(const struct wire_message *event))
{
    event_sink = sink;
}

void event_send(const struct wire_message *event)
{
    event_sink(event);
}
