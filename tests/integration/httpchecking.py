# SPDX-License-Identifier: MIT
"""Helpers of tests of httpcheck: servers that answer well, badly, slowly and not at all."""
import base64
import contextlib
import http.server
import socket
import threading

import harness

SECRET = "p4ss/w0rd"
TOKEN = "t0ken-in-the-query"


def basic(user, password=SECRET):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path; as a proxy it takes whole URLs."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers))
        path = self.path.split("?")[0]
        if path.startswith("http://"):
            return self.answer(200, b"by a proxy")
        if path in self.server.redirects:
            return self.answer(302, b"", Location=self.server.redirects[path])
        return getattr(self, path[1:] or "good", self.bad)()

    def do_CONNECT(self):
        self.server.seen.append((self.path, self.headers))
        self.answer(403, b"")

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(200, b'{"status":"ok"}')

    def bad(self):
        self.answer(500, b"broken")

    def split(self):
        """A body whose text comes in two pieces."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 100 + b"every")
        self.wfile.flush()
        self.server.go_on.wait(harness.PATIENCE)
        self.wfile.write(b"thing is well")

    def stalled(self):
        """A body that is announced, and never comes."""
        status, location = (302, self.server.redirects.get("")) if "?302" in self.path else (200, None)
        self.send_response(500 if "?500" in self.path else status)
        self.send_header("Content-Length", "10")
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.server.go_on.wait(harness.PATIENCE)

    def half(self):
        """Headers that do not come to their end."""
        self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /good\r\n")
        self.server.go_on.wait(harness.PATIENCE)

    def broken(self):
        """Nor these, and nothing more comes."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Len")
        self.close_connection = True

    def long(self):
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1024 * 1024 + b"\r\n\r\n")

    def early(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.good()

    def late(self):
        """The text is behind all that is looked at."""
        self.answer(200, b"x" * (1024 * 1024 - 4) + b"everything")

    def endless(self, status=200, begin=b"everything is well"):
        """Counts what is taken of it."""
        self.send_response(status)
        self.end_headers()
        self.wfile.write(begin)
        with contextlib.suppress(OSError):
            while True:
                self.server.sent += self.connection.send(bytes(65536))
                if self.server.sent > 200 * 1024 * 1024:
                    break
        self.server.ended.set()

    def endless_failure(self):
        self.endless(500)

    def never(self):
        """A stream that says nothing after its begin."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"data: hello\n\n")
        self.server.go_on.wait(harness.PATIENCE)

    def log_message(self, *_):
        pass


class HttpcheckTest(harness.DaemonTest):
    def setUp(self):
        self.server, self.url = self.serve()

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.seen, server.sent, server.redirects = [], 0, {}
        server.go_on, server.ended = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(server.go_on.set)
        return server, f"http://127.0.0.1:{server.server_port}"

    def closed(self):
        """An address at which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            return f"http://127.0.0.1:{server.getsockname()[1]}/"

    def mute(self):
        """A server that answers nothing."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        return server, f"http://127.0.0.1:{server.getsockname()[1]}/"

    def start(self, *lines, environment=None):
        daemon = self.daemon("\n".join(["[module:web]", "load = httpcheck", "essential = no",
                                        "check.every = 1000s", *lines, ""]), environment=environment)
        return daemon.wait_started()

    def wait_checked(self, daemon):
        return harness.wait_until(
            lambda: (t := daemon.module("web")["tasks"]) and t[0]["runs"] and t[0], "a check")

    def check(self, *lines, environment=None):
        """One check; returns the task as reevectl status shows it."""
        daemon = self.start(*lines, environment=environment)
        task = self.wait_checked(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return task

    def refuse(self, *lines):
        """The error of a refused start."""
        code, said = self.run_reeved("\n".join(["[module:web]", "load = httpcheck", *lines, ""]))
        self.assertEqual(code, 1)
        return said
