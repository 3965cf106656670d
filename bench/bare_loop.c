/* SPDX-License-Identifier: MIT */
/* The parts that a supervisor cannot do without, and nothing else: a loop of libevent with an HTTP
 * server, and libsystemd. It is the floor for the memory of reeved. Prints a line when it is idle,
 * and ends with its input. */
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <unistd.h>

static void input_ended(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = base ? evhttp_new(base) : NULL;
    struct event *input = base ? event_new(base, STDIN_FILENO, EV_READ, input_ended, base) : NULL;
    char *unit = NULL;

    if (!http || !input || evhttp_bind_socket(http, "127.0.0.1", 0) < 0 ||
        event_add(input, NULL) < 0)
        return 1;
    (void)sd_pid_get_unit(0, &unit);
    free(unit);
    sd_notify(0, "READY=1");
    puts("idle");
    fflush(stdout);
    event_base_dispatch(base);
    event_free(input);
    evhttp_free(http);
    event_base_free(base);
    return 0;
}
