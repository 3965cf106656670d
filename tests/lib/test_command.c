/* SPDX-License-Identifier: MIT */
#include <reeve/command.h>
#include <reeve/error.h>
#include <signal.h>

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
    struct rv_command_options options = {.size = sizeof(options)};
    struct rv_command_result result;
    char *const nothing[] = {(char *)"/nonexistent/program", NULL};
    (void)state;

    assert_int_equal(run("echo out; echo err >&2", &options, &result), 0);
    assert_string_equal(result.output, "out\nerr\n");
    free(result.output);
    assert_int_equal(run("exit 3", NULL, &result), -ECHILD);
    assert_int_equal(result.exit_code, 3);
    assert_non_null(strstr(rv_error_text(), "sh: exit code 3"));
    free(result.output);
    assert_int_equal(run("kill -SEGV $$", NULL, &result), -ECHILD);
    assert_int_equal(result.signal, SIGSEGV);
    assert_non_null(strstr(rv_error_text(), "killed by SIGSEGV"));
    free(result.output);
    options.input = "hello";
    options.input_size = 5;
    assert_int_equal(run("cat", &options, &result), 0);
    assert_string_equal(result.output, "hello");
    free(result.output);
    options.output_max = 10;
    assert_int_equal(run("yes | head -c 1000000", &options, &result), 0);
    assert_int_equal(result.output_size, 10);
    assert_true(result.truncated);
    free(result.output);
    assert_int_equal(rv_command_run(bg, nothing, NULL, &result), -ENOENT);
    assert_null(result.output);
    /* What it leaves behind in its group does not hold it up, nor live on. */
    assert_int_equal(run("sleep 1000 & echo started", NULL, &result), 0);
    assert_string_equal(result.output, "started\n");
    free(result.output);
    /* No descriptor but the standard ones (ls has one for the folder), and no signal blocked. */
    assert_int_equal(
        run("ls /proc/self/fd | tr -d '\\n'; grep SigBlk /proc/self/status", NULL, &result), 0);
    assert_string_equal(result.output, "0123SigBlk:\t0000000000000000\n");
    free(result.output);
}

struct command_call {
    struct rv_context *ctx;
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
    };
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct command_call call = {.script = cases[i].script, .grace = cases[i].grace};
        struct caller caller;

        rv_context_with_cancel(bg, &call.ctx);
        caller_start(&caller, call_command, &call);
        caller_wait_blocked(&caller);
        rv_context_cancel(call.ctx, -ESHUTDOWN, NULL);
        assert_int_equal(caller_join(&caller), -ESHUTDOWN);
        /* It may have been ended before its trap was set. */
        assert_true(call.result.signal == cases[i].signal || call.result.signal == SIGTERM);
        free(call.result.output);
        rv_context_unref(call.ctx);
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
    };

    return cmocka_run_group_tests_name("command", tests, setup, NULL);
}
