/* SPDX-License-Identifier: MIT */
/*
 * A supervisor for fuzz targets, without processes: three modules that are ready, a and b in the
 * host "both" and c in its own, whose hosts are sockets that the target reads and writes, and whose
 * scoreboards are memory of the target's.
 */
#ifndef REEVE_TESTS_FUZZ_WORLD_H
#define REEVE_TESTS_FUZZ_WORLD_H

#include "daemon/control/supervisor_internal.h"
#include "daemon/edge/control/control.h"
#include "daemon/edge/edge_record.h"
#include "daemon/edge/probes.h"
#include "daemon/process/host_internal.h"
#include "daemon/unit/tenancy.h"

#define WORLD_HOSTS 2

struct world {
    struct loop *loop;
    struct supervisor *supervisor;
    struct edge edge;
    struct host *hosts[WORLD_HOSTS];
    int channels[WORLD_HOSTS]; /* the hosts' ends */
};

/* The parts that do not change are made by the first and live as long as the process. */
void world_init(struct world *world);
void world_finish(struct world *world);

#endif
