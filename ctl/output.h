/* SPDX-License-Identifier: MIT */
/* For commands that go on until nobody wants their output any more. */
#ifndef REEVE_CTL_OUTPUT_H
#define REEVE_CTL_OUTPUT_H

#include <stdbool.h>

/*
 * Waits for so many milliseconds. When the reader of standard output goes away meanwhile, the
 * program ends by SIGPIPE, as it would at its next line, which may never come. Returns false when
 * there is no way to write any more.
 */
bool output_wait(int milliseconds);

#endif
