#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""More modules and clients than there are descriptors for: some wait, and reeved can still be asked and told."""
import contextlib
import http.client
import os
import re
import resource
import signal
import socket
import threading

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

NOFILE = resource.RLIMIT_NOFILE
# A keep-alive client's.
REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
WAITS = r"cannot start .*reeve-host: of \d+ descriptors \d+ are in use, and the others are kept for requests, " \
        r"reloads and upgrades; each host takes 4: raise LimitNOFILE= of the unit, or ulimit -n: Too many open files"


def many(count, *lines):
    return "".join(puppet(f"m{i}", "essential = no", *lines) for i in range(count))


def slow(config):
    """A module that falls comes back by itself, if at all, not before the end of the test."""
    return config.replace("restart-delay = 1ms", "restart-delay = 1h\nrestart-delay-max = 1h")


class FewTest(upgrading.UpgradeTest):
    def limited(self, config, soft, hard, daemon="", environment=None):
        instance = self.prepared(config, daemon, environment)
        instance.nofile = (soft, hard)
        return instance.start()

    def states(self, daemon):
        return [m["state"] for m in daemon.status()["modules"]]

    def wait_rest(self, daemon):
        """Until as many are ready as there can be; returns how many."""
        harness.wait_until(lambda: set(self.states(daemon)) <= {"ready", "backoff"}, "all to be ready or to wait")
        return self.states(daemon).count("ready")

    def assert_answers(self, daemon):
        self.assertEqual(daemon.request("/livez")[0], 200)
        done = daemon.ctl("status")
        self.assertNotIn("Failure", done.stderr)
        self.assertIn("m0", done.stdout)


