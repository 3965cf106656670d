/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <poll.h>
#include <reeve/command.h>
#include <reeve/error.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/macro.h"
#include "tests/support/test.h"

static struct rv_context *bg;

static int run(const char *script, const struct rv_command_options *options,
               struct rv_command_result *result)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

    return rv_command_run(bg, argv, options, result);
}

static void test_command(void **state)
{
    struct rv_command_options options = {.size = sizeof(options), .grace = 5 * RV_SECOND};
    struct rv_command_result result;
    char *const nothing[] = {(char *)"/nonexistent/program", NULL};
    (void)state;

    assert_int_equal(run("echo out; echo err >&2", &options, &result), 0);
    assert_string_equal(result.output, "out\nerr\n");
    free(result.output);
    assert_int_equal(run("exit 3", NULL, &result), -ECHILD);
    assert_int_equal(result.exit_code, 3);
    assert_non_null(strstr(rv_error_text(-ECHILD), "sh: exit code 3"));
    free(result.output);
    assert_int_equal(run("kill -SEGV $$", NULL, &result), -ECHILD);
    assert_int_equal(result.signal, SIGSEGV);
    assert_non_null(strstr(rv_error_text(-ECHILD), "killed by SIGSEGV"));
    free(result.output);
    options.input = "hello";
    options.input_size = 5;
    assert_int_equal(run("cat", &options, &result), 0);
    assert_string_equal(result.output, "hello");
    free(result.output);
    options.output_max = 10;
    assert_int_equal(run("yes | head -c 1000000", &options, &result), 0);
    assert_string_equal(result.output, "y\ny\ny\n[... 999990 bytes left out ...]\n\ny\ny\n");
    assert_int_equal(result.output_size, strlen(result.output));
    assert_true(result.truncated);
    free(result.output);
    assert_int_equal(rv_command_run(bg, nothing, NULL, &result), -ENOENT);
    assert_null(result.output);
    assert_string_equal(rv_error_text(-ENOENT),
                        "cannot run /nonexistent/program: No such file or directory");
    assert_int_equal(rv_command_run(bg, &nothing[1], NULL, &result), -EINVAL);
    assert_non_null(strstr(rv_error_text(-EINVAL), "without a program"));
    /* The directory is to blame, and not the program. */
    options.directory = "/nonexistent/folder";
    assert_int_equal(run("exit 0", &options, &result), -ENOENT);
    assert_string_equal(
        rv_error_text(-ENOENT),
        "cannot run sh in directory /nonexistent/folder: No such file or directory");
    options.directory = "/dev/null";
    assert_int_equal(run("exit 0", &options, &result), -ENOTDIR);
    assert_non_null(strstr(rv_error_text(-ENOTDIR), " in directory /dev/null: "));
    /* Processes that it leaves in its group do not hold it up, nor live on. */
    assert_int_equal(run("sleep 1000 & echo started", NULL, &result), 0);
    assert_string_equal(result.output, "started\n");
    free(result.output);
    /* No descriptor but the standard ones (ls has one for the directory), and no signal blocked. */
    assert_int_equal(
        run("ls /proc/self/fd | tr -d '\\n'; grep SigBlk /proc/self/status", NULL, &result), 0);
    assert_string_equal(result.output, "0123SigBlk:\t0000000000000000\n");
    free(result.output);
}

