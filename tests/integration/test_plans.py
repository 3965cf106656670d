#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plans of reloads: what a reload would do, told before it does it."""
import harness
from puppetry import HEARTBEAT, PuppetTest, puppet


class Plans(PuppetTest):
    def plan(self, daemon):
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 200, answer)
        return {s["module"]: s["step"] for s in answer["steps"]}, answer["needs_restart"]

    def test_what_a_reload_would_do(self):
        daemon = self.daemon(puppet("same") + puppet("options") + puppet("gone")).wait_started()
        keep = {"same": "keep", "options": "keep", "gone": "keep"}
        self.assertEqual(self.plan(daemon), (keep, False))
        daemon.write(puppet("same") + puppet("options", "act.timeout = 5s") + HEARTBEAT)
        steps = {"same": "keep", "options": "reload", "heart": "add", "gone": "remove"}
        self.assertEqual(self.plan(daemon)[0], steps)
        daemon.daemon = "max-connections = 77"
        daemon.write(puppet("same"))
        self.assertTrue(self.plan(daemon)[1])
        # A reload says so, and does not forget it.
        done = daemon.ctl("reload")
        self.assertIn("listen, control and max-connections change only with a restart of reeved", done.stdout + done.stderr)
        self.assertTrue(self.plan(daemon)[1])
        daemon.daemon = ""
        daemon.write(puppet("same"))
        self.assertFalse(self.plan(daemon)[1])
        self.assertEqual(daemon.ctl("reload").stdout, "reloaded\n")
        daemon.stop()

    def test_a_plan_does_nothing(self):
        daemon = self.daemon(puppet("same") + puppet("options") + puppet("gone")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        daemon.write(puppet("same") + puppet("options", "act.timeout = 5s") + HEARTBEAT)
        self.plan(daemon)
        # Nothing has happened.
        self.assertEqual({m["name"]: m["pid"] for m in daemon.status()["modules"]}, pids)
        self.assertNotIn("act.timeout", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_restarts_and_whom_they_take_along(self):
        # spool takes new options only by a restart; the puppets take them as they run.
        heart = "[module:heart]\nload = spool\ndirectory = spool\ncommand = true {}\n"
        rest = puppet("b", "requires = heart") + puppet("c", "requires = b") + puppet("d", "after = c")
        daemon = self.daemon(heart.format("old") + rest).wait_started()
        daemon.write(heart.format("new") + rest)
        plan = daemon.ask("/v1/plan")[1]
        self.assertEqual([(s["module"], s["step"], s["because"]) for s in plan["steps"]],
                         [("heart", "restart", None), ("b", "restart", "heart"),
                          ("c", "restart", "b"), ("d", "keep", None)])
        self.assertRegex(daemon.ctl("reload", "--plan").stdout,
                         r"(?m)^c +restart it requires b, which restarts")
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: all(m["state"] == "ready" for m in daemon.status()["modules"]) and
                           daemon.module("c")["pid"] != pids["c"], "all to be back")
        kept = {m["name"] for m in daemon.status()["modules"] if m["pid"] == pids[m["name"]]}
        self.assertEqual(kept, {"d"})
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_errors(self):
        daemon = self.daemon(puppet("a")).wait_started()
        daemon.write(puppet("a", "act.timeuot = 5s"))
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 409)
        self.assertRegex(answer["errors"][0],
                         r'reeve\.ini:\d+: .*unknown key "act\.timeuot"; did you mean "act\.timeout"')
        daemon.write("[module:a]\n")
        status, answer = daemon.ask("/v1/plan")
        self.assertEqual(status, 409)
        self.assertIn('the key "load" is missing', answer["errors"][0])
        self.assertEqual(daemon.module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_only_a_module_finds_wrong(self):
        good = puppet("a", "on-check = nothing")
        daemon = self.daemon(good, "log-level = warning", start=False).start().wait_answers()
        harness.wait_until(lambda: daemon.module("a")["state"] == "ready", "ready")
        pid = daemon.module("a")["pid"]
        for action, errors in (
                ("options", [r'reeve\.ini:\d+: \[module:a\] on-check: as told, see http://\S+@host/$',
                             r'reeve\.ini:\d+: \[module:a\] health-file: it is not in the section$']),
                ("fail", [r'reeve\.ini:\d+: \[module:a\] they do not go together$']),
                ("crash", [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGSEGV',
                           r'reeve\.ini:\d+: \[module:a\] SIGSEGV in check at address 0x10, frames: puppet\.so\+0x']),
                ("overflow", [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGSEGV',
                              r'\[module:a\] stack overflow in check .*rv_runtime_configure\(3\), frames: .*puppet\.so\+0x']),
                # Its last lines are told where the log leaves out what modules print.
                ("die terminate called|what(): http://u:secret@host",
                 [r'\[module:a\] \S*puppet\.so ended while it was being checked: killed by SIGABRT',
                  r'\[module:a\] SIGABRT in check, frames: ',
                  r'reeve\.ini:\d+: \[module:a\] its last lines: terminate called; what\(\): http://u:\*\*\*@host$'])):
            with self.subTest(action):
                daemon.write(good.replace("on-check = nothing", f"on-check = {action}"))
                status, answer = daemon.ask("/v1/plan")
                self.assertEqual(status, 409)
                self.assertEqual(len(answer["errors"]), len(errors), answer)
                for error, pattern in zip(answer["errors"], errors):
                    self.assertRegex(error, pattern)
                    self.assertNotIn("secret", error)
                for words in ("check",), ("reload",):
                    mark = daemon.mark()
                    done = daemon.ctl(*words)
                    self.assertEqual(done.returncode, 1, words)
                    for error in errors:
                        self.assertRegex(done.stderr, error.rstrip("$"))
                        if words == ("reload",):
                            daemon.wait_log(rf"error +.*{error}", mark)
                # Nothing was touched.
                module = daemon.module("a")
                self.assertEqual((module["pid"], module["state"]), (pid, "ready"))
                self.assertNotIn("a reload", self.trace(daemon))
        self.assertNotIn("secret", daemon.text())
        # What it says is bounded.
        daemon.write(good.replace("on-check = nothing", "on-check = rave"))
        errors = daemon.ask("/v1/plan")[1]["errors"]
        self.assertEqual(len(errors), 33)
        self.assertTrue(errors[-1].endswith("there are more errors, which are not told"), errors[-1])
        daemon.write(good)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # Nor does it start.
        daemon.write(good.replace("on-check = nothing", "on-check = fail"))
        daemon.log.clear()
        self.assertEqual(daemon.start().wait(), 1)
        self.assertRegex(daemon.text(), r"reeve\.ini:\d+: \[module:a\] they do not go together")
        self.assertEqual(self.trace(daemon).count("a init"), 1)

    def test_reeved_stops_meanwhile(self):
        daemon = self.daemon("".join(puppet(f"m{i}") for i in range(20))).wait_started()
        plans = [daemon.ask_later("/v1/plan") for _ in range(5)]
        daemon.signal(harness.signal.SIGTERM)
        for plan in plans:
            with harness.contextlib.suppress(harness.Waiting):
                self.assertIn(plan.answer()[0], (200, 409, 503))
        self.assertEqual(daemon.wait(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
