#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The spool: which files it takes, and what becomes of them."""
import os
import shutil

import harness


class Spool(harness.DaemonTest):
    def spool(self, command, *lines, **options):
        return self.daemon("\n".join(["[module:spool]", "load = spool", "directory = spool",
                                      f"command = {command}", "process.backoff = 1ms",
                                      "restart-delay = 1ms", *lines, ""]), **options)

    def path(self, daemon, *names):
        return os.path.join(daemon.state, "spool", *names)

    def put(self, daemon, name):
        with open(self.path(daemon, ".new"), "w", encoding="utf-8") as file:
            file.write(name)
        os.rename(self.path(daemon, ".new"), self.path(daemon, name))

    def wait_done(self, daemon, *names):
        for name in names:
            harness.wait_until(lambda: os.path.exists(self.path(daemon, "done", name)), name)

    def test_what_is_there_at_the_start(self):
        daemon = self.spool('cat "$1"', start=False)
        os.makedirs(self.path(daemon, "folder"))
        self.put(daemon, "whole")
        self.put(daemon, ".hidden")
        os.symlink("/etc/passwd", self.path(daemon, "link"))
        os.mkfifo(self.path(daemon, "fifo"))
        with open(self.path(daemon, "growing"), "w", encoding="utf-8") as writer:
            daemon.start().wait_started()
            self.wait_done(daemon, "whole.output")
            # Somebody still writes it.
            self.assertTrue(os.path.exists(self.path(daemon, "growing")))
            writer.write("all of it")
        self.wait_done(daemon, "growing.output")
        with open(self.path(daemon, "done", "growing.output"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "all of it")
        # What is no file of ours is left alone.
        for name in (".hidden", "link", "fifo", "folder"):
            self.assertTrue(os.path.lexists(self.path(daemon, name)), name)
        self.assertEqual(sorted(os.listdir(self.path(daemon, "failed"))), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_more_files_than_the_queue_holds(self):
        daemon = self.spool("true", "process.queue = 2", "process.workers = 3").wait_started()
        names = [f"file{i}" for i in range(300)]
        for name in names:
            self.put(daemon, name)
        self.wait_done(daemon, *names)
        pool = lambda: daemon.module("spool")["pools"][0]
        # A file is in its place a moment before its job has ended.
        harness.wait_until(lambda: pool()["finished"] == pool()["accepted"], "all jobs")
        self.assertEqual(pool()["accepted"], 300)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_from_outside_stays_in_the_folder(self):
        daemon = self.spool("touch ../ran", "process.retries = 0").wait_started()
        for name in ("../reeve.ini", "/etc/passwd", ".hidden", "done"):
            done = daemon.ctl("submit", "spool/process", "--wait", stdin=name)
            self.assertEqual(done.returncode, 1, name)
        self.assertFalse(os.path.exists(os.path.join(daemon.folder, "ran")))
        self.assertTrue(os.path.exists(daemon.config_path))
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"failed after \S+: spool/nosuch: No such file or directory "
                         r"\(ENOENT\)")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_that_is_taken_away_again_is_no_failure(self):
        daemon = self.spool("touch ready; cat fifo", "process.workers = 1").wait_started()
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        self.put(daemon, "first")
        harness.wait_until(lambda: os.path.exists(os.path.join(daemon.state, "ready")), "the first")
        self.put(daemon, "second")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["queued"] == 1, "the second to be queued")
        os.unlink(self.path(daemon, "second"))
        with open(os.path.join(daemon.state, "fifo"), "w", encoding="utf-8"):
            pass
        harness.wait_until(lambda: pool()["finished"] == 2, "both")
        self.assertEqual(pool()["failed"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_folder_that_goes_away(self):
        daemon = self.spool("true").wait_started()
        shutil.rmtree(self.path(daemon))
        daemon.wait_log(r"\[spool\] .*spool\S* is gone; restart")
        harness.wait_until(lambda: os.path.isdir(self.path(daemon, "failed")), "a new folder")
        self.put(daemon, "later")
        self.wait_done(daemon, "later")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def content(self, daemon, *names):
        with open(self.path(daemon, *names), encoding="utf-8") as file:
            return file.read()

    def test_nothing_is_overwritten(self):
        daemon = self.spool('echo "of $(basename "$1")"', "process.workers = 1", start=False)
        os.makedirs(self.path(daemon, "done"))
        # Left by a power cut between the output and its file, say.
        with open(self.path(daemon, "done", "a.output"), "w", encoding="utf-8") as file:
            file.write("of somebody else")
        daemon.start().wait_started()
        self.put(daemon, "a")
        self.wait_done(daemon, "a.1")
        self.assertEqual(self.content(daemon, "done", "a.1.output"), "of a\n")
        # A file whose name is that of an output, and then the one whose output has that name.
        self.put(daemon, "b.output")
        self.wait_done(daemon, "b.output")
        self.put(daemon, "b")
        self.wait_done(daemon, "b.1")
        self.assertEqual(sorted(os.listdir(self.path(daemon, "done"))),
                         ["a.1", "a.1.output", "a.output", "b.1", "b.1.output", "b.output",
                          "b.output.output"])
        self.assertEqual(self.content(daemon, "done", "a.output"), "of somebody else")
        self.assertEqual(self.content(daemon, "done", "b.output"), "b.output")
        self.assertEqual(self.content(daemon, "done", "b.output.output"), "of b.output\n")
        long = "x" * 255
        self.put(daemon, long)
        self.wait_done(daemon, long)
        self.assertEqual(self.content(daemon, "done", "x" * 248 + ".output"), f"of {long}\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_command_that_removes_its_file(self):
        daemon = self.spool('echo gone; rm "$1"').wait_started()
        self.put(daemon, "a")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == 1, "the job")
        self.assertEqual(sorted(os.listdir(self.path(daemon))), ["done", "failed"])
        self.assertEqual(os.listdir(self.path(daemon, "done")), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def runs(self, daemon):
        with open(os.path.join(daemon.state, "runs"), encoding="utf-8") as file:
            return file.read().split()

    def blocked(self, command, folder):
        """A spool that has run the command for the file "a", and cannot move it there."""
        daemon = self.spool(command, "process.retries = 1", start=False)
        # Root may write anywhere, but not in place of a folder.
        os.makedirs(self.path(daemon, folder, ".a.output.new"))
        daemon.start().wait_started()
        # After the first scan: a file that is scanned, and arrives as well, is looked at twice.
        harness.wait_until(
            lambda: daemon.module("spool")["tasks"][0]["progress"].startswith("watching"), "the watch")
        self.put(daemon, "a")
        daemon.wait_log(rf"attempt 2 failed: a is processed, and only its move to {folder}/ is tried again: "
                        "create a temporary file beside a.output: Is a directory")
        harness.wait_until(lambda: daemon.module("spool")["pools"][0]["failed"] == 1, "the job's end")
        return daemon

    def unblock(self, daemon, folder):
        os.rmdir(self.path(daemon, folder, ".a.output.new"))

    def look_again(self, daemon):
        """As a scan does: a writer that closes the file without a change."""
        os.close(os.open(self.path(daemon, "a"), os.O_WRONLY))

    def test_a_move_that_fails_does_not_run_the_command_again(self):
        daemon = self.blocked('echo ran >> runs; cat "$1"', "done")
        self.assertTrue(os.path.exists(self.path(daemon, "a")))
        mark = daemon.mark()
        self.look_again(daemon)
        daemon.wait_log("attempt 2 failed: a is processed, and only its move", mark)
        self.unblock(daemon, "done")
        self.look_again(daemon)
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_failed_file_that_cannot_be_moved(self):
        daemon = self.blocked('echo ran >> runs; echo why; exit 7', "failed")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.unblock(daemon, "failed")
        # Whoever asks for it gets the move alone.
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="a")
        self.assertEqual(done.returncode, 0, done.stdout)
        daemon.wait_log(r"\[spool/process#2\] moved to failed/: a: /bin/sh: exit code 7")
        self.assertEqual(self.content(daemon, "failed", "a.output"), "why\n")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_another_file_in_place_of_one_that_could_not_be_moved(self):
        daemon = self.blocked('echo ran >> runs; cat "$1"', "done")
        self.unblock(daemon, "done")
        with open(self.path(daemon, ".new"), "w", encoding="utf-8") as file:
            file.write("another")
        os.rename(self.path(daemon, ".new"), self.path(daemon, "a"))
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "another")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_is_processed_by_one_job(self):
        daemon = self.spool("echo ran >> runs; cat fifo", start=False)
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        daemon.start().wait_started()
        self.put(daemon, "a")
        harness.wait_until(lambda: os.path.exists(os.path.join(daemon.state, "runs")), "its command")
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="a")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("spool/a: Operation already in progress", done.stdout)
        with open(os.path.join(daemon.state, "fifo"), "w", encoding="utf-8"):
            pass
        self.wait_done(daemon, "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_in_the_middle_runs_it_again(self):
        daemon = self.spool('echo run >> runs; test -e go || sleep 1000', "drain = 0",
                            "grace = 1000s", daemon="shutdown-timeout = 1000s").wait_started()
        self.put(daemon, "job")
        runs = os.path.join(daemon.state, "runs")
        harness.wait_until(lambda: os.path.exists(runs) and os.path.getsize(runs), "a run")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertTrue(os.path.exists(self.path(daemon, "job")))
        with open(os.path.join(daemon.state, "go"), "w", encoding="utf-8"):
            pass
        daemon.log.clear()
        daemon.start().wait_started()
        self.wait_done(daemon, "job")
        with open(runs, encoding="utf-8") as file:
            self.assertEqual(file.read(), "run\nrun\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
