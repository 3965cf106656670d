/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef REEVE_EDGE_EDGE_INTERNAL_H
#define REEVE_EDGE_EDGE_INTERNAL_H

#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/control/snapshot.h"
#include "daemon/edge/edge.h"
#include "daemon/loop/http.h"

struct exposition;
struct log_ring;
struct systemd;

#define EDGE_JSON_TYPE "application/json"

/* What is written once for a snapshot; see document.c. */
enum document {
    DOCUMENT_HEALTH,
    DOCUMENT_METRICS,
    DOCUMENT_OPEN_METRICS,
    DOCUMENT_PAGE,
    DOCUMENT_COUNT
};

struct edge {
    struct loop *loop;
    struct supervisor *supervisor;
    struct http_server *http;    /* health and metrics, over TCP */
    struct http_server *control; /* everything, over a unix socket */
    char *control_path;
    bool control_is_lost; /* it is not at its path, and that was said */
    bool control_is_ours; /* else systemd made it, and takes it away */
    struct {
        dev_t device;
        ino_t inode;
    } control_id; /* of the socket at control_path, when it is ours: it alone is removed at the end */
    struct loop_timer *control_timer; /* looks whether it is there */
    struct snapshot *snapshot;        /* the last one taken; look at it through edge_snapshot() */
    struct text documents[DOCUMENT_COUNT]; /* of that snapshot; empty until somebody asks */
    struct systemd *systemd;
    struct log_ring *log_ring;
    struct refusals *refusals;
    struct strings addresses; /* where HTTP really listens */
    void (*upgrade)(edge_upgrade_fn done, void *done_arg, void *arg);
    void *upgrade_arg;
    bool upgrading;
    char upgrade_error[512]; /* why the last one did not happen; "" otherwise */
    unsigned draining;       /* servers that have not finished their drain */
    void (*drained)(void *arg);
    void *drained_arg;
};

/* A snapshot that is fresh enough to be shown; the old one when there is no memory; NULL only when
 * there never was any. Valid until the next call. */
const struct snapshot *edge_snapshot(struct edge *edge);

/* http.c: serves /livez, /readyz, /startupz, /health, /metrics and the page. Returns false for another path. */
bool edge_serve_public(struct edge *edge, struct http_request *request);
void edge_http_handler(struct http_request *request, void *arg);

/* peers.c: who is at the other end of the control socket, and what the settings let them do. Answers
 * 403 and returns false when it is not enough. */
bool peer_may(struct edge *edge, struct http_request *request, bool change);
/* refusals.c: says in the log whom peer_may() has refused, within bounds. what: "may not look", one string for each kind. */
struct refusals;
int refusals_create(struct loop *loop, struct refusals **ret_refusals);
void refusals_destroy(struct refusals *refusals);
void refusals_note(struct refusals *refusals, uid_t uid, pid_t pid, const char *what);
/* "pid 12 uid 0", for the log and for the tasks that are cancelled. Returns buffer. */
char *peer_describe(struct http_request *request, char *buffer, size_t size);
/* The mode of the socket: open to all, who are then asked who they are, when the settings name anybody. */
mode_t peer_socket_mode(const struct config *config);

/* control.c */
void edge_control_handler(struct http_request *request, void *arg);

/* The module that ?module= names; answers and returns NULL when there is none. */
struct unit *edge_find_unit(struct edge *edge, struct http_request *request);

/* work.c: runs and jobs; and who waits for one, in a live upgrade. */
void work_serve_run(struct edge *edge, struct http_request *request);
void work_serve_submit(struct edge *edge, struct http_request *request);
json_t *work_save(const struct edge *edge);
bool work_check_state(const json_t *list);
int work_resume(struct edge *edge, const json_t *list);

/* tree.c: answers with the live context tree, once the hosts have. */
void tree_serve(struct edge *edge, struct http_request *request);

/* What a path takes in its query, ended by a NULL. */
#define EDGE_PARAMETERS 5
/* Whether the query has a parameter that the path does not take: it would be passed over in silence, and the answer be to
 * another question. If so, says which, and what the path takes. */
bool edge_find_foreign(struct http_request *request, const char *path,
                       const char *const parameters[EDGE_PARAMETERS], char *ret_text, size_t size);
/* The error of a request that gives no module its name, at all paths. */
#define EDGE_NO_MODULE "no module is named"

