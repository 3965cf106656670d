/* SPDX-License-Identifier: MIT */
#include "host/sandbox/sandbox_filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/sandbox/sandbox_internal.h"

unsigned filter_make(unsigned kind, const uint32_t ids[FILTER_IDS],
                     struct sock_filter ret_code[FILTER_CODE])
{
    const struct filter_program *program = &filter_programs[kind];

    assert(kind < FILTER_KINDS && program->count <= FILTER_CODE);
    memcpy(ret_code, program->code, program->count * sizeof(*ret_code));
    for (unsigned i = 0; i < program->place_count; i++) {
        const struct filter_place *place = &program->places[i];
        struct sock_filter *comparison = &ret_code[place->instruction];

        assert(comparison->code == (BPF_JMP | BPF_JEQ | BPF_K));
        assert(comparison->k == FILTER_PLACEHOLDER(place->id));
        comparison->k = ids[place->id];
    }
    return program->count;
}

static unsigned choose_kind(const struct sandbox *sandbox, int landlock_abi)
{
    if (sandbox->check_only)
        return FILTER_CHECK;
    return (sandbox->no_network ? FILTER_NO_NETWORK : 0) |
           (landlock_abi > 0 && landlock_abi < 3 ? FILTER_NO_TRUNCATING : 0);
}

/* It holds for this thread and those that come. */
static int enforce(unsigned kind, const uint32_t ids[FILTER_IDS])
{
    struct sock_filter code[FILTER_CODE];
    struct sock_fprog program = {.len = (unsigned short)filter_make(kind, ids, code),
                                 .filter = code};

    /* seccomp(2) would do the same, but is not among what systemd's @system-service allows our
     * unit. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return -errno;
    return 0;
}

int sandbox_filter_calls(struct sandbox *sandbox, pid_t supervisor, int landlock_abi)
{
    pid_t group = getpgid(supervisor);
    const uint32_t ids[FILTER_IDS] = {
        [FILTER_SUPERVISOR] = (uint32_t)supervisor,
        /* A group from outside of this namespace of processes is 0, and nobody can name it. To most
           calls 0 is the caller. */
        [FILTER_GROUP] = (uint32_t)(group > 0 ? -group : supervisor),
        [FILTER_SELF] = (uint32_t)getpid(),
    };
    int r = enforce(choose_kind(sandbox, landlock_abi), ids);

    return r < 0 ? sandbox_cannot(sandbox, "no system call filter%s: %s",
                                  sandbox->no_network ? ", so network = no" : "", strerror(-r))
                 : 0;
}