/* The reason of a program's failure stands at the end. */
static void test_the_first_and_the_last_is_kept(void **state)
{
    static const size_t limits[] = {1, 2, 3, 7, 100, 1000, 18893, 18894, 18895, 20000};
    struct rv_command_options options = {.size = sizeof(options), .grace = 5 * RV_SECOND};
    struct rv_command_result whole, part;
    (void)state;

    assert_int_equal(run("seq 1 4000; echo 'FATAL: disk full'; exit 3", NULL, &whole), -ECHILD);
    assert_false(whole.truncated);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t most = limits[i], head = most / 2, tail = most - head;

        options.output_max = most;
        assert_int_equal(run("seq 1 4000; echo 'FATAL: disk full'; exit 3", &options, &part),
                         -ECHILD);
        assert_int_equal(part.truncated, most < whole.output_size);
        if (most >= whole.output_size) {
            assert_string_equal(part.output, whole.output);
        } else {
            char mark[80];

            snprintf(mark, sizeof(mark), "\n[... %zu bytes left out ...]\n",
                     whole.output_size - most);
            assert_int_equal(part.output_size, most + strlen(mark));
            assert_memory_equal(part.output, whole.output, head);
            assert_memory_equal(part.output + head, mark, strlen(mark));
            assert_string_equal(part.output + head + strlen(mark),
                                whole.output + whole.output_size - tail);
        }
        free(part.output);
    }
    free(whole.output);
}

/* A command with a fifo by which one process tells another, or the test, that it is ready. */
struct fifo {
    char folder[40];
    char path[60];
};

static void make_fifo(struct fifo *fifo)
{
    strcpy(fifo->folder, "/tmp/reeve-command-XXXXXX");
    assert_non_null(mkdtemp(fifo->folder));
    snprintf(fifo->path, sizeof(fifo->path), "%s/fifo", fifo->folder);
    assert_int_equal(mkfifo(fifo->path, 0600), 0);
}

static void remove_fifo(struct fifo *fifo)
{
    unlink(fifo->path);
    rmdir(fifo->folder);
}

/* Its child in the background says on the fifo $f that it is ready, and tidies up, with other
 * programs, when it is told to end. */
#define TIDIES                                                                               \
    "sh -c 'trap \"sh -c \\\"sleep 0.1; true\\\" && sleep 0.1 && echo tidied; exit\" TERM; " \
    "echo $$ > $f; while :; do sleep 0.01; done' "

static void test_what_is_left_has_its_grace(void **state)
{
    struct rv_command_result result;
    struct fifo fifo;
    char script[300];
    (void)state;

    make_fifo(&fifo);
    snprintf(script, sizeof(script), "export f=%s; " TIDIES "& read pid < $f; exit 3", fifo.path);
    assert_int_equal(run(script, NULL, &result), -ECHILD);
    assert_int_equal(result.exit_code, 3);
    /* The shell may also tell that its sleep was ended. */
    assert_non_null(strstr(result.output, "tidied\n"));
    free(result.output);
    remove_fifo(&fifo);
}

static bool is_dead(pid_t pid)
{
    struct pollfd poll_fd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool dead = poll_fd.fd < 0 || poll(&poll_fd, 1, 0) == 1;

    if (poll_fd.fd >= 0)
        close(poll_fd.fd);
    return dead;
}

static void test_what_ignores_its_end_is_killed(void **state)
{
    struct rv_command_options options = {.size = sizeof(options), .grace = 50 * RV_MILLISECOND};
    struct rv_command_result result;
    struct fifo fifo;
    char script[300];
    (void)state;

    make_fifo(&fifo);
    snprintf(
        script, sizeof(script),
        "sh -c 'trap \"\" TERM; echo $$; echo > %s; while :; do sleep 0.01; done' & read x < %s",
        fifo.path, fifo.path);
    assert_int_equal(run(script, &options, &result), 0);
    assert_true(atoi(result.output) > 1);
    assert_true(is_dead(atoi(result.output)));
    free(result.output);
    remove_fifo(&fifo);
}

/* Its child would tidy up, if there were time. */
static void end_without_a_grace(rv_duration grace)
{
    struct rv_command_options options = RV_COMMAND_DEFAULTS;
    struct rv_command_result result;
    struct fifo fifo;
    char script[300];

    options.grace = grace;

    make_fifo(&fifo);
    snprintf(script, sizeof(script), "export f=%s; " TIDIES "& read pid < $f", fifo.path);
    assert_int_equal(run(script, &options, &result), 0);
    assert_null(strstr(result.output, "tidied\n"));
    free(result.output);
    remove_fifo(&fifo);
}

