#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades under load, and with peers that are slow: no request fails."""
import http.client
import socket
import threading

import harness
import upgrading
from puppetry import HEARTBEAT, puppet


class UnderLoad(upgrading.UpgradeTest):
    def test_no_request_fails(self):
        """Probes over connections that are kept, and over new ones, while the program changes ten times."""
        daemon = self.installed(HEARTBEAT + puppet("p"))
        port, stop, failures = daemon.port, threading.Event(), []
        counts = {"kept": 0, "new": 0, "control": 0}

        # /metrics answers 200 whatever the tasks do; /health turns when a tick is late on a busy machine.
        def ask(connection, path="/metrics"):
            connection.request("GET", path)
            response = connection.getresponse()
            if response.status != 200 or not response.read():
                raise AssertionError(f"{path}: {response.status}")

        def keep_asking(kind):
            connection = None
            try:
                while not stop.is_set():
                    if kind == "control":
                        connection = connection or harness.UnixConnection(daemon.control)
                        ask(connection, "/v1/status")
                    else:
                        connection = connection or http.client.HTTPConnection(
                            "127.0.0.1", port, timeout=harness.PATIENCE)
                        ask(connection)
                    if kind == "new":
                        connection.close()
                        connection = None
                    counts[kind] += 1
            except Exception as error:  # pylint: disable=broad-except
                failures.append(f"{kind}: {error!r}")
            if connection:
                connection.close()

        threads = [threading.Thread(target=keep_asking, args=(kind,))
                   for kind in ("kept", "kept", "new", "new", "control")]
        for thread in threads:
            thread.start()
        try:
            for generation in range(2, 12):
                self.upgrade(daemon, generation)
        finally:
            stop.set()
            for thread in threads:
                thread.join(harness.PATIENCE)
        self.assertEqual(failures, [], daemon.text())
        for kind, count in counts.items():
            self.assertGreater(count, 10, kind)

    def test_slow_peers(self):
        """One that has sent half of its request is waited for; one that is idle is kept."""
        daemon = self.installed(HEARTBEAT)
        peers = []
        for part in (b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            peer = socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE)
            self.addCleanup(peer.close)
            peer.sendall(part)
            if part:
                self.read_answer(peer)
            peers.append(peer)
        self.upgrade(daemon, 2)
        for peer in peers:
            peer.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", self.read_answer(peer))
        half = peers[0]
        half.sendall(b"GET /livez HTTP/1.1\r\nHo")
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("upgrading to", daemon.mark() - 1 if daemon.mark() else 0)
        half.sendall(b"st: localhost\r\n\r\n")
        self.assertIn(b" 200 ", self.read_answer(half))
        self.assertEqual(later.answer().returncode, 0, later.answer().stderr)
        # While one never sends the rest, others are served; when its time is over, the upgrade is made.
        half.sendall(b"GET /livez HTTP/1.1\r\nHo")
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        while not later.is_done():
            self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(later.answer().returncode, 0, later.answer().stderr)

    def read_answer(self, peer):
        answer = b""
        while not answer.endswith(b"ok\n"):
            data = peer.recv(4096)
            self.assertTrue(data, answer)
            answer += data
        return answer


if __name__ == "__main__":
    harness.main()
