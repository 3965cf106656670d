/* SPDX-License-Identifier: MIT */
/* A module whose option reaches past its state. */
#include <reeve/module.h>

struct state {
    bool small;
    char *text;
};

RV_MODULE(.name = "misplaced", .state_size = offsetof(struct state, text) + 1,
          .options = RV_OPTIONS(RV_OPTION_STRING(struct state, text)));
