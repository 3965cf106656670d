#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Probes that others wrote: HAProxy, monit and curl, each as its users would set it up."""
import contextlib
import http.client
import os
import signal
import subprocess

import harness
import tools
from outside import Haproxy, Load, Program, folder_for
from puppetry import HEARTBEAT, puppet


@tools.needs("haproxy")
class Balanced(harness.DaemonTest):
    # Two failed checks in a row, since a machine that stands still for an interval is no failure; so
    # twice HAProxy's interval would do just so, and the rest is for a machine under load. The drain is
    # not waited for by any clock of ours.
    OPTIONS = "inter 1s fastinter 500ms downinter 100ms fall 2 rise 1"
    DRAIN = "drain-delay = 8s"

    def pair(self, options):
        """Two daemons, HAProxy before them, and clients before that."""
        daemons = {name: self.daemon(HEARTBEAT, daemon=self.DRAIN) for name in ("one", "two")}
        for daemon in daemons.values():
            daemon.wait_started()
        proxy = Haproxy(self, {name: d.port for name, d in daemons.items()}, options)
        for name in daemons:
            proxy.wait_state(name, "UP")
        load = Load(lambda: self.ask(proxy.port))
        self.addCleanup(load.end)
        load.wait_more()
        return daemons, proxy, load

    def ask(self, port):
        """Two requests on one connection; returns what is wrong with an answer, or None."""
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
        with contextlib.closing(client):
            # What is 200 whatever the tasks do: /health may well turn on a machine under load.
            for path in ("/livez", "/metrics"):
                client.request("GET", path)
                response = client.getresponse()
                body = response.read()
                if response.status != 200 or not body:
                    return f"{path}: {response.status} {body[:200]!r}"
        return None

    def answers(self, proxy, name):
        return proxy.servers()[name][1]

    def drain(self, daemon, proxy, name):
        """Stops a daemon as systemd would, under load; its clients must not notice."""
        daemon.signal(signal.SIGTERM)
        # Unready, and serving: who still comes is answered.
        proxy.wait_state(name, "DOWN")
        self.assertIsNone(daemon.process.poll(), "it ended before HAProxy could know")
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_a_rolling_restart_costs_no_request(self):
        daemons, proxy, load = self.pair(self.OPTIONS)
        for name in ("one", "two"):
            harness.wait_until(lambda: self.answers(proxy, name) > 20, f"traffic to {name}")
        for name in ("one", "two"):
            self.drain(daemons[name], proxy, name)
            load.wait_more()
            # The next one comes, at another port.
            successor = self.daemon(HEARTBEAT, daemon=self.DRAIN).wait_started()
            proxy.move(name, successor.port)
            proxy.wait_state(name, "UP")
            seen = self.answers(proxy, name)
            harness.wait_until(lambda: self.answers(proxy, name) > seen + 20, f"traffic to {name}")
        self.assertEqual(load.end(), [])
        self.assertGreater(load.count, 200)

    def test_a_kill_is_noticed_by_the_clients(self):
        """The failures that the test above counts do happen when nobody drains."""
        # Checked once, so that it is not HAProxy that finds out.
        daemons, _, load = self.pair("inter 1h fall 1 rise 1")
        daemons["one"].signal(signal.SIGKILL)
        # As an answer of HAProxy's, or as none at all.
        load.wait_failure()


@tools.needs("monit")
class Monit(harness.DaemonTest):
    CONFIG = """set daemon 1
set pidfile {folder}/monit.pid
set idfile {folder}/monit.id
set statefile {folder}/monit.state
check host tcp with address 127.0.0.1
    if failed port {port} protocol http request "/health" with timeout 60 seconds then alert
check process reeved with pidfile {folder}/reeved.pid
    if failed unixsocket {control} protocol http request "/health" with timeout 60 seconds then alert
"""

    def monit(self, daemon):
        folder = folder_for(self)
        path = os.path.join(folder, "monitrc")
        with open(os.path.join(folder, "reeved.pid"), "w", encoding="utf-8") as file:
            file.write(f"{daemon.process.pid}\n")
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(self.CONFIG.format(folder=folder, port=daemon.port, control=daemon.control))
        return Program(self, [tools.find("monit"), "-I", "-c", path], folder)

    def test_health_turns_and_comes_back(self):
        daemon = self.daemon(puppet("a")).wait_started()
        monit = self.monit(daemon)
        monit.wait_line("Starting Monit")
        mark = monit.mark()
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        for service in ("tcp", "reeved"):
            monit.wait_line(rf"'{service}' failed protocol test \[HTTP\] .*status 503", mark)
        mark = monit.mark()
        self.assertEqual(daemon.ctl("start", "a").returncode, 0)
        for service in ("tcp", "reeved"):
            monit.wait_line(rf"'{service}' connection succeeded", mark)
        mark = monit.mark()
        self.assertEqual(daemon.stop(), 0, daemon.text())
        monit.wait_line(r"'tcp' failed protocol test \[HTTP\] .*refused", mark)
        monit.wait_line("'reeved' process is not running", mark)


@tools.needs("curl")
class Curl(harness.DaemonTest):
    def curl(self, *arguments):
        done = subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", *arguments],
                              capture_output=True, text=True, check=False,
                              timeout=harness.PATIENCE)
        return done.returncode, done.stdout

    def test_as_a_probe(self):
        daemon = self.daemon(puppet("a")).wait_started()
        base = f"http://localhost:{daemon.port}"
        self.assertEqual(self.curl("--fail", f"{base}/readyz"), (0, "ok\n"))
        code, head = self.curl("--head", f"{base}/metrics")
        self.assertEqual(code, 0)
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\n"), head)
        # Several on one connection, and as HTTP/1.0.
        self.assertEqual(self.curl("--fail", *[f"{base}/livez"] * 5), (0, "ok\n" * 5))
        self.assertEqual(self.curl("--fail", "--http1.0", f"{base}/livez"), (0, "ok\n"))
        code, text = self.curl("--header", "Accept: application/openmetrics-text", f"{base}/metrics")
        self.assertTrue(code == 0 and text.endswith("# EOF\n"))
        # The same over the control socket.
        socket = ("--unix-socket", daemon.control)
        self.assertEqual(self.curl("--fail", *socket, "http://localhost/readyz"), (0, "ok\n"))
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertEqual(self.curl("--fail", f"{base}/readyz")[0], 22)
        self.assertEqual(self.curl("--fail", f"{base}/livez"), (0, "ok\n"))
        code, body = self.curl("--write-out", "%{http_code} %{content_type}", f"{base}/health")
        self.assertTrue(code == 0 and body.endswith("503 application/health+json"), body)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.curl("--fail", f"{base}/livez")[0], 7)


if __name__ == "__main__":
    harness.main()
