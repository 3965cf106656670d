/* SPDX-License-Identifier: MIT */
/* The file of last runs: whatever is in it, what was taken from it is written so that it is read as
 * the same again. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/last_runs.h"

/* There is no power cut here, and a disk would take most of the time. */
int fdatasync(int fd _unused_)
{
    return 0;
}

int fsync(int fd _unused_)
{
    return 0;
}

static struct loop *loop;
static char folder[256], path[300];

static void prepare(void)
{
    const char *temporary = getenv("TMPDIR");

    if (loop)
        return;
    log_set_level((enum log_level)0);
    snprintf(folder, sizeof(folder), "%s/ledger-XXXXXX", temporary ? temporary : "/tmp");
    fuzz_check(mkdtemp(folder), "no directory");
    snprintf(path, sizeof(path), "%s/last-runs", folder);
    fuzz_check(loop_create(&loop) == 0, "no loop");
}

static void add(const char *task, const struct last_runs_known *known, void *arg)
{
    char *line = format_new("%s %lld", task, (long long)known->settled);

    fuzz_check(known->settled > 0, "no time");
    fuzz_check(line && strings_take(arg, line) == 0, "no memory");
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In an order of our own: theirs means nothing. */
static struct strings read_all(struct last_runs *last_runs)
{
    struct strings all = {0};

    last_runs_each(last_runs, "web", add, &all);
    last_runs_each(last_runs, "m", add, &all);
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(*all.items), compare);
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scoreboard board;
    struct last_runs *last_runs;
    struct strings before, after;
    int fd;

    prepare();
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0 && write_all(fd, data, size) == 0, "cannot write %s", path);
    close(fd);
    fuzz_check(last_runs_create(loop, folder, &last_runs) == 0, "no ledger");
    /* Something changes, so that it is written. */
    board.tasks[0].head.used = 1;
    board.tasks[0].kept = 1;
    board.tasks[0].open_realtime++;
    strcpy(board.tasks[0].name, "t");
    last_runs_read_board(last_runs, "m", &board, 0);
    before = read_all(last_runs);
    last_runs_destroy(last_runs);
    fuzz_check(last_runs_create(loop, folder, &last_runs) == 0, "no ledger");
    after = read_all(last_runs);
    fuzz_check(strings_equal(&before, &after), "written as something else");
    last_runs_destroy(last_runs);
    strings_free(&before);
    strings_free(&after);
    return 0;
}