static void test_without_a_grace(void **state)
{
    struct rv_command_result result;
    (void)state;

    end_without_a_grace(0);
    end_without_a_grace(-1);
    /* A signal that has no name of its own. */
    assert_int_equal(run("kill -40 $$", NULL, &result), -ECHILD);
    assert_int_equal(result.signal, 40);
    assert_string_equal(rv_error_text(-ECHILD), "sh: killed by SIGRTMIN+6");
    free(result.output);
}

struct command_call {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    const char *script;
    rv_duration grace;
    struct rv_command_result result;
};

static int call_command(void *arg)
{
    struct command_call *call = arg;
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)call->script, NULL};
    struct rv_command_options options = {.size = sizeof(options), .grace = call->grace};

    return rv_command_run(call->ctx, argv, &options, &call->result);
}

static void test_command_cancel(void **state)
{
    static const struct {
        const char *script;
        rv_duration grace;
        int signal;
    } cases[] = {
        {"sleep 1000", RV_HOUR, SIGTERM},
        {"trap '' TERM; sleep 1000; sleep 1000", 10 * RV_MILLISECOND, SIGKILL}, /* past it */
        {"kill -STOP $$", RV_HOUR, SIGTERM},                                    /* goes on for it */
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct command_call call = {.script = cases[i].script, .grace = cases[i].grace};
        struct caller caller;

        assert_int_equal(rv_context_with_cancel(bg, &call.ctx, &call.cancel), 0);
        caller_start(&caller, call_command, &call);
        caller_wait_blocked(&caller);
        rv_context_cancel(call.cancel, -ESHUTDOWN, NULL);
        assert_int_equal(caller_join(&caller), -ESHUTDOWN);
        /* It may have been ended before its trap was set. */
        assert_true(call.result.signal == cases[i].signal || call.result.signal == SIGTERM);
        free(call.result.output);
        rv_context_unref(call.ctx);
    }
}

/* A shell that does not exec its command dies at once of the signal that the command handles. */
static void cancel_what_tidies(const char *script, rv_duration grace)
{
    struct command_call call = {.grace = grace};
    struct caller caller;
    struct fifo fifo;
    char text[400], byte;
    int fd;

    make_fifo(&fifo);
    snprintf(text, sizeof(text), "export f=%s; %s", fifo.path, script);
    call.script = text;
    (void)!rv_context_with_cancel(bg, &call.ctx, &call.cancel);
    caller_start(&caller, call_command, &call);
    fd = open(fifo.path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, &byte, 1) == 1);
    close(fd);
    rv_context_cancel(call.cancel, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    assert_int_equal(call.result.signal, SIGTERM);
    assert_non_null(strstr(call.result.output, "tidied\n"));
    free(call.result.output);
    rv_context_unref(call.ctx);
    remove_fifo(&fifo);
}

static void test_a_shell_does_not_take_its_commands_grace(void **state)
{
    (void)state;

    cancel_what_tidies(TIDIES "; true", RV_HOUR);
    /* For longer than what was killed may take. */
    cancel_what_tidies("sh -c 'trap \"sleep 1.3; echo tidied; exit\" TERM; "
                       "echo $$ > $f; while :; do sleep 0.01; done'; true",
                       RV_FOREVER);
}

/* Ends the script, which tells of itself on the fifo $f, by a cancel. Returns the process that it
 * names. */
