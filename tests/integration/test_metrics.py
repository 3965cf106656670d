#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""/metrics: that what reads it can, that it is what happened, and that its counters never go back."""
import os
import re
import subprocess
import threading

import harness
import tools
from exposition import Exposition
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
ODD_NAMES = os.path.join(harness.FIXTURES, "oddnames.so")
OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"}


def run(arguments, text=""):
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False,
                          timeout=harness.PATIENCE)
    return done.returncode, done.stdout + done.stderr


class MetricsTest(PuppetTest):
    def scrape(self, daemon, headers=None):
        return daemon.request("/metrics", headers=headers)[2]

    def metrics(self, daemon):
        return Exposition(self.scrape(daemon))

    def value(self, daemon, name, **labels):
        return self.metrics(daemon).value(name, **labels)

    def wait_value(self, daemon, least, name, **labels):
        harness.wait_until(lambda: self.value(daemon, name, **labels) >= least,
                           f"{name} to be {least}")

    def eventful(self):
        """A daemon with several modules, to which most of what can happen has happened."""
        daemon = self.daemon(
            HEARTBEAT + puppet("a", "essential = no", "restart-limit = 1000/1s") +
            puppet("late", "act.timeout = 20ms", "act.grace = 1000s", "essential = no") +
            puppet("b", "host = both", "act.grace = 20ms", "act.timeout = 20ms", "essential = no",
                   "restart-limit = 1000/1s") +
            f"[module:odd]\nload = {ODD_NAMES}\nhost = both\nessential = no\n" +
            puppet("gone", "restart = never", "essential = no")).wait_started()
        daemon.wait_ready()
        self.act(daemon, "a", "fail")
        self.wait_value(daemon, 1, "reeve_task_failures_total", module="a", task="act")
        self.act(daemon, "late", "wait")
        self.wait_value(daemon, 1, "reeve_task_timeouts_total", module="late", task="act")
        self.assertEqual(self.submit(daemon, "a", "nothing"), 0)
        self.assertEqual(self.submit(daemon, "a", "fail"), 1)
        self.crash(daemon, "a")
        daemon.kill("gone")
        harness.wait_until(lambda: daemon.module("gone")["state"] == "failed", "the end of gone")
        pid = daemon.module("b")["pid"]
        self.act(daemon, "b", "ignore")
        self.wait_restarted(daemon, "b", pid)
        daemon.write("[nonsense]\n")
        self.assertNotEqual(daemon.ctl("reload").returncode, 0)
        return daemon

    def submit(self, daemon, module, action):
        return daemon.ctl("submit", f"{module}/work", "--wait", stdin=action).returncode

    def crash(self, daemon, module):
        pid = daemon.module(module)["pid"]
        self.act(daemon, module, "crash")
        self.wait_restarted(daemon, module, pid)


