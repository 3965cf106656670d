/* SPDX-License-Identifier: MIT */
#include "tests/daemon/unit/last_runs_fixture.h"

#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/log_record.h"
#include "base/macro.h"

static void note_line(const struct log_record *record, void *arg)
{
    text_append_format(arg, "%s\n", record->text);
}

int last_runs_setup(void **state)
{
    static struct fixture fixture;
    int fd;

    fixture = (struct fixture){0};
    log_set_observer(note_line, &fixture.log);
    strcpy(fixture.folder, "/tmp/reeve-ledger-XXXXXX");
    if (!mkdtemp(fixture.folder) || loop_create(&fixture.loop) < 0 ||
        scoreboard_create("test", &fd, &fixture.board) < 0 || scoreboard_map(fd, &fixture.host) < 0)
        return -1;
    close(fd);
    snprintf(fixture.path, sizeof(fixture.path), "%s/last-runs", fixture.folder);
    snprintf(fixture.old_path, sizeof(fixture.old_path), "%s/last-runs.old", fixture.folder);
    snprintf(fixture.new_path, sizeof(fixture.new_path), "%s/.last-runs.new", fixture.folder);
    snprintf(fixture.damaged_path, sizeof(fixture.damaged_path), "%s/last-runs.damaged",
             fixture.folder);
    *state = &fixture;
    return 0;
}

int last_runs_teardown(void **state)
{
    struct fixture *fixture = *state;

    munmap(fixture->host, sizeof(*fixture->host));
    scoreboard_unmap(fixture->board);
    loop_timer_destroy(fixture->timer);
    loop_destroy(fixture->loop);
    log_set_observer(NULL, NULL);
    text_free(&fixture->log);
    unlink(fixture->damaged_path);
    unlink(fixture->path);
    unlink(fixture->old_path);
    unlink(fixture->new_path);
    rmdir(fixture->new_path);
    return rmdir(fixture->folder);
}

void set_task(struct fixture *fixture, unsigned i, const char *name, int64_t settled, bool kept)
{
    struct scoreboard_task *task = &fixture->host->tasks[i];

    scoreboard_write_begin(task);
    task->head.used = 1;
    task->module = 0;
    task->open_realtime = settled + 1;
    task->kept = kept;
    string_copy(task->name, sizeof(task->name), name);
    scoreboard_write_end(task);
}

struct last_runs *make(struct fixture *fixture)
{
    struct last_runs *last_runs;

    assert_int_equal(last_runs_create(fixture->loop, fixture->folder, &last_runs), 0);
    return last_runs;
}

void append_run(const char *task, const struct last_runs_known *known, void *arg)
{
    text_append_format(arg, "%s=%lld ", task, (long long)known->settled);
}

void expect_runs(const struct last_runs *last_runs, const char *module, const char *expected)
{
    cleanup_text struct text text = {0};

    last_runs_each(last_runs, module, append_run, &text);
    assert_string_equal(text_string(&text), expected);
}

void expect_log(struct fixture *fixture, const char *expected)
{
    if (!strstr(text_string(&fixture->log), expected))
        fail_msg("no \"%s\" in:\n%s", expected, text_string(&fixture->log));
    text_free(&fixture->log);
    fixture->log = (struct text){0};
}

void expect_file(const char *path, const char *expected)
{
    cleanup_free char *data = NULL;
    size_t size;

    assert_int_equal(file_read(path, 4096, &data, &size), 0);
    assert_string_equal(data, expected);
}

void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}