static pid_t cancel_script(struct command_call *call, const char *script, int ended_by)
{
    struct caller caller;
    struct fifo fifo;
    char text[500], pid[20] = "";
    int fd;

    make_fifo(&fifo);
    snprintf(text, sizeof(text), "export f=%s; %s", fifo.path, script);
    call->script = text;
    (void)!rv_context_with_cancel(bg, &call->ctx, &call->cancel);
    caller_start(&caller, call_command, call);
    fd = open(fifo.path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, pid, sizeof(pid) - 1) > 1);
    close(fd);
    rv_context_cancel(call->cancel, -ESHUTDOWN, NULL);
    assert_int_equal(caller_join(&caller), -ESHUTDOWN);
    if (ended_by > 0)
        assert_int_equal(call->result.signal, ended_by);
    free(call->result.output);
    rv_context_unref(call->ctx);
    remove_fifo(&fifo);
    return atoi(pid);
}

/* A process that leaves the group, but not the session, is ended with it: by its parent, by the
 * group that it was in, by its mark. */
static void test_a_cancel_reaches_other_groups(void **state)
{
    static const char *const scripts[] = {
        /* timeout(1) makes a group of its own. */
        "timeout 1000 sh -c 'echo $$ > $f; exec sleep 1000'; true",
        /* Without the mark. */
        "env -i f=$f PATH=\"$PATH\" timeout 1000 sh -c 'echo $$ > $f; exec sleep 1000'; true",
        /* Its parent has ended. */
        "(timeout 1000 sh -c 'echo $$ > $f; exec sleep 1000' &); sleep 1000",
        /* It ignores its end. */
        "timeout 1000 sh -c 'trap \"\" TERM; echo $$ > $f; while :; do sleep 0.01; done'; true",
        /* So does the first. */
        "trap '' TERM; timeout 1000 sh -c 'echo $$ > $f; while :; do sleep 0.01; done'; sleep 1000",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct command_call call = {.grace = i < 3 ? RV_HOUR : 100 * RV_MILLISECOND};

        assert_true(is_dead(cancel_script(&call, scripts[i], i < 4 ? SIGTERM : 0)));
    }
}

/* On purpose, that is. */
static void test_what_leaves_the_session_lives(void **state)
{
    struct command_call call = {.grace = RV_HOUR};
    struct rv_command_result result;
    struct fifo fifo;
    char script[300];
    pid_t pid;
    (void)state;

    pid = cancel_script(&call, "setsid sh -c 'echo $$ > $f; exec sleep 1000' & wait", SIGTERM);
    assert_false(is_dead(pid));
    kill(pid, SIGKILL);
    /* And what leaves the group of a program that ends well. */
    make_fifo(&fifo);
    snprintf(script, sizeof(script),
             "timeout 1000 sh -c 'echo $$ > %s; exec sleep 1000' >/dev/null 2>&1 & read pid < %s; "
             "echo $pid",
             fifo.path, fifo.path);
    assert_int_equal(run(script, NULL, &result), 0);
    pid = atoi(result.output);
    assert_true(pid > 1);
    assert_false(is_dead(pid));
    kill(pid, SIGKILL);
    free(result.output);
    remove_fifo(&fifo);
}

