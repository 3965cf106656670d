#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""httpcheck on servers that are not nice."""
import contextlib
import http.server
import socket
import threading

import harness


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "11")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b'{"ok":true}')

    def log_message(self, *_):
        pass


class Httpcheck(harness.DaemonTest):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def check(self, *lines):
        """One check; returns the task as reevectl status shows it."""
        daemon = self.daemon("\n".join(["[module:web]", "load = httpcheck", "essential = no",
                                        "check.every = 1000s", *lines, ""])).wait_started()
        task = harness.wait_until(
            lambda: (t := daemon.module("web")["tasks"]) and t[0]["runs"] and t[0], "a check")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return task

    def test_what_is_good(self):
        for lines in ([f"url = {self.url}/good", 'expect-body = "ok":true'],
                      [f"url = {self.url}/moved", "expect-status = 302"],
                      [f"url = {self.url}/moved", "follow-redirects = yes"]):
            task = self.check(*lines)
            self.assertEqual((task["failures"], task["last_error"]), (0, ""))
            self.assertRegex(task["progress"], r"http://\S+ \d+ ms$")

    def test_what_is_not(self):
        closed = socket.create_server(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        closed.close()
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        for lines, expected in (
                ([f"url = {self.url}/good", "expect-body = broken"], 'the body has no "broken"'),
                ([f"url = {self.url}/moved"], "status 302, expected 200"),
                ([f"url = {self.url}/away", "follow-redirects = yes"], 'Protocol "file"'),
                ([f"url = {refused}"], "Failed to connect"),
                ([f"url = {mute}", "timeout = 100ms"], "timed out"),
        ):
            task = self.check(*lines)
            self.assertEqual(task["failures"], 1)
            self.assertIn(expected, task["last_error"])
        # One bad URL does not keep the others from being fetched.
        task = self.check(f"url = {refused}", f"url = {self.url}/good")
        self.assertIn("1 of 2 URLs failed: " + refused, task["last_error"])
        self.assertRegex(task["progress"], rf"{self.url}/good \d+ ms$")

    def test_a_stop_does_not_wait_for_a_server(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        daemon = self.daemon(
            f"[module:web]\nload = httpcheck\nurl = http://127.0.0.1:{silent.getsockname()[1]}/\n"
            "timeout = 1000s\ngrace = 1000s\n", daemon="shutdown-timeout = 1000s").wait_started()
        # The request has come, and is never answered.
        connection, _ = silent.accept()
        with connection:
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_only_the_web(self):
        code, errors = self.run_reeved("[module:web]\nload = httpcheck\nurl = file:///etc/passwd\n")
        self.assertEqual(code, 1)
        self.assertIn("url = file:///etc/passwd: expected http:// or https://", errors)


if __name__ == "__main__":
    harness.main()
