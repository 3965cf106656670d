/* SPDX-License-Identifier: MIT */
#include "daemon/upgrade/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "daemon/control/supervisor.h"
#include "daemon/control/supervisor_serialize.h"
#include "daemon/edge/edge.h"
#include "daemon/upgrade/config_serialize.h"
#include "daemon/upgrade/log_serialize.h"
#include "wire/message.h"

/* Raised when a reader that goes by names would misread it all the same. */
#define FORMAT 1

static json_t *collect(struct supervisor *supervisor, struct edge *edge, uint32_t scoreboard,
                       int lock)
{
    json_t *json =
        json_pack("{s:i, s:i, s:s, s:o, s:o, s:o}", "lock", lock, "format", FORMAT, "version",
                  REEVE_VERSION, "config", config_save(supervisor_config(supervisor)), "supervisor",
                  supervisor_save(supervisor, scoreboard), "edge", edge_save(edge));

    /* Last, as the others log. */
    if (json && json_object_set_new(json, "log", log_state_save()) < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* In one piece: json_dumpfd() would make a system call for each token. */
static int write_json(const json_t *json, int fd)
{
    char *text = json_dumps(json, JSON_COMPACT);
    int r = text ? write_all(fd, text, strlen(text)) : -ENOMEM;

    free(text);
    return r;
}

/* For jansson, which would read each byte with a system call of its own. */
static size_t read_piece(void *buffer, size_t size, void *fd)
{
    ssize_t n = read(*(int *)fd, buffer, size);

    return n < 0 ? (size_t)-1 : (size_t)n;
}

int handover_write(struct supervisor *supervisor, struct edge *edge, uint32_t scoreboard, int lock)
{
    cleanup_close int fd = memfd_create("reeve-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    json_t *json;
    int r;

    if (fd < 0)
        return -errno;
    json = collect(supervisor, edge, scoreboard, lock);
    if (!json)
        return -ENOMEM;
    r = write_json(json, fd);
    json_decref(json);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    return TAKE_FD(fd);
}

json_t *handover_read(int fd, const struct places *places, struct config **ret_config,
                      struct serialize_error *error)
{
    json_error_t problem;
    json_t *json = json_load_callback(read_piece, &fd, 0, &problem);
    json_int_t format = json_integer_value(json_object_get(json, "format"));

    if (!json)
        snprintf(error->text, sizeof(error->text), "the state is no JSON: %s", problem.text);
    else if (format != FORMAT)
        snprintf(error->text, sizeof(error->text), "the state has format %lld, not %d",
                 (long long)format, FORMAT);
    else
        *ret_config = config_restore(json_object_get(json, "config"), &places->config, error);
    if (json && format == FORMAT && *ret_config)
        return json;
    json_decref(json);
    return NULL;
}

int handover_check(int fd, const struct places *places)
{
    struct serialize_error error = {0};
    cleanup_config struct config *config = NULL;
    json_t *json = handover_read(fd, places, &config, &error);
    int r = -EBADMSG;

    if (json)
        r = supervisor_check_state(json_object_get(json, "supervisor"), config, &error);
    if (json && r == 0)
        r = edge_check_state(json_object_get(json, "edge"), &error);
    json_decref(json);
    if (r < 0) {
        fprintf(stderr, "%s\n", error.text[0] ? error.text : strerror(-r));
        return 1;
    }
    printf("{\"version\": \"%s\", \"wire\": %u, \"scoreboard\": %u}\n", REEVE_VERSION, wire_version,
           scoreboard_version);
    return fflush(stdout) == 0 ? 0 : 1;
}

int handover_read_answer(const char *text, struct handover_answer *ret_answer)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *version;
    int wire, scoreboard;
    int r = json_unpack(json, "{s:s, s:i, s:i}", "version", &version, "wire", &wire, "scoreboard",
                        &scoreboard);

    if (r == 0) {
        string_copy(ret_answer->version, sizeof(ret_answer->version), version);
        text_sanitise(ret_answer->version);
        ret_answer->wire = (uint32_t)wire;
        ret_answer->scoreboard = (uint32_t)scoreboard;
    }
    json_decref(json);
    return r < 0 ? -EBADMSG : 0;
}
