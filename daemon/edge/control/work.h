/* SPDX-License-Identifier: MIT */
/* Runs and jobs that clients ask for; and who waits for one, in a live upgrade. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_WORK_H
#define REEVE_DAEMON_EDGE_CONTROL_WORK_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/edge/edge_record.h"
#include "daemon/loop/http.h"

void work_serve_run(struct edge *edge, struct http_request *request);
void work_serve_submit(struct edge *edge, struct http_request *request);
/* Whether somebody waits. */
bool work_is_awaited(const struct edge *edge);
json_t *work_save(const struct edge *edge);
bool work_check_state(const json_t *list);
int work_resume(struct edge *edge, const json_t *list);

#endif
