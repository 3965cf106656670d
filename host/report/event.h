/* SPDX-License-Identifier: MIT */
/* Events of modules, told to the supervisor, or to the terminal. */
#ifndef REEVE_HOST_REPORT_EVENT_H
#define REEVE_HOST_REPORT_EVENT_H

#include "wire/message.h"

/* Where events go; set before there is a module. */
void event_set_sink(void (*sink)(const struct wire_message *event));

/* Any thread. */
void event_send(const struct wire_message *event);

#endif