class Formats(MetricsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Made by one of the tests' own methods, and ended with the class.
        maker = cls("test_promtool_finds_nothing")
        cls.addClassCleanup(maker.doCleanups)
        cls.shared = maker.eventful()

    @tools.needs("promtool")
    def test_promtool_finds_nothing(self):
        self.assertEqual(run(["promtool", "check", "metrics"], self.scrape(self.shared)), (0, ""))

    @tools.needs("promtool")
    def test_promtool_is_asked(self):
        """It does find what it is there for."""
        code, output = run(["promtool", "check", "metrics"],
                           "# TYPE reeve_x_milliseconds counter\nreeve_x_milliseconds 1\n")
        self.assertNotEqual(code, 0)
        self.assertIn("_total", output)

    @tools.needs("python3-prometheus-client")
    def test_the_reference_parser_reads_openmetrics(self):
        path = os.path.join(self.shared.folder, "openmetrics")
        text = self.scrape(self.shared, OPEN_METRICS)
        self.assertTrue(text.endswith("\n# EOF\n"))
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        code, output = run([tools.PYTHON, os.path.join(HERE, "check_openmetrics.py"), path])
        self.assertEqual(code, 0, output)
        families = dict(line.split(" ", 1) for line in output.splitlines())
        for name, told in families.items():
            unit = name.rsplit("_", 1)[1]
            unit = unit if unit in ("seconds", "bytes") else ""
            self.assertEqual(told.split(" ")[1], unit, name)
        # Both formats tell of the same.
        other = Exposition(self.scrape(self.shared))
        self.assertEqual(
            {(re.sub("_(total|info)$", "", name), kind) for name, kind in other.types.items()
             if name != "reeve_build_info"} | {("reeve_build", "info")},
            {(name, told.split(" ")[0]) for name, told in families.items()})

    def test_odd_names_come_through(self):
        metrics = self.metrics(self.shared)
        self.assertLessEqual(
            {'quote"back\\slash', "line?break", "ends in a back\\", 'w\xf6rter {a="b"} 1',
             "no? utf?", "0123456789" * 6 + "012", ""}, metrics.values("task"))
        self.assertIn('po"ol\\', metrics.values("pool"))
        runs = metrics.value("reeve_task_runs_total", module="odd", task='quote"back\\slash')
        self.wait_value(self.shared, runs + 1, "reeve_task_runs_total", module="odd",
                        task='quote"back\\slash')

    def test_the_table_lists_what_there_is(self):
        with open(os.path.join(SOURCE, "docs", "metrics.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w*) \|", file.read(), re.M)
        table = {name: (kind, unit) for name, kind, unit in rows}
        self.assertEqual(len(table), len(rows), "a family is listed twice")
        self.assertEqual({name: kind for name, (kind, _) in table.items()},
                         self.metrics(self.shared).types)
        for name, (_, unit) in table.items():
            found = re.search(r"_(seconds|bytes)(_total)?$", name)
            self.assertEqual(unit, found.group(1) if found else "", name)

    def test_each_family_explains_itself(self):
        metrics = self.metrics(self.shared)
        self.assertEqual(set(metrics.helps), set(metrics.types))
        for name, text in metrics.helps.items():
            self.assertRegex(text, r"^\S.*\.$", name)
        self.assertEqual(len(set(metrics.family_of.values())), len(metrics.types),
                         "a family without samples: the table test would not see all")


class Truth(MetricsTest):
    def test_what_happened_is_counted(self):
        daemon = self.eventful()
        metrics = self.metrics(daemon)
        for expected, name, labels in (
                # One failed, and one crashed its process.
                (2, "reeve_task_failures_total", {"module": "a", "task": "act"}),
                # A timeout is a failure too.
                (1, "reeve_task_failures_total", {"module": "late", "task": "act"}),
                (1, "reeve_task_timeouts_total", {"module": "late", "task": "act"}),
                (1, "reeve_pool_jobs_finished_total", {"module": "a", "pool": "work"}),
                (1, "reeve_pool_jobs_failed_total", {"module": "a", "pool": "work"}),
                (1, "reeve_module_crashes_total", {"module": "a"}),
                (0, "reeve_module_hangs_total", {"module": "a"}),
                (1, "reeve_module_hangs_total", {"module": "b"}),
                (0, "reeve_module_crashes_total", {"module": "b"}),
                (1, "reeve_module_state", {"module": "gone", "state": "failed"}),
                (0, "reeve_module_state", {"module": "gone", "state": "ready"}),
                (1, "reeve_module_state", {"module": "a", "state": "ready"}),
                (0, "reeve_module_essential", {"module": "a"}),
                (1, "reeve_module_essential", {"module": "heart"}),
                (0.02, "reeve_task_interval_seconds", {"module": "heart", "task": "beat"}),
                (1, "reeve_reloads_total", {}),
                (1, "reeve_reload_failures_total", {}),
                (0, "reeve_last_reload_successful", {}),
                (1, "process_threads", {})):
            self.assertEqual(metrics.value(name, **labels), expected, (name, labels))
        version = run([harness.REEVED, "--version"])[1].split()[1]
        self.assertEqual(metrics.value("reeve_build_info", version=version), 1)
        # A success, and all is said to be well again.
        daemon.write(HEARTBEAT)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        metrics = self.metrics(daemon)
        self.assertEqual(metrics.value("reeve_last_reload_successful"), 1)
        self.assertEqual(metrics.values("module"), {"heart"})
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def check_histograms(self, metrics):
        for family, labels, buckets, total, count in metrics.histograms():
            place = (family, labels)
            self.assertEqual([bound for bound, _ in buckets], sorted({b for b, _ in buckets}), place)
            self.assertEqual(buckets[-1], (float("inf"), count), place)
            counts = [number for _, number in buckets]
            self.assertEqual(counts, sorted(counts), place)
            self.assertGreaterEqual(total, 0, place)
            # No more than its buckets say that it could be, as far as they have an end.
            most = sum((number - before) * bound for (bound, number), before
                       in zip(buckets[:-1], [0] + counts) if number > before)
            if counts[-1] == counts[-2]:
                self.assertLessEqual(total, most * 1.000001, place)

    def test_histograms_count_what_the_counters_do(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "act.timeout = 20ms",
                                                "act.grace = 1000s")).wait_started()
        for action in ("nothing", "fail", "wait"):
            self.script(daemon, "a", action)
            daemon.ctl("run", "a/act", "--wait")
        for action in ("nothing", "nothing", "fail"):
            self.submit(daemon, "a", action)
        self.wait_value(daemon, 5, "reeve_task_lateness_seconds_count", module="heart", task="beat")
        # While the clockwork goes on: one picture never contradicts itself.
        for _ in range(20):
            metrics = self.metrics(daemon)
            self.check_histograms(metrics)
            for module, task in (("a", "act"), ("a", "tick"), ("heart", "beat")):
                labels = {"module": module, "task": task}
                self.assertEqual(metrics.value("reeve_task_run_duration_seconds_count", **labels),
                                 metrics.value("reeve_task_runs_total", **labels))
        labels = {"module": "a", "pool": "work"}
        self.assertEqual(metrics.value("reeve_pool_job_duration_seconds_count", **labels), 3)
        self.assertEqual(metrics.value("reeve_pool_job_wait_seconds_count", **labels), 3)
        # The one that waited for its timeout took that long, in whatever bucket that is.
        labels = {"module": "a", "task": "act"}
        self.assertEqual(metrics.value("reeve_task_run_duration_seconds_count", **labels), 3)
        self.assertGreaterEqual(metrics.value("reeve_task_run_duration_seconds_sum", **labels), 0.02)
        self.assertLessEqual(
            metrics.value("reeve_task_run_duration_seconds_bucket", le="0.01", **labels), 2)
        # On request: it had no time to be late by.
        self.assertEqual(metrics.value("reeve_task_lateness_seconds_count", **labels), 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_that_waits_is_counted_when_it_begins(self):
        daemon = self.daemon(puppet("a")).wait_started()
        fifo = self.path(daemon, "fifo")
        os.mkfifo(fifo)
        labels = {"module": "a", "pool": "work"}
        daemon.ctl("submit", "a/work", stdin=f"fifo {fifo}")
        self.wait_trace(daemon, "a reads")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="nothing").returncode, 0)
        metrics = self.metrics(daemon)
        self.assertEqual(metrics.value("reeve_pool_queued", **labels), 1)
        self.assertEqual(metrics.value("reeve_pool_job_wait_seconds_count", **labels), 1)
        self.assertEqual(metrics.value("reeve_pool_job_duration_seconds_count", **labels), 0)
        harness.release(fifo)
        self.wait_value(daemon, 2, "reeve_pool_job_duration_seconds_count", **labels)
        metrics = self.metrics(daemon)
        self.assertEqual(metrics.value("reeve_pool_job_wait_seconds_count", **labels), 2)
        self.assertGreater(metrics.value("reeve_pool_job_wait_seconds_sum", **labels), 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_counters_never_go_back(self):
        daemon = self.daemon(
            HEARTBEAT + "restart-delay = 1ms\nrestart-limit = 1000/1s\n" +
            puppet("a", "restart-limit = 1000/1s", "essential = no") +
            "".join(f"[module:{name}]\nload = {load}\nhost = both\nessential = no\n"
                    "restart-delay = 1ms\nrestart-limit = 1000/1s\n"
                    for name, load in (("b", PUPPET), ("odd", ODD_NAMES)))).wait_started()
        daemon.wait_ready()
        before, ended, problems = {}, threading.Event(), []

        def watch():
            while not ended.is_set():
                metrics = self.metrics(daemon)
                now = metrics.counters()
                for key, value in before.items():
                    if now.get(key, -1) < value:
                        problems.append((key, value, now.get(key)))
                before.update(now)
                self.check_histograms(metrics)

        watcher = harness.Later(watch, "the scrapes")
        for _ in range(5):
            self.assertEqual(self.submit(daemon, "a", "nothing"), 0)
            self.crash(daemon, "a")
            for name in ("b", "heart"):
                pid = daemon.kill(name)
                self.wait_restarted(daemon, name, pid)
            self.assertEqual(daemon.ctl("restart", "odd").returncode, 0)
        ended.set()
        watcher.answer()
        self.assertEqual(problems, [])
        metrics = self.metrics(daemon)
        self.assertEqual(metrics.value("reeve_module_crashes_total", module="a"), 5)
        self.assertEqual(metrics.value("reeve_pool_jobs_finished_total", module="a", pool="work"), 5)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
