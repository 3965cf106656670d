#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real journal: what happens to modules can be found by fields, and reevectl finds it there."""
import json

import service
from container import wait_until
from service import ServiceTest, puppet

# sd_journal_print(3): these never change.
FIELDS = ("REEVE_MODULE", "REEVE_TASK", "REEVE_RUN", "REEVE_EVENT", "MESSAGE_ID", "PRIORITY")


class Journal(ServiceTest):
    def setUp(self):
        super().setUp()
        self.configure(puppet("p", "restart-delay = 1ms", "restart-limit = 2/1h", "essential = no",
                              "act.timeout = 100ms", "act.grace = 100ms") + puppet("other"))
        self.start()
        self.pids = {self.main_pid()}

    def entries(self, *matches):
        """The lines that this life of the service wrote."""
        return self.container.entries(f"_PID={self.main_pid()}", *matches)

    def wait_entry(self, *matches):
        return wait_until(lambda: self.entries(*matches), f"{matches} in the journal")

    def act(self, action, event):
        pid = self.modules()["p"]["pid"]
        self.container.write(f"{service.STATE}/p.script", action)
        self.ctl("run", "p/act")
        self.wait_entry(f"REEVE_EVENT={event}", "REEVE_MODULE=p")
        return pid

    def test_events_of_a_module(self):
        for event in "start", "ready":
            entry = self.wait_entry(f"REEVE_EVENT={event}", "REEVE_MODULE=p")[-1]
            self.assertEqual(len(entry["MESSAGE_ID"]), 32)
            # The same by its id, as a program would look for it.
            self.assertIn(entry["__CURSOR"],
                          [e["__CURSOR"] for e in self.entries(f"MESSAGE_ID={entry['MESSAGE_ID']}")])
        self.act("crash", "crash")
        self.assertIn("SIGSEGV", self.entries("REEVE_EVENT=crash")[-1]["MESSAGE"])
        self.wait_entry("REEVE_EVENT=restart", "REEVE_MODULE=p")
        wait_until(lambda: self.modules()["p"]["state"] == "ready", "the restart")
        self.act("ignore", "hang")
        wait_until(lambda: self.modules()["p"]["state"] == "ready", "the restart")
        self.act("crash", "give-up")
        ids = {e["REEVE_EVENT"]: e["MESSAGE_ID"] for e in self.entries("REEVE_MODULE=p") if "REEVE_EVENT" in e}
        self.assertEqual(set(ids), {"start", "ready", "crash", "restart", "hang", "give-up"})
        self.assertEqual(len(set(ids.values())), 6)

    def test_what_a_task_writes(self):
        self.container.write(f"{service.STATE}/p.script", "fail")
        self.ctl("run", "p/act", "--wait", check=False)
        entry = self.wait_entry("REEVE_MODULE=p", "REEVE_TASK=act")[-1]
        self.assertEqual((entry["REEVE_RUN"], entry["REEVE_MODULE"]), ("1", "p"))
        self.assertIn("as told", entry["MESSAGE"])

    def test_a_module_that_writes_too_much(self):
        self.container.write(f"{service.STATE}/p.script", "say-often far too much")
        self.ctl("run", "p/act", "--wait")
        self.container.write(f"{service.STATE}/other.script", "say other is heard")
        self.ctl("run", "other/act", "--wait")
        wait_until(lambda: any("other is heard" in e["MESSAGE"] for e in self.entries()), "the other's line")
        written = lambda: [e for e in self.entries("REEVE_MODULE=p") if "far too much" in e["MESSAGE"]]
        self.container.write(f"{service.STATE}/p.script", "say and a last word")
        self.ctl("run", "p/act", "--wait")
        # A burst of 1000 passes, and 200 for each second that it takes. What journald does not take at once
        # is dropped too; both are told.
        dropped = wait_until(lambda: [e for e in self.entries() if "lines were dropped" in e["MESSAGE"]],
                             "how many were dropped")
        self.assertRegex(dropped[0]["MESSAGE"], r"^(\[p\] \d+|\d+ log) lines were dropped")
        self.assertLess(len(written()), 1500)

    def test_reevectl_logs(self):
        self.container.write(f"{service.STATE}/p.script", "say what p says")
        self.container.write(f"{service.STATE}/other.script", "say what the other says")
        for name in "p", "other":
            self.ctl("run", f"{name}/act", "--wait")
        shown = wait_until(lambda: (t := self.ctl("logs", "p").stdout) and "what p says" in t and t, "the line")
        self.assertNotIn("what the other says", shown)
        # A program gets the fields; and all of it is there when the daemon has been restarted.
        self.container.systemctl("restart", "reeve")
        lines = [json.loads(line) for line in self.ctl("logs", "p", "--json", "--since", "1h").stdout.splitlines()]
        self.assertTrue(any("what p says" in line["text"] and line["module"] == "p" for line in lines))
        self.assertTrue(any(line["event"] == "ready" and line["message_id"] for line in lines))


class Behind(ServiceTest):
    """journald looks a sender's unit up when it reads what was sent; by then the sender may have ended."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.signal_journal, "CONT")

    def signal_journal(self, name):
        self.container.systemctl("kill", f"--signal=SIG{name}", "systemd-journald")

    def test_finds_why_the_service_did_not_start(self):
        self.configure("[nonsense]\n")
        self.drop_in("[Service]\nRestart=no\n")
        self.signal_journal("STOP")
        self.assertNotEqual(self.container.systemctl("start", "reeve", check=False).returncode, 0)
        self.assertEqual(self.processes(), [])
        self.signal_journal("CONT")
        reason = "/etc/reeve/reeve.ini:3: unknown section [nonsense]"
        entry = wait_until(lambda: [e for e in self.container.entries("-u", "reeve") if reason in e["MESSAGE"]],
                           "the reason in the journal")[-1]
        self.assertEqual((entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]), ("3", "reeved"))


if __name__ == "__main__":
    service.main()
