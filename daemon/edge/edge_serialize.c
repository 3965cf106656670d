/* SPDX-License-Identifier: MIT */
/* The edge as one program hands it to the next, in a live upgrade: sockets, and who waits. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/edge/control/log_ring.h"
#include "daemon/edge/control/work.h"
#include "daemon/edge/edge.h"
#include "daemon/edge/socket/inherited.h"
#include "daemon/edge/socket/listen.h"
#include "daemon/edge/socket/sockets.h"
#include "daemon/edge/systemd/systemd.h"
#include "daemon/loop/http_handover.h"

void edge_hold(struct edge *edge)
{
    http_server_hold(edge->http);
    http_server_hold(edge->control);
}

void edge_release(struct edge *edge)
{
    http_server_release(edge->http);
    http_server_release(edge->control);
}

bool edge_is_quiet(const struct edge *edge)
{
    return http_server_is_quiet(edge->http) && http_server_is_quiet(edge->control);
}

void edge_keep_descriptors(struct edge *edge, bool keep)
{
    http_server_keep_descriptors(edge->http, keep);
    http_server_keep_descriptors(edge->control, keep);
}

static void save_socket(int fd, bool listener, void *arg)
{
    json_t *server = arg;

    json_array_append_new(json_object_get(server, listener ? "listeners" : "connections"),
                          json_integer(fd));
}

static json_t *save_server(const struct http_server *server)
{
    json_t *json = json_pack("{s:[], s:[]}", "listeners", "connections");

    if (json)
        http_server_each(server, save_socket, json);
    return json;
}

json_t *edge_save(const struct edge *edge)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:I, s:I, s:o, s:o}", "notify",
                     systemd_save(edge->systemd), "health", save_server(edge->http), "control",
                     save_server(edge->control), "control_is_ours", edge->control_is_ours,
                     "control_device", (json_int_t)edge->control_id.device, "control_inode",
                     (json_int_t)edge->control_id.inode, "waiting", work_save(edge), "log",
                     log_ring_save(edge->log_ring));
}

static bool are_descriptors(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) <= STDERR_FILENO)
            return false;
    return json_is_array(list);
}

static bool is_server(const json_t *server)
{
    return are_descriptors(json_object_get(server, "listeners")) &&
           are_descriptors(json_object_get(server, "connections"));
}

int edge_check_state(const json_t *state, struct serialize_error *error)
{
    if (is_server(json_object_get(state, "health")) &&
        is_server(json_object_get(state, "control")) &&
        work_check_state(json_object_get(state, "waiting")))
        return 0;
    snprintf(error->text, sizeof(error->text), "the sockets, or who waits, cannot be read");
    return -EBADMSG;
}

/* One that cannot be taken over, for want of descriptors say, is closed, which a client of HTTP has
 * to expect: it is no reason to end all others, and the modules. */
static void adopt_connections(struct http_server *server, const json_t *list)
{
    size_t lost = 0;
    int error = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        int r = http_server_adopt(server, (int)json_integer_value(json_array_get(list, i)), NULL);

        lost += r < 0;
        error = r < 0 ? -r : error;
    }
    if (lost > 0)
        log_warning("%zu idle %s could not be taken over: %s", lost,
                    plural(lost, "connection", "connections"), strerror(error));
}

static int adopt_listeners(struct edge *edge, const json_t *state)
{
    const json_t *health = json_object_get(json_object_get(state, "health"), "listeners");
    const json_t *control = json_object_get(json_object_get(state, "control"), "listeners");
    int r = 0;

    for (size_t i = 0; i < json_array_size(health) && r == 0; i++) {
        int fd = (int)json_integer_value(json_array_get(health, i));

        r = fd_set_cloexec(fd, true);
        if (r == 0)
            r = listen_add_address(fd, &edge->addresses);
        if (r == 0)
            r = sockets_serve(edge->http, edge->addresses.items[i], fd);
    }
    for (size_t i = 0; i < json_array_size(control) && r == 0; i++) {
        int fd = (int)json_integer_value(json_array_get(control, i));

        r = fd_set_cloexec(fd, true);
        free(edge->control_path);
        edge->control_path = inherited_path(fd);
        if (r == 0 && !edge->control_path)
            r = -EBADMSG;
        if (r == 0)
            r = sockets_serve(edge->control, edge->control_path, fd);
    }
    edge->control_is_ours = json_is_true(json_object_get(state, "control_is_ours"));
    edge->control_id.device = (dev_t)json_integer_value(json_object_get(state, "control_device"));
    edge->control_id.inode = (ino_t)json_integer_value(json_object_get(state, "control_inode"));
    /* A reeved of before did not say: what is there counts. */
    if (r == 0 && edge->control_is_ours && edge->control_id.inode == 0)
        sockets_note_place(edge);
    return r;
}

int edge_resume(struct edge *edge, const json_t *state)
{
    int r;

    systemd_resume(edge->systemd, json_object_get(state, "notify"));
    log_ring_resume(edge->log_ring, json_object_get(state, "log"));
    adopt_connections(edge->http, json_object_get(json_object_get(state, "health"), "connections"));
    adopt_connections(edge->control,
                      json_object_get(json_object_get(state, "control"), "connections"));
    r = work_resume(edge, json_object_get(state, "waiting"));
    if (r == 0)
        r = adopt_listeners(edge, state);
    if (r == 0)
        edge_release(edge);
    return r;
}
