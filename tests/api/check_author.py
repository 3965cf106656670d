#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The code of an author compiles without a warning, in C and in C++, and mistakes do not.

    check_author.py c|c++ TEMPLATE LIBRARIES VERSION COMPILER ARGUMENT...
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

LANGUAGE, TEMPLATE, LIBRARIES, VERSION, *COMPILER = sys.argv[1:]
CXX = LANGUAGE == "c++"

# Something of each header, by <reeve/module.h> alone.
ALL = """
int use(struct rv_context *ctx, struct rv_channel *channel, struct rv_group *group, struct rv_pool *pool,
        struct rv_semaphore *semaphore, struct rv_ticker *ticker, struct rv_once *once, rv_function fn);
int use(struct rv_context *ctx, struct rv_channel *channel, struct rv_group *group, struct rv_pool *pool,
        struct rv_semaphore *semaphore, struct rv_ticker *ticker, struct rv_once *once, rv_function fn)
{
    struct rv_pool_options options = RV_POOL_DEFAULTS;
    struct rv_command_options command = RV_COMMAND_DEFAULTS;
    struct rv_once other = RV_ONCE_INIT;
    char element = 0;
    struct rv_clause clauses[] = {RV_SEND(channel, &element), RV_RECV(channel, &element), RV_READY(0, 1)};
    rv_time now = rv_now();
    int r = rv_channel_send(ctx, channel, &element);

    rv_log(ctx, RV_LOG_INFO, "%s %lld", RV_VERSION_TEXT, (long long)(now + command.grace + options.timeout));
    r += rv_group_go(group, fn, NULL) + rv_pool_submit(ctx, pool, fn, NULL) + rv_semaphore_acquire(ctx, semaphore, 1);
    r += rv_ticker_wait(ctx, ticker, &now) + rv_once_do(ctx, once, fn, NULL) + rv_once_do(ctx, &other, fn, NULL);
    r += rv_select(ctx, clauses, 3, RV_FOREVER) + rv_poll(ctx, 0, 1, 0) + rv_sleep(ctx, RV_SECOND);
    r += rv_file_replace(-1, "a", "b", 1, 0600) + rv_submit(ctx, "pool", "a", 1);
    r += rv_command_run(ctx, NULL, &command, NULL) + rv_fan_run(ctx, channel, channel, 1, NULL, NULL);
    if (r < 0)
        return rv_wrap(r, "use all: %s", rv_error_text(r));
    return rv_version() >= RV_VERSION ? 0 : rv_fail(-1, "an older library");
}
"""

# Each is a mistake, and what the compiler says of it. A function's body, where ctx, cancel and the like are there.
MISTAKES = {
    "cancel the context that was given": ("rv_context_cancel(ctx, 0, NULL);", r"rv_context_cancel|rv_cancel"),
    "call what is a host's": ("rv_host_set_progress(NULL);", r"rv_host_set_progress"),
    "ignore that nothing was made": ("rv_channel_create(1, 1, &channel);", r"unused.result"),
    "ignore that nothing runs": ("rv_group_go(group, NULL, NULL);", r"unused.result"),
    "ignore that nothing was acquired": ("rv_semaphore_acquire(ctx, semaphore, 1);", r"unused.result"),
    "ignore that nothing came": ("rv_channel_recv(ctx, channel, &element);", r"unused.result"),
    "ignore that a job was not taken": ('rv_submit(ctx, "a", "b", 1);', r"unused.result"),
    "ignore that nothing was written": ('rv_file_replace(-1, "a", "b", 1, 0600);', r"unused.result"),
    "ignore that a run has failed": ("rv_group_wait(group);", r"unused.result"),
    "ignore that a sleep was cut short": ("rv_sleep(ctx, RV_HOUR);", r"unused.result"),
    "ignore that a once has failed": ("rv_once_do(ctx, once, NULL, NULL);", r"unused.result"),
    "a policy as a text": ('struct rv_task task = {.name = "a", .on_error = "restart"}; use_task(&task);',
                           r"invalid conversion|cannot convert|incompatible types|makes integer|cannot initialize|incompatible pointer to integer"),
    "a policy of another kind": ('struct rv_task task = {.name = "a", .on_error = RV_ON_STOP_FINISH}; use_task(&task);',
                                 r"cannot (convert|initialize)|enum.conversion"),
    "a text's arguments": ('rv_pool_cancel(pool, 0, "%s", 1);', r"-W(error=)?format"),
}
BODY = """
void use_task(const struct rv_task *task);
void mistake(struct rv_context *ctx, struct rv_channel *channel, struct rv_group *group, struct rv_pool *pool,
             struct rv_semaphore *semaphore, struct rv_once *once, char element);
void mistake(struct rv_context *ctx, struct rv_channel *channel, struct rv_group *group, struct rv_pool *pool,
             struct rv_semaphore *semaphore, struct rv_once *once, char element)
{{
    (void)ctx, (void)channel, (void)group, (void)pool, (void)semaphore, (void)once, (void)element;
    {0}
}}
"""


