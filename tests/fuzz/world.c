/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/world.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/loop/loop.h"
#include "tests/fuzz/fuzz.h"

static struct loop *loop;
static struct config *config;
static char folder[256], path[300];

static void write_file(const char *name, const char *text)
{
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    fuzz_check(fd >= 0 && write_all(fd, text, strlen(text)) == 0, "cannot write %s", path);
    close(fd);
}

static void prepare(void)
{
    const char *temporary = getenv("TMPDIR");
    struct config_errors errors = {0};
    struct config_places places = {folder, folder, folder};

    if (loop)
        return;
    /* Removed by run.py, whose directory it lies in. */
    snprintf(folder, sizeof(folder), "%s/world-XXXXXX", temporary ? temporary : "/tmp");
    fuzz_check(mkdtemp(folder), "no directory for the configuration");
    write_file("m.so", "");
    write_file("n.so", "");
    write_file(
        "reeve.ini",
        "[daemon]\nlog-level = error\n[module:a]\nload = m\nhost = both\n[module:b]\nload = n\nhost = both\n"
        "essential = no\n[module:c]\nload = m\n");
    config = config_load(path, &places, &errors);
    fuzz_check(config, "the configuration is bad");
    fuzz_check(loop_create(&loop) == 0, "no loop");
}

static void ignore(enum supervisor_event event _unused_, void *arg _unused_)
{
}

static void fake_host(struct world *world, struct host *host, size_t i)
{
    const struct strings none = {0};
    int sockets[2];

    fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0, "no sockets");
    fuzz_check(host_channel_open(host, sockets[0]) == 0, "no channel");
    fuzz_check(fd_set_nonblock(sockets[1], true) == 0, "it blocks");
    /* As if started with these: a unit joins no process that has other limits. */
    host_set_limits(host, &config->modules[0]->limits, &none);
    host->state = HOST_UP;
    world->hosts[i] = host;
    world->channels[i] = sockets[1];
}

void world_init(struct world *world)
{
    struct supervisor_options options = {.config_path = path,
                                         .host_program = "/nowhere",
                                         .places = {folder, folder, folder},
                                         .observer = ignore};
    struct tenancy *tenancy;
    struct unit *unit;
    size_t i = 0;

    prepare();
    /* Nobody reads what the supervisor has to say of its inputs. A reload sets the level anew. */
    log_set_level((enum log_level)0);
    *world = (struct world){.loop = loop};
    fuzz_check(supervisor_create(loop, &options, config_ref(config), &world->supervisor) == 0,
               "no supervisor");
    world->supervisor->units.phase = PHASE_RUNNING;
    world->supervisor->started_at = clock_monotonic();
    LIST_FOREACH (unit, &world->supervisor->units.list, list) {
        unit->state = UNIT_READY;
        unit->wanted = unit->attached = true;
        unit->starts = 1;
        unit->ready_since = clock_monotonic();
    }
    LIST_FOREACH (tenancy, &world->supervisor->units.tenancies, list)
        fake_host(world, tenancy->host, i++);
    fuzz_check(i == WORLD_HOSTS, "%zu hosts", i);
    world->edge = (struct edge){.loop = loop,
                                .supervisor = world->supervisor,
                                .documents = {.supervisor = world->supervisor}};
}

void world_finish(struct world *world)
{
    for (size_t i = 0; i < WORLD_HOSTS; i++) {
        /* It is not mapped: nobody may unmap it. */
        world->hosts[i]->board = NULL;
        close(world->channels[i]);
    }
    documents_clear(&world->edge.documents);
    supervisor_destroy(world->supervisor);
}
