#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The spool: which files it takes, and what becomes of them."""
import contextlib
import os
import shutil

import harness
from spooling import SpoolTest


class Spool(SpoolTest):
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

    def test_a_restart_while_the_queue_is_full(self):
        """It cancels the watch, which waits for room: that is no failure."""
        daemon = self.spool("exec sleep 1000", "process.queue = 2", "process.workers = 1", "drain = 1ms").wait_started()
        for i in range(9):
            self.put(daemon, f"file{i}")
        for _ in range(8):
            harness.wait_until(lambda: daemon.module("spool")["pools"][0]["queued"] == 2, "a full queue")
            self.assertEqual(daemon.ctl("restart", "spool").returncode, 0)
        self.assertEqual(daemon.module("spool")["tasks"][0]["failures"], 0, daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("Broken pipe", daemon.text())

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

    def test_a_name_that_can_never_be_right(self):
        """It is refused at once, and nothing of the module's is wrong."""
        daemon = self.spool("true", "ignore = *.part").wait_started()
        for data, said in ("../reeve.ini", r'"\.\./reeve\.ini" is not the name of a file that the spool takes'), \
                (".hidden", '"\\.hidden" is not'), ("a.part", '"a\\.part" is not'), ("", '"" is not'), ("\n", '"\\S*" is not'), \
                ("a\0b", '"a" is not'), ("x" * 300, '"x+" is not'), ("done", "spool/done: it is no regular file"):
            done = daemon.ctl("submit", "spool/process", "--wait", stdin=data)
            self.assertEqual(done.returncode, 1, data)
            self.assertRegex(done.stdout, rf"^job \d+ failed after \S+: {said}.* \(EBADMSG\)$")
        pool = harness.wait_until(lambda: (p := daemon.module("spool")["pools"][0])["failed"] == 8 and p, "the count")
        self.assertEqual((pool["retried"], pool["last_error"]), (0, ""))
        self.assertEqual(daemon.health()["status"], "pass", daemon.health())
        self.assertNotIn("attempt", daemon.text())
        daemon.wait_log(r'warning \[spool/process#2\] refused: "\.hidden" is not the name')
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_from_outside(self):
        """Its data are a name, with or without the line end that echo writes."""
        daemon = self.spool("true", "process.retries = 0", start=False)
        daemon.start().wait_started()
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch\n")
        self.assertRegex(done.stdout, r"spool/nosuch: No such file or directory \(ENOENT\)")
        # Not as the watch's own, of which somebody may take a file away again.
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch\0")
        self.assertRegex(done.stdout, r'"nosuch" is not the name of a file that the spool takes \(EBADMSG\)')
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
        harness.release(os.path.join(daemon.state, "fifo"))
        harness.wait_until(lambda: pool()["finished"] == 2, "both")
        self.assertEqual(pool()["failed"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_folder_that_goes_away(self):
        daemon = self.spool("true").wait_started()
        shutil.rmtree(self.path(daemon))
        daemon.wait_log(r"\[spool\] .*spool\S* is gone; restart")
        harness.wait_until(lambda: os.path.isdir(self.path(daemon, "failed")), "a new directory")
        self.put(daemon, "later")
        self.wait_done(daemon, "later")
        self.assertEqual(daemon.stop(), 0, daemon.text())

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

    def test_a_consumer_that_takes_what_is_done_at_once(self):
        daemon = self.spool('echo "$1" >> runs; echo result').wait_started()
        names = [f"file{i}" for i in range(30)]
        os.mkdir(self.path(daemon, "..", "taken"))
        for name in names:
            self.put(daemon, name)
        taken = set()

        def take():
            for name in set(names) - taken:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(self.path(daemon, "done", name), self.path(daemon, "..", "taken", name))
                    taken.add(name)
            return len(taken) == len(names) or None
        harness.wait_until(take, "all files")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == pool()["accepted"], "all jobs")
        self.assertEqual(pool()["accepted"], 30)
        self.assertEqual(len(self.runs(daemon)), 30)
        self.assertEqual(sorted(os.listdir(self.path(daemon, "done"))), sorted(name + ".output" for name in names))
        self.assertNotIn("processed again", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_command_that_removes_its_file(self):
        daemon = self.spool('echo gone; rm "$1"').wait_started()
        self.put(daemon, "a")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == 1, "the job")
        self.assertEqual(sorted(os.listdir(self.path(daemon))), ["done", "failed"])
        self.assertEqual(os.listdir(self.path(daemon, "done")), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def blocked(self, command, folder):
        """A spool that has run the command for the file "a", and cannot move it there."""
        daemon = self.spool(command, "process.retries = 1", start=False)
        # Root may write anywhere, but not in place of a directory.
        os.makedirs(self.path(daemon, folder, ".a.output.new"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        self.put(daemon, "a")
        daemon.wait_log(rf"attempt 2 of \d failed: a is processed, and only its move to {folder}/ is tried again: "
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
        daemon.wait_log(r"attempt 2 of \d failed: a is processed, and only its move", mark)
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

    def test_an_output_that_is_cut(self):
        daemon = self.spool("seq 1000", "output-max = 8").wait_started()
        self.put(daemon, "a")
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "1\n2\n\n[... 3885 bytes left out ...]\n000\n")
        daemon.wait_log(r"warning \[spool/process#1\] a: its command's output is longer than `output-max`: the middle of it "
                        "is not kept")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_that_is_linked_in(self):
        """The kernel tells of its name alone."""
        daemon = self.spool('echo "$(basename "$1")" >> runs', "process.workers = 1").wait_started()
        self.wait_watch(daemon)
        outside = os.path.join(daemon.folder, "outside")
        with open(outside, "w", encoding="utf-8") as file:
            file.write("text")
        os.link(outside, self.path(daemon, "linked"))
        self.put(daemon, "renamed")
        self.wait_runs(daemon, "linked", "renamed")
        # As mail is delivered: the other name is gone when the event is read, or soon after.
        with open(f"{outside}-mail", "w", encoding="utf-8") as file:
            file.write("text")
        os.link(f"{outside}-mail", self.path(daemon, "mail"))
        os.unlink(f"{outside}-mail")
        self.wait_done(daemon, "mail")
        self.assertEqual(self.runs(daemon), ["linked", "renamed", "mail"])
        # One that is still written is not taken.
        with open(f"{outside}-growing", "w", encoding="utf-8") as file:
            os.link(f"{outside}-growing", self.path(daemon, "growing"))
            self.put(daemon, "after")
            self.wait_done(daemon, "after")
            self.assertEqual(self.runs(daemon)[3:], ["after"])
            os.unlink(self.path(daemon, "growing"))
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
        harness.release(os.path.join(daemon.state, "fifo"))
        self.wait_done(daemon, "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_timeout_is_told(self):
        """Whatever the command makes of its SIGTERM."""
        for command, retries in ("sleep 1000", 0), ("trap 'exit 7' TERM; sleep 1000 & wait", 0), \
                ("trap 'exit 0' TERM; sleep 1000 & wait", 0), ("trap '' TERM; while :; do sleep 0.1; done", 1):
            daemon = self.spool(command, "process.timeout = 1s", f"process.retries = {retries}",
                                "kill-after = 200ms", "process.grace = 1000s").wait_started()
            self.put(daemon, "a")
            daemon.wait_log(r"moved to failed/: a: its command was ended by its timeout$")
            if retries:
                daemon.wait_log(r"attempt 1 of 2 failed: a: its command was ended by its timeout")
            self.assertNotRegex(daemon.text(), "killed by|exit code")
            harness.wait_until(lambda: "its timeout" in daemon.module("spool")["pools"][0]["last_error"], "the error")
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_is_well_again_after_a_crash(self):
        daemon = self.spool("true").wait_started()
        self.wait_watch(daemon)
        daemon.kill("spool")
        harness.wait_until(lambda: daemon.module("spool")["restarts"] == 1 and daemon.health()["status"] == "pass", "health")
        watch = next(t for t in daemon.module("spool")["tasks"] if t["name"] == "watch")
        self.assertEqual((watch["failures"], watch["status"]), (1, "pass"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_without_time_for_its_retries(self):
        """It has ended, so that others may have the file: who asks again, and the watch."""
        daemon = self.spool("echo ran >> runs; exit 1", "process.backoff-max = 1h", backoff="1h").wait_started()
        self.wait_watch(daemon)
        os.mknod(self.path(daemon, "a"))
        for count in 1, 2:
            done = daemon.ctl("submit", "spool/process", "--wait", "--timeout", "1min", stdin="a")
            self.assertIn("a: /bin/sh: exit code 1", done.stdout)
            self.assertEqual(self.runs(daemon), count * ["ran"])
        self.put(daemon, "a")
        self.wait_runs(daemon, "ran", "ran", "ran")
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
