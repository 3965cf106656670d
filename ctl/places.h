/* SPDX-License-Identifier: MIT */
/* Where the rest of reeve is: installed, or in the build tree that this program lies in. */
#ifndef REEVE_CTL_PLACES_H
#define REEVE_CTL_PLACES_H

#include "settings/config.h"

void places_find_host(char *ret_program, size_t size);

/* The reeved of this program: what a user types to start it. */
void places_find_daemon(char *ret_program, size_t size);

/* As reeved has them. The texts that they point to stay as long as the program runs. */
void places_find(struct config_places *ret_places);

#endif
