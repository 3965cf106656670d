/* SPDX-License-Identifier: MIT */
/* A shared object that is no module. */
extern int plain;
int plain = 1;
