#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reeved with the four modules: what an operator sees when things go well, and when they do not."""
import http.server
import os
import signal
import threading
import time

import harness

HEARTBEAT = "[module:heartbeat]\nload = heartbeat\nbeat.every = 100ms\n"


class Web(http.server.ThreadingHTTPServer):
    """A server at port 0 that can be told to fail; at its own address, so that it can come back."""

    def __init__(self):
        self.status = 200
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"hi\n")

        def log_message(self, *_):
            pass

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Modules(harness.DaemonTest):
    def spool(self, daemon, name, text="x"):
        """Puts a file into the spool directory as a careful writer would."""
        folder = os.path.join(daemon.state, "spool")
        hidden = os.path.join(folder, "." + name)
        with open(hidden, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(hidden, os.path.join(folder, name))

    def wait_file(self, daemon, *parts):
        path = os.path.join(daemon.state, *parts)
        harness.wait_until(lambda: os.path.exists(path), path)
        return path

    def test_a_name_that_comes_again_at_once(self):
        daemon = self.daemon("[module:spool]\nload = spool\ndirectory = spool\ncommand = cat \"$1\"\n").wait_started()
        # The file before is in done/, and its job still waits for the disk.
        for number in range(20):
            self.spool(daemon, "name", f"{number}\n")
            done = self.wait_file(daemon, "spool", "done", f"name.{number}" if number else "name")
            with open(done + ".output", encoding="utf-8") as file:
                self.assertEqual(file.read(), f"{number}\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_four_modules(self):
        web = Web()
        self.addCleanup(web.close)
        daemon = self.daemon(
            HEARTBEAT +
            "[module:date]\nload = exec\ncommand = echo today\nrun.every = 200ms\n"
            f"[module:web]\nload = httpcheck\nurl = {web.url}\ncheck.every = 100ms\nessential = no\n"
            "[module:spool]\nload = spool\ndirectory = spool\ncommand = cat \"$1\"\n").wait_started()
        for name in ("heartbeat", "date", "web", "spool"):
            harness.wait_until(lambda: daemon.check(f"{name}:state")["observedValue"] == "ready", name)
        harness.wait_until(lambda: daemon.health()["status"] == "pass", "pass")
        self.assertEqual(daemon.request("/readyz/spool")[0], 200)
        # A file that arrives is processed, with its output beside it.
        self.spool(daemon, "a file; with $(odd) name", "content\n")
        # The file comes last: with it the output is there.
        done = self.wait_file(daemon, "spool", "done", "a file; with $(odd) name")
        with open(done + ".output", encoding="utf-8") as file:
            self.assertEqual(file.read(), "content\n")
        # A name that is there already gets a suffix.
        self.spool(daemon, "a file; with $(odd) name", "again\n")
        self.wait_file(daemon, "spool", "done", "a file; with $(odd) name.1.output")
        # A URL that stops answering turns its check, with the reason, and back.
        web.status = 500
        check = harness.wait_until(
            lambda: (c := daemon.check("web/check:duration"))["status"] == "warn" and c, "warn")
        self.assertIn(f"{web.url}: status 500, expected 200", check["output"])
        web.status = 200
        harness.wait_until(lambda: daemon.check("web/check:duration")["status"] == "pass", "pass")
        # The file is there a moment before its job has ended.
        harness.wait_until(lambda: 'reeve_pool_jobs_finished_total{module="spool",pool="process"} 2' in
                           daemon.request("/metrics")[2], "both jobs")
        self.assertIn('reeve_module_ready{module="date"} 1', daemon.request("/metrics")[2])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_killed_host_comes_back_alone(self):
        daemon = self.daemon(HEARTBEAT + "[module:other]\nload = exec\ncommand = true\n"
                             "restart-delay = 50ms\n").wait_started()
        heart, victim = daemon.module("heartbeat")["pid"], daemon.module("other")["pid"]
        mark = daemon.mark()
        os.kill(victim, signal.SIGKILL)
        daemon.wait_log(r"\[other\] killed by SIGKILL; restart 1 in", mark)
        # Health keeps answering, and tells.
        self.assertIn(daemon.health()["http"], (200, 503))
        daemon.wait_log(r"\[other\] ready", mark)
        self.assertNotEqual(daemon.module("other")["pid"], victim)
        self.assertEqual(daemon.module("other")["restarts"], 1)
        runs = daemon.module("heartbeat")["tasks"][0]["runs"]
        harness.wait_until(lambda: daemon.module("heartbeat")["tasks"][0]["runs"] > runs, "ticks")
        self.assertEqual(daemon.module("heartbeat")["pid"], heart)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_finishes_work_and_tells_tasks_why(self):
        daemon = self.daemon(
            "[module:spool]\nload = spool\ndirectory = spool\n"
            "command = touch begun; read x < fifo; echo finished\n"
            "[module:sleeper]\nload = exec\ncommand = sleep 1000\nrun.every = 1h\n"
            "run.timeout = 1h\nrun.on-error = continue\n").wait_started()
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        self.spool(daemon, "job")
        self.wait_file(daemon, "begun")
        harness.wait_until(lambda: daemon.module("sleeper")["tasks"][0]["state"] == "running", "run")
        pids = [daemon.module(name)["pid"] for name in ("spool", "sleeper")]
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(f"stopping: SIGTERM from pid {os.getpid()} uid {os.getuid()}")
        # Alive, though not ready, while work is finished.
        harness.wait_until(lambda: daemon.request("/readyz")[0] == 503, "unready")
        self.assertEqual(daemon.request("/livez")[0], 200)
        with open(os.path.join(daemon.state, "fifo"), "w", encoding="utf-8") as file:
            file.write("go\n")
        self.assertEqual(daemon.wait(), 0, daemon.text())
        with open(os.path.join(daemon.state, "spool", "done", "job.output"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "finished\n")
        for pid in pids:
            self.assertFalse(harness.is_alive(pid))

    def test_nothing_is_lost_when_a_host_dies_in_the_middle(self):
        daemon = self.daemon("[module:spool]\nload = spool\ndirectory = spool\nrestart-delay = 1ms\n"
                             "command = echo \"$1\" >> runs; test -e go || read x < fifo\n").wait_started()
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        for i in range(5):
            self.spool(daemon, f"job{i}")
        self.wait_file(daemon, "runs")
        os.kill(daemon.module("spool")["pid"], signal.SIGKILL)
        with open(os.path.join(daemon.state, "go"), "w", encoding="utf-8"):
            pass
        for i in range(5):
            self.wait_file(daemon, "spool", "done", f"job{i}")
        folder = os.path.join(daemon.state, "spool")
        harness.wait_until(lambda: not [n for n in os.listdir(folder) if n.startswith("job")], "empty")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_failing_commands_end_in_failed(self):
        daemon = self.daemon("[module:spool]\nload = spool\ndirectory = spool\nprocess.retries = 1\n"
                             "process.backoff = 1ms\ncommand = echo try; exit 7\n").wait_started()
        self.spool(daemon, "bad")
        self.wait_file(daemon, "spool", "failed", "bad.output")
        daemon.wait_log(r"\[spool/process#1\] attempt 2 of \d failed: moved to failed/: bad: /bin/sh: exit code 7")
        pool = harness.wait_until(lambda: (p := daemon.module("spool")["pools"][0])["failed"] and p, "failed")
        self.assertEqual((pool["retried"], pool["accepted"], pool["lost"]), (1, 1, 0))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    # A command that ignores SIGTERM, as does what it started; "family" tells their ids.
    STUBBORN = ("command = trap '' TERM; sleep 1000 & echo $$ $! > family.new; mv family.new family; "
                "while :; do wait; done\n")

    def family(self, daemon):
        with open(self.wait_file(daemon, "family"), encoding="utf-8") as file:
            return [int(pid) for pid in file.read().split()]

    def test_a_second_signal_ends_at_once(self):
        daemon = self.daemon("[module:slow]\nload = exec\n" + self.STUBBORN + "grace = 1000s\n"
                             "drain = 1000s\nrun.grace = 1000s\n",
                             daemon="shutdown-timeout = 1000s").wait_started()
        family = self.family(daemon)
        began = time.monotonic()
        daemon.signal(signal.SIGINT)
        daemon.wait_log("stopping: SIGINT")
        # As timeout(1) does.
        daemon.signal(signal.SIGINT)
        daemon.wait_log("SIGINT from pid .*(, again within a second: taken for one|: ending at once)")
        # A machine that stands still makes it a second one.
        if time.monotonic() - began < 1:
            self.assertNotIn("ending at once", daemon.text())

        def insist():
            daemon.signal(signal.SIGINT)
            return "ending at once" in daemon.text()
        harness.wait_until(insist, "it to be taken for a second one")
        self.assertEqual(daemon.wait(), 1)
        for pid in family:
            self.assertFalse(harness.is_alive(pid), "left behind")

    def test_hosts_end_with_their_supervisor(self):
        daemon = self.daemon(HEARTBEAT + "[module:other]\nload = exec\ncommand = true\n"
                             "[module:stubborn]\nload = exec\ngrace = 100ms\n"
                             "run.grace = 1000s\n" + self.STUBBORN).wait_started()
        pids = [daemon.module(name)["pid"] for name in ("heartbeat", "other", "stubborn")]
        os.kill(pids[1], signal.SIGSTOP)
        pids += self.family(daemon)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        for pid in pids:
            harness.wait_until(lambda: not harness.is_alive(pid), f"the end of {pid}")


class Control(harness.DaemonTest):
    def test_run_and_submit(self):
        daemon = self.daemon("[module:heartbeat]\nload = heartbeat\nbeat.every = 1h\n"
                             "[module:spool]\nload = spool\ndirectory = spool\n"
                             "command = true\n").wait_started()
        # A run of its own would be in the way.
        harness.wait_until(lambda: daemon.module("heartbeat")["tasks"][0]["runs"], "the first run")
        done = daemon.ctl("run", "heartbeat/beat", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"run \d+ succeeded in")
        done = daemon.ctl("run", "heartbeat/bet", "--wait")
        self.assertEqual(done.returncode, 5)
        self.assertIn('module heartbeat has no task "bet"; it has beat', done.stderr)
        done = daemon.ctl("run", "hartbeat/beat")
        self.assertIn('there is no module "hartbeat"; did you mean "heartbeat"?', done.stderr)
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nothere")
        self.assertEqual(done.returncode, 1, done.stderr)
        done = daemon.ctl("submit", "spool/process", stdin="x" * 70000)
        self.assertEqual(done.returncode, 1)
        self.assertIn("64 KiB", done.stderr)
        self.assertEqual(daemon.ctl("frobnicate").returncode, 2)
        self.assertIn("heartbeat", daemon.ctl("status").stdout)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        done = daemon.ctl("status")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no reeved listens", done.stderr)

    def test_the_socket_is_for_its_owner(self):
        daemon = self.daemon().wait_started()
        self.assertEqual(os.stat(daemon.control).st_mode & 0o777, 0o600)
        self.assertEqual(daemon.ask("/v1/reload", "GET")[0], 405)
        self.assertEqual(daemon.ask("/v1/nothing")[0], 404)
        # A second daemon does not take the socket away.
        other = harness.Daemon("", f"control = {daemon.control}")
        self.addCleanup(other.close)
        self.assertEqual(other.start().wait(), 1)
        self.assertIn("another reeved uses it", other.text())
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(daemon.control))

    def test_reload_touches_only_what_changed(self):
        exec_module = "[module:{0}]\nload = exec\ncommand = {1}\n"
        config = HEARTBEAT + exec_module.format("a", "true") + exec_module.format("gone", "true")
        daemon = self.daemon(config).wait_started()
        before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        daemon.write(HEARTBEAT + exec_module.format("a", "echo new") + exec_module.format("new", "true"))
        done = daemon.ctl("reload")
        self.assertEqual((done.returncode, done.stdout), (0, "reloaded\n"), done.stderr)
        after = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(set(after), {"heartbeat", "a", "new"})
        # Both unchanged and reloaded modules keep their process.
        self.assertEqual((after["heartbeat"], after["a"]), (before["heartbeat"], before["a"]))
        self.assertFalse(harness.is_alive(before["gone"]))
        # Its schedule goes on where it was; a run on request has the new options.
        self.assertEqual(daemon.ctl("run", "a/run", "--wait").returncode, 0)
        self.assertIn("new", daemon.module("a")["tasks"][0]["progress"])
        # A configuration that is wrong changes nothing, and says why.
        daemon.write(HEARTBEAT + "[module:a]\nload = exec\ncomand = x\nrun.evry = 5s\n")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn('unknown key "comand"; did you mean "command"?', done.stderr)
        self.assertIn('did you mean "run.every"?', done.stderr)
        self.assertEqual({m["name"]: m["pid"] for m in daemon.status()["modules"]}, after)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_shared_host(self):
        daemon = self.daemon("[module:a]\nload = heartbeat\nhost = both\nrestart-delay = 1ms\n"
                             "[module:b]\nload = exec\ncommand = true\nhost = both\n"
                             "restart-delay = 1ms\n").wait_started()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.module("b")["pid"], pid)
        mark = daemon.mark()
        os.kill(pid, signal.SIGKILL)
        daemon.wait_log(r"\[a\] ready", mark)
        daemon.wait_log(r"\[b\] ready", mark)
        self.assertEqual(daemon.module("a")["pid"], daemon.module("b")["pid"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
