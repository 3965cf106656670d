#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades at the wrong moment: what happens while one program follows the other."""
import os
import signal
import socket

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

# So many connections take the new program some time to take over: a window for all that may happen.
MANY = 400
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


class TakingOver(upgrading.UpgradeTest):
    def idle(self, daemon):
        peers = []
        for _ in range(MANY):
            peers.append(socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE))
            self.addCleanup(peers[-1].close)
        # Those are accepted in their order, so all of them have been.
        self.check_served(peers[-1:])
        return peers

    def check_served(self, peers):
        for peer in peers:
            peer.sendall(LIVEZ)
        for peer in peers:
            self.assertIn(b" 200 ", peer.recv(4096))

    def test_asked_again_while_it_takes_over(self):
        """The second upgrade begins when the first is over, and hands on all that there is."""
        daemon = self.installed(HEARTBEAT)
        peers = self.idle(daemon)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("has taken over from .*: generation 2, 1 hosts")
        daemon.wait_log("has taken over from .*: generation 3, 1 hosts")
        self.check_served(peers)
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.stop(), 0)

    def test_answer_that_comes_while_it_takes_over(self):
        daemon = self.installed(puppet("p"))
        self.idle(daemon)
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        run = daemon.ask_later("/v1/run?module=p&task=act&wait", "POST")
        self.wait_trace(daemon, "p reads")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        with open(fifo, "w", encoding="utf-8"):
            pass
        daemon.wait_log("has taken over from")
        status, answer = run.answer()
        self.assertEqual((status, answer["code"]), (200, 0), answer)

    def test_stop_while_it_takes_over(self):
        daemon = self.installed(HEARTBEAT)
        self.idle(daemon)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("has taken over from .*: generation 2, 1 hosts")
        self.assertEqual(daemon.wait(), 0)


if __name__ == "__main__":
    harness.main()
