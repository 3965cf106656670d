/* SPDX-License-Identifier: MIT */
/* An option with the name of a key of reeve's own. */
#include <reeve/module.h>

struct state {
    int64_t drain_stall;
};

RV_MODULE(.name = "reserved", .state_size = sizeof(struct state),
          .options = RV_OPTIONS(RV_OPTION_DURATION(struct state, drain_stall)));