/* Two at once are two. */
static void test_a_cancel_reaches_no_other_command(void **state)
{
    struct command_call call = {.grace = RV_HOUR}, other = {.ctx = bg, .grace = RV_HOUR};
    struct caller caller;
    struct fifo fifo;
    char script[200];
    int fd;
    (void)state;

    make_fifo(&fifo);
    snprintf(script, sizeof(script), "timeout 1000 sh -c 'read line < %s; exit 7'", fifo.path);
    other.script = script;
    caller_start(&caller, call_command, &other);
    fd = open(fifo.path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(is_dead(
        cancel_script(&call, "timeout 1000 sh -c 'echo $$ > $f; exec sleep 1000'; true", SIGTERM)));
    assert_int_equal(write(fd, "\n", 1), 1);
    assert_int_equal(caller_join(&caller), -ECHILD);
    assert_int_equal(other.result.exit_code, 7);
    free(other.result.output);
    close(fd);
    remove_fifo(&fifo);
}

static void nothing(int signal)
{
    (void)signal;
}

/* The kernel reaps the children of a process that ignores SIGCHLD, which may have been inherited.
 */
static void test_statuses_where_sigchld_is_ignored(void **state)
{
    static const struct sigaction actions[] = {
        {.sa_handler = SIG_IGN},
        {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT},
        {.sa_handler = nothing, .sa_flags = SA_NOCLDWAIT | SA_RESTART},
    };
    struct rv_command_result result;
    struct sigaction before, after;
    unsigned long ignored;

    (void)state;
    sigaction(SIGCHLD, NULL, &before);
    for (size_t i = 0; i < 3; i++) {
        struct command_call calls[8];
        struct caller callers[8];

        sigaction(SIGCHLD, &actions[i], NULL);
        assert_int_equal(run("exit 3", NULL, &result), -ECHILD);
        assert_int_equal(result.exit_code, 3);
        assert_string_equal(rv_error_text(-ECHILD), "sh: exit code 3");
        free(result.output);
        for (size_t n = 0; n < 8; n++) {
            calls[n] = (struct command_call){.ctx = bg, .script = "exit 4"};
            caller_start(&callers[n], call_command, &calls[n]);
        }
        for (size_t n = 0; n < 8; n++) {
            assert_int_equal(caller_join(&callers[n]), -ECHILD);
            assert_int_equal(calls[n].result.exit_code, 4);
            free(calls[n].result.output);
        }
        /* The program has what it has set, and commands the default. */
        sigaction(SIGCHLD, NULL, &after);
        assert_ptr_equal(after.sa_handler, actions[i].sa_handler);
        assert_int_equal(after.sa_flags & SA_NOCLDWAIT, actions[i].sa_flags & SA_NOCLDWAIT);
        assert_int_equal(run("grep SigIgn /proc/self/status", NULL, &result), 0);
        assert_int_equal(sscanf(result.output, "SigIgn: %lx", &ignored), 1);
        assert_false(ignored >> (SIGCHLD - 1) & 1);
        free(result.output);
    }
    sigaction(SIGCHLD, &before, NULL);
}

static void test_options_of_an_unknown_size(void **state)
{
    struct rv_command_options options = {.size = sizeof(options) - 1, .grace = 5 * RV_SECOND};
    struct rv_command_result result = {.exit_code = 1};
    (void)state;

    assert_int_equal(run("exit 0", &options, &result), -EINVAL);
    assert_int_equal(result.exit_code, 0);
}

/* The other durations of public functions are in test_durations.c. */
static void test_graces_at_the_ends(void **state)
{
    static const rv_duration graces[] = {0, 1, -1, INT64_MIN, RV_FOREVER, RV_FOREVER - 1};
    (void)state;

    for (size_t i = 0; i < sizeof(graces) / sizeof(graces[0]); i++) {
        struct rv_command_options options = {.size = sizeof(options), .grace = graces[i]};

        assert_int_equal(run("exit 0", &options, NULL), 0);
    }
}

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_command_cancel),
        cmocka_unit_test(test_the_first_and_the_last_is_kept),
        cmocka_unit_test(test_what_is_left_has_its_grace),
        cmocka_unit_test(test_what_ignores_its_end_is_killed),
        cmocka_unit_test(test_without_a_grace),
        cmocka_unit_test(test_a_shell_does_not_take_its_commands_grace),
        cmocka_unit_test(test_a_cancel_reaches_other_groups),
        cmocka_unit_test(test_what_leaves_the_session_lives),
        cmocka_unit_test(test_a_cancel_reaches_no_other_command),
        cmocka_unit_test(test_statuses_where_sigchld_is_ignored),
        cmocka_unit_test(test_options_of_an_unknown_size),
        cmocka_unit_test(test_graces_at_the_ends),
    };

    return cmocka_run_group_tests_name("command", tests, setup, NULL);
}