class Limits(FewTest):
    def limits(self, pid):
        return resource.prlimit(pid, NOFILE)

    def test_modules_get_the_soft_limit_of_the_start(self):
        daemon = self.limited(HEARTBEAT + "[module:x]\nload = exec\nrun.every = 1000s\ncommand = ulimit -Sn >nofile\n" +
                              puppet("own", "nofile = 77"), 100, 500).wait_ready()
        self.assertEqual(self.limits(daemon.process.pid), (500, 500))
        for generation in 2, 3:
            self.assertEqual(self.limits(daemon.module("heart")["pid"]), (100, 500))
            self.assertEqual(self.limits(daemon.module("own")["pid"]), (77, 77))
            # The one of its start may be under way.
            harness.wait_until(lambda: daemon.ctl("run", "x/run", "--wait").returncode == 0, "a run")
            with open(os.path.join(daemon.state, "nofile"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "100\n")
            self.upgrade(daemon, generation)
            self.assertEqual(self.limits(daemon.process.pid), (500, 500))
            for name in "heart", "own", "x":
                self.assertEqual(daemon.ctl("restart", name).returncode, 0)
        self.assertEqual(daemon.stop(), 0)

    def test_an_upgrade_that_fails_leaves_them(self):
        daemon = self.limited(HEARTBEAT, 100, 500).wait_ready()
        self.install(daemon, "/bin/false")
        self.assertNotEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(self.limits(daemon.process.pid), (500, 500))
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(self.limits(daemon.module("heart")["pid"]), (100, 500))
        self.assertEqual(daemon.stop(), 0)

    def test_more_modules_than_the_soft_limit_has_room_for(self):
        daemon = self.limited(many(24), 64, 400).wait_ready()
        self.assertEqual(self.states(daemon), ["ready"] * 24)
        self.assertEqual(daemon.stop(), 0)


class Modules(FewTest):
    def test_those_without_descriptors_wait(self):
        daemon = self.limited(slow(many(20)), 64, 64).wait_started()
        ready = self.wait_rest(daemon)
        self.assertTrue(2 < ready < 12, ready)
        self.assert_answers(daemon)
        for module in daemon.status()["modules"]:
            if module["state"] == "backoff":
                self.assertRegex(module["output"], WAITS)
        self.assertEqual(len(re.findall("warning .*descriptors are scarce: modules wait", daemon.text())), 1)
        # Told to everybody.
        self.assertIn("descriptors", daemon.request("/health")[2])
        # Those who have descriptors keep them in a restart, though somebody asks for that.
        for module in daemon.status()["modules"]:
            if module["state"] == "ready":
                done = daemon.ctl("restart", module["name"])
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.wait_rest(daemon), ready)
        # It can be replaced, and stopped.
        self.upgrade(daemon, 2)
        self.assertEqual(self.wait_rest(daemon), ready)
        self.assert_answers(daemon)
        self.assertEqual(daemon.ctl("stop", "m0").returncode, 0)
        self.assertEqual(daemon.stop(), 0)

    def test_a_reload_makes_room(self):
        config = slow(many(20))
        daemon = self.limited(config, 64, 64).wait_started()
        self.wait_rest(daemon)
        names = [m["name"] for m in daemon.status()["modules"] if m["state"] == "ready"]
        kept = [section for section in re.split(r"(?=\[module:)", config)
                if section and section.split("]")[0][len("[module:"):] not in names[1:]][:len(names)]
        # One of them is new to the configuration, and so is asked first.
        daemon.write("".join(kept) + slow(puppet("new", "essential = no")))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        # They do not wait for the end of their backoff.
        harness.wait_until(lambda: self.states(daemon).count("ready") == len(names), "those that had waited")
        self.assert_answers(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_a_signal_reloads(self):
        daemon = self.limited(many(20), 64, 64).wait_started()
        self.wait_rest(daemon)
        daemon.write(many(2))
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reload.*done|reloaded")
        harness.wait_until(lambda: self.states(daemon) == ["ready", "ready"], "the two that are left")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("has taken over")
        self.assert_answers(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_a_shared_host_is_one(self):
        """It is to come back, and has descriptors kept for it, but once."""
        shared = "".join(f"[module:s{i}]\nload = heartbeat\nfile = s{i}\nhost = shared\nessential = no\n"
                         "restart-delay = 1ms\n" for i in range(8))
        starved = "".join(puppet(f"z{i}", "essential = no") for i in range(6))
        daemon = self.limited(slow(many(4) + shared + starved), 64, 64).wait_started()
        ready = self.wait_rest(daemon)
        os.kill(daemon.module("s0")["pid"], signal.SIGKILL)
        harness.wait_until(lambda: self.states(daemon).count("ready") == ready - 8, "those of the host to wait")
        for i in range(3):
            self.assertEqual(daemon.ctl("stop", f"m{i}").returncode, 0)
        # One left, for whatever the start of a host takes beside what it keeps.
        harness.wait_until(lambda: self.states(daemon).count("ready") >= ready - 8 - 3 + 2, "those that had waited")
        self.assertEqual(daemon.module("s7")["state"], "backoff")
        self.assertEqual(daemon.stop(), 0)

    def test_one_of_a_shared_host_leaves_it_no_room(self):
        """The descriptors that are kept for another module of the host are kept for this one, too."""
        shared = "".join(f"[module:s{i}]\nload = heartbeat\nfile = s{i}\nhost = shared\nessential = no\n"
                         "restart-delay = 1ms\n" for i in range(2))
        daemon = self.limited(slow(shared + many(12)), 64, 64).wait_started()
        self.wait_rest(daemon)
        names = {state: [m["name"] for m in daemon.status()["modules"] if m["state"] == state and m["name"][0] == "m"]
                 for state in ("ready", "backoff")}
        for name in names["backoff"][1:]:
            self.assertEqual(daemon.ctl("stop", name).returncode, 0)
        os.kill(daemon.module("s0")["pid"], signal.SIGKILL)
        harness.wait_until(lambda: daemon.module("s0")["state"] == "backoff", "a backoff")
        self.assertEqual(daemon.ctl("start", names["backoff"][0]).returncode, 0)
        self.assertNotEqual(daemon.ctl("start", "s1").returncode, 0)
        self.assertRegex(daemon.module("s1")["output"], WAITS)
        self.assertEqual(daemon.ctl("stop", names["ready"][0]).returncode, 0)
        harness.wait_until(lambda: daemon.module("s1")["state"] == "ready", "it to start")
        self.assertEqual(daemon.stop(), 0)

    def test_those_of_a_shared_host_come_together(self):
        """When there are descriptors for it."""
        shared = "".join(f"[module:s{i}]\nload = heartbeat\nfile = s{i}\nhost = shared\nessential = no\n"
                         "restart-delay = 1ms\n" for i in range(3))
        daemon = self.limited(slow(many(9) + shared), 64, 64).wait_started()
        self.wait_rest(daemon)
        for i in range(3):
            self.assertEqual(daemon.module(f"s{i}")["state"], "backoff")
        for i in range(9):
            if daemon.module("s0")["state"] == "backoff":
                daemon.ctl("stop", f"m{i}")
        harness.wait_until(lambda: [daemon.module(f"s{i}")["state"] for i in range(3)] == ["ready"] * 3, "all three")
        self.assertEqual(daemon.stop(), 0)

    def test_checks_wait_for_each_other(self):
        """A reload that changes many modules, while there are descriptors for one check at a time."""
        daemon = self.limited(many(20), 64, 64).wait_started()
        ready = self.wait_rest(daemon)
        daemon.write(many(20).replace("label = m", "label = n"))
        done = daemon.ctl("reload", "--plan")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = daemon.ctl("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        daemon.write(many(3))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertGreater(ready, 2)
        self.assertEqual(daemon.stop(), 0)


class Clients(FewTest):
    def flood(self, daemon, count):
        """Clients that ask again and again, and come again when they are disconnected, until the test is over."""
        ended = threading.Event()
        clients = []

        def keep():
            while not ended.is_set():
                while len(clients) < count:
                    try:
                        client = socket.create_connection(("127.0.0.1", daemon.port), 1)
                        clients.append(client)
                        client.sendall(REQUEST)
                    except OSError:
                        break
                for client in list(clients):
                    try:
                        client.sendall(REQUEST)
                        client.setblocking(False)
                        with contextlib.suppress(BlockingIOError):
                            if not client.recv(65536):
                                raise ConnectionError
                    except OSError:
                        client.close()
                        clients.remove(client)
                ended.wait(0.02)
            for client in clients:
                client.close()

        thread = threading.Thread(target=keep)
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)
        _ = daemon.port
        thread.start()
        harness.wait_until(lambda: len(clients) >= min(count, 30), "the clients")
        return clients

    def test_the_control_socket_and_modules_go_before_clients(self):
        daemon = self.limited(many(10), 160, 160).wait_ready()
        self.flood(daemon, 150)
        daemon.wait_log("warning .*descriptors are scarce: the idlest clients are disconnected; of 160 descriptors")
        self.assert_answers(daemon)
        # What falls comes back, though others would have its descriptors.
        for _ in range(3):
            before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
            for pid in before.values():
                os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: all(m["state"] == "ready" and m["pid"] != before[m["name"]]
                                           for m in daemon.status()["modules"]), "all to be back")
        self.assert_answers(daemon)
        self.assertNotIn("Too many open files", daemon.text())
        self.assertEqual(daemon.text().count("descriptors are scarce"), 1)
        self.assertEqual(daemon.stop(), 0)

    def test_silent_clients_beside_a_full_house(self):
        """Modules have taken all that they may have; clients that say nothing come again and again."""
        daemon = self.limited(many(20), 64, 64).wait_started()
        self.wait_rest(daemon)
        silent = [socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE) for _ in range(60)]
        for client in silent:
            self.addCleanup(client.close)
        self.assert_answers(daemon)
        self.upgrade(daemon, 2)
        self.assert_answers(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_those_who_only_looked_at_the_control_socket_leave_room(self):
        for limit in range(62, 66):
            daemon = self.limited(many(20), limit, limit).wait_started()
            self.wait_rest(daemon)
            for _ in range(60):
                connection = harness.UnixConnection(daemon.control)
                self.addCleanup(connection.close)
                with contextlib.suppress(OSError, http.client.HTTPException):
                    connection.request("GET", "/v1/status")
                    connection.getresponse().read()
            # Something to check for each module.
            daemon.write(many(20, "act.every = 1h"))
            done = daemon.ctl("reload", "--plan")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_answers(daemon)
            self.assertEqual(daemon.stop(), 0)

    def test_those_who_wait_at_the_control_socket_leave_room(self):
        daemon = self.limited(many(20), 64, 64).wait_started()
        self.wait_rest(daemon)
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "m0", "fifo " + fifo)
        waiting = []
        for _ in range(30):
            connection = harness.UnixConnection(daemon.control)
            self.addCleanup(connection.close)
            connection.request("POST", "/v1/run?module=m0&task=act&wait")
            waiting.append(connection)
        self.assert_answers(daemon)
        daemon.write(many(1))
        self.assertEqual(daemon.ctl("reload", "--plan").returncode, 0)
        harness.release(fifo)
        self.assert_answers(daemon)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