class Author(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-api-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def compile(self, text, *arguments):
        path = os.path.join(self.folder, "module.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run([*COMPILER, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fvisibility=hidden", "-x",
                               LANGUAGE, path, "-x", "none", *arguments], capture_output=True, text=True, check=False,
                              timeout=120)

    def good(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_one_header_has_all(self):
        self.good(self.compile("#include <reeve/module.h>\n" + ALL, "-c", "-o", os.devnull))

    def test_options_that_say_nothing_more(self):
        self.good(self.compile("""#include <reeve/module.h>
struct state {
    char *text;
    int number;
};
extern const struct rv_option options[];
const struct rv_option options[] = {RV_OPTION_STRING(struct state, text), RV_OPTION_INT(struct state, number),
                                    RV_OPTION_BOOL(struct more, flag, .help = "whether")};
""".replace("extern", "struct more {\n    bool flag;\n};\nextern"), "-c", "-o", os.devnull))

    def test_mistakes(self):
        for name, (mistake, reason) in MISTAKES.items():
            with self.subTest(name):
                done = self.compile("#include <reeve/module.h>\n" + BODY.format(mistake), "-c", "-o", os.devnull)
                self.assertNotEqual(done.returncode, 0, "it compiles")
                self.assertRegex(done.stderr, reason)

    def test_no_mistake(self):
        self.good(self.compile("#include <reeve/module.h>\n" + BODY.format(""), "-c", "-o", os.devnull))

    def test_the_version(self):
        major, minor, patch = VERSION.split(".")
        self.good(self.compile(f"""#include <reeve/version.h>
#if RV_VERSION != RV_VERSION_OF({major}, {minor}, {patch}) || RV_VERSION_OF(1, 0, 0) <= RV_VERSION_OF(0, 999, 999)
#error the version
#endif
extern const char text[sizeof(RV_VERSION_TEXT) == sizeof("{VERSION}") ? 1 : -1];
""", "-c", "-o", os.devnull))

    def build_template(self, change):
        with open(TEMPLATE, encoding="utf-8") as file:
            text = change(file.read())
        module = os.path.join(self.folder, "hello.so")
        self.good(self.compile(text, "-shared", "-fPIC", "-o", module, f"-L{LIBRARIES}", "-lreeve"))
        symbols = subprocess.run(["nm", "-D", "--defined-only", module], capture_output=True, text=True, check=True).stdout
        self.assertEqual(re.findall(r" [A-Z] (\w+)$", symbols, re.M), ["rv_module"])
        sections = subprocess.run(["readelf", "-n", module], capture_output=True, text=True, check=True).stdout
        self.assertIn("reeve", sections)

    def test_the_template(self):
        self.build_template(lambda text: text)

    @unittest.skipUnless(CXX, "C has no namespaces")
    def test_the_template_in_a_namespace(self):
        def in_namespace(words):
            return lambda text: (text.replace("/* One for each section", words + " {\n/* One for each section", 1) +
                                 "}" * words.count("namespace") + "\n")
        self.build_template(in_namespace("namespace mine"))
        self.build_template(in_namespace("namespace mine { namespace"))
        # The table alone.
        self.build_template(lambda text: text.replace("RV_MODULE(", "namespace mine {\nRV_MODULE(", 1) + "}\n")


if __name__ == "__main__":
    tools.need_or_exit("nm", "readelf")
    unittest.main(argv=sys.argv[:1])
