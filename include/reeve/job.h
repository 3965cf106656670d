/* SPDX-License-Identifier: MIT */
/* A job as a module's pool is given it. */
#ifndef REEVE_JOB_H
#define REEVE_JOB_H

#include <stddef.h>
#include <stdint.h>

#include <reeve/duration.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest data of a job; what is larger belongs into a file that the job names. */
#define RV_JOB_DATA_MAX (64 * 1024)

/* Belongs to the host, and is valid until the pool's function returns. */
struct rv_job {
    uint64_t id;       /* counted by the pool from 1 */
    unsigned attempt;  /* from 1 */
    unsigned attempts; /* how many there are at most: none follows attempt == attempts */
    rv_time deadline;  /* RV_NEVER for none */
    const void *data;  /* a copy of what was submitted; followed by a 0 that size does not count */
    size_t size;
    int own; /* the module has submitted it (rv_submit()), and nobody from outside */
};

#ifdef __cplusplus
}
#endif

#endif