/* Answers with one line of text. */
void edge_respond_text(struct http_request *request, int status, const char *format, ...)
    printf_like(3, 4);
/* The control socket's {"error": TEXT, "code": ERRNO NAME}; code is a negative errno. */
void edge_respond_error(struct http_request *request, int status, int code, const char *format, ...)
    printf_like(4, 5);
/* Answers with JSON; takes over the value. NULL, for want of memory, answers 503. */
void edge_respond_json(struct http_request *request, int status, const char *type, json_t *json);

/* document.c: answers with a document of the present snapshot. */
void edge_respond_document(struct edge *edge, struct http_request *request, int status,
                           enum document document);
void edge_forget_documents(struct edge *edge);

/* page.c: the page for people, and what it shows. */
void page_serve(struct http_request *request);
json_t *page_json(const struct snapshot *snapshot);

/* health.c: appends the application/health+json document, of all modules or of one of the snapshot's. */
void health_write(const struct snapshot *snapshot, const struct snapshot_module *only,
                  struct text *text);
/* status.c: nanoseconds as the seconds of our JSON. */
json_t *edge_seconds(int64_t ns);
/* What everybody may see of a text: its first line. */
json_t *edge_public(const char *text);
/* status.c: everything that a snapshot knows, for reevectl. */
json_t *status_json(const struct edge *edge, const struct snapshot *snapshot);
/* metrics_bill.c: what hosts and the supervisor take. */
void metrics_write_bill(const struct exposition *exposition, const struct snapshot *snapshot);
/* metrics.c: appends the exposition; open_metrics chooses between the two text formats. */
void metrics_write(const struct snapshot *snapshot, size_t connections, bool open_metrics,
                   struct text *text);

/* listen.c: all return a listening, non-blocking socket or a negative errno, after logging why. */
int listen_tcp(const char *address, struct strings *bound);
int listen_unix(const char *path, mode_t mode);
/* The same without a word. */
int listen_unix_quietly(const char *path, mode_t mode);
/* Adds where a TCP socket listens. Returns 0 or a negative errno. */
int listen_add_address(int fd, struct strings *addresses);

/* sockets.c: listens where the configuration or systemd says, and logs where. Returns 0 or a negative
 * errno. */
int sockets_bind(struct edge *edge, const struct config *config);
/* Accepts from a listening socket, which is taken over; failure is logged. */
int sockets_serve(struct http_server *server, const char *address, int fd);
/* Who may use the control socket may have changed; who is connected is asked anew with each request. */
void sockets_set_mode(const struct edge *edge, const struct config *config);
/* Whether the control socket is where it should be, with the mode that it should have: else it is made anew.
 * Called after each reload, and every minute. */
void sockets_look(struct edge *edge);
/* What is at control_path now is ours. Returns 0 or a negative errno. */
int sockets_note_place(struct edge *edge);
/* Takes away the control socket, if what is there is still ours. */
void sockets_remove(struct edge *edge);
/* Begins to look every minute. Returns 0 or -ENOMEM. */
int sockets_watch(struct edge *edge);

/* inherited.c: the sockets that systemd passes, once in a process's life. */
enum { INHERITED_MAX = 32 };
struct inherited {
    size_t health_count;
    int health[INHERITED_MAX];
    int control; /* -1: none */
    char *control_path;
};
/* Takes them; what is not of use is an error, which is logged. Returns 0 or a negative errno. */
int inherited_take(struct inherited *ret_inherited);
/* A descriptor of a listening unix socket; its path, allocated. */
char *inherited_path(int fd);

/* How long requests under way may take when all else has stopped. */
#define EDGE_DRAIN_TIMEOUT (30 * NSEC_PER_SEC)

/* status_line.c: what `systemctl status` says. */
void status_line(const struct snapshot *snapshot, char *ret_line, size_t size);

/* systemd.c */
int systemd_create(struct edge *edge, bool successor, struct systemd **ret_systemd);
void systemd_destroy(struct systemd *systemd);
/* What it has not taken yet. NULL: no memory. */
json_t *systemd_save(const struct systemd *systemd);
void systemd_resume(struct systemd *systemd, const json_t *state);
/* The name of the unit that this is; null outside of any. */
json_t *systemd_unit_json(void);
void systemd_observe(struct systemd *systemd, enum supervisor_event event);

#endif
