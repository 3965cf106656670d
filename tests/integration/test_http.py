#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The listener for probes: paths, methods, formats, and its limits against bad clients."""
import os
import re
import resource
import signal
import json
import socket
import threading

import harness

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Paths(harness.DaemonTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = harness.Daemon("").start().wait_started()
        cls.addClassCleanup(cls.shared.close)

    def test_probes_answer(self):
        for path in ("/livez", "/readyz", "/startupz"):
            status, headers, body = self.shared.request(path)
            self.assertEqual((status, body), (200, "ok\n"))
            self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertIn("readyz check passed", self.shared.request("/readyz?verbose")[2])
        self.assertEqual(self.shared.request("/readyz/nobody")[0], 404)

    def test_health_is_its_media_type(self):
        status, headers, body = self.shared.request("/health")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "application/health+json")
        document = json.loads(body)
        self.assertEqual(document["status"], "pass")
        self.assertIn("reeved:uptime", document["checks"])

    def test_health_of_one_module(self):
        daemon = self.daemon("[module:good]\nload = heartbeat\nfile = good\n"
                             "[module:other]\nload = heartbeat\nfile = other\n").wait_ready()
        whole = json.loads(daemon.request("/health")[2])
        for path in ("/health/good", "/health?module=good"):
            status, headers, body = daemon.request(path)
            self.assertEqual((status, headers["Content-Type"]), (200, "application/health+json"))
            document = json.loads(body)
            self.assertEqual(document["status"], "pass")
            self.assertEqual(set(document["checks"]), {"reeved:uptime", "good:state", "good/beat:duration"})
            self.assertEqual(set(document), set(whole))
        self.assertEqual(daemon.request("/health/good", "HEAD")[0], 200)
        self.assertEqual(daemon.request("/health/good", "POST")[0], 405)
        self.assertEqual(daemon.ctl("stop", "good").returncode, 0)
        # Its own status: the others are as well as before.
        status, _, body = daemon.request("/health/good")
        self.assertEqual((status, json.loads(body)["status"]), (503, "fail"))
        self.assertEqual(daemon.request("/health")[0], 503)
        self.assertEqual(daemon.request("/health/other")[0], 200)
        for path in ("/health/nobody", "/health?module=nobody"):
            status, _, body = daemon.request(path)
            self.assertEqual((status, body), (404, 'there is no module "nobody"; /health names all\n'))

    MODULE_PATHS = ("/livez", "/readyz", "/startupz", "/health")

    def test_a_module_is_named_in_the_path_or_beside_it(self):
        daemon = self.daemon("[module:good]\nload = heartbeat\n[module:held]\nload = heartbeat\nessential = no\n"
                             ).wait_ready()
        self.assertEqual(daemon.ctl("stop", "held").returncode, 0)
        for path in self.MODULE_PATHS:
            for name in ("good", "held", "nobody"):
                beside, within = daemon.request(f"{path}?module={name}"), daemon.request(f"{path}/{name}")
                self.assertEqual(beside[0], within[0], (path, name))
                if path != "/health" or name == "nobody":
                    self.assertEqual(beside[2], within[2], (path, name))
            self.assertEqual(daemon.request(f"{path}?module=nobody")[0], 404)
            self.assertEqual(daemon.request(f"{path}/good?module=held")[::2],
                             (400, "the path names a module, and so does module=\n"))
        self.assertEqual(daemon.request("/readyz?module=held")[::2], (503, "stopped\n"))
        self.assertEqual(daemon.request("/readyz?module=held&verbose")[::2],
                         (503, "[-]held stopped (not essential)\nreadyz check failed: running\n"))
        self.assertEqual(daemon.request("/readyz/good?verbose")[::2],
                         (200, "[+]good ok\nreadyz check passed: running\n"))

    def test_no_name_is_one_mistake(self):
        for path in self.MODULE_PATHS:
            for end in ("/", "?module=", "?module"):
                self.assertEqual(self.shared.request(path + end)[::2],
                                 (404, "no module is named; /health names all\n"), path + end)
        for path in ("run", "submit", "start", "stop", "restart"):
            for query in ("", "?module="):
                status, answer = self.shared.ask(f"/v1/{path}{query}", "POST")
                self.assertEqual((status, answer["error"]), (404, "no module is named"), path + query)

    def test_what_a_path_does_not_take_is_refused(self):
        for path, text in (("/health?modul=a", 'unknown parameter "modul"; did you mean "module"? /health takes module'),
                           ("/readyz?_=17", 'unknown parameter "_"; /readyz takes module, verbose'),
                           ("/livez/a?%ff", 'unknown parameter "?"; /livez takes module, verbose'),
                           ("/health/a?verbose", 'unknown parameter "verbose"; /health takes module'),
                           ("/metrics?name=x", 'unknown parameter "name"; /metrics takes no parameter'),
                           ("/?x", 'unknown parameter "x"; / takes no parameter'),
                           ("/page.json?module=a", 'unknown parameter "module"; /page.json takes no parameter')):
            status, _, body = self.shared.request(path)
            self.assertEqual((status, body), (400, text + "\n"), path)
        for path, method in self.control_routes():
            status, answer = self.shared.ask(f"{path}?module=a&wiat", method)
            self.assertEqual((status, answer["code"]), (400, "EINVAL"), path)
            self.assertIn("unknown parameter", answer["error"])
            self.assertIn(f" {path} takes ", answer["error"])

    def test_head_has_the_length_and_no_body(self):
        for path in ("/livez", "/metrics"):
            full = self.shared.request(path)
            status, headers, body = self.shared.request(path, "HEAD")
            self.assertEqual((status, body), (200, ""))
            if path == "/livez":
                self.assertEqual(headers["Content-Length"], str(len(full[2])))

    def test_other_methods_and_paths(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            headers = {"Content-Length": "0"}
            status, answer, _ = self.shared.request("/health", method, headers)
            self.assertEqual(status, 405, method)
            self.assertEqual(answer["Allow"], "GET, HEAD")
        for path in ("/healthz", "/livezz", "/metrics/", "/page.json/a", "/%2e%2e/etc/passwd", "/livez%00"):
            self.assertEqual(self.shared.request(path)[0], 404, path)
        # What the control socket serves is not to be had over TCP.
        for path in ("/v1/status", "/v1/reload"):
            self.assertEqual(self.shared.request(path, "POST")[0], 404)

    def test_host_header(self):
        for host in ("localhost", "localhost:99", "127.0.0.1:1", "10.1.2.3", "[::1]:80"):
            self.assertEqual(self.shared.request("/livez", headers={"Host": host})[0], 200, host)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhostx:80"):
            self.assertEqual(self.shared.request("/livez", headers={"Host": host})[0], 421, host)

    # What a browser adds to the requests of a page, which the page cannot leave out.
    PAGES = ({"Origin": "https://evil.example"}, {"Origin": "null"},
             {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
             {"Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1"}, {"Origin": "http://localhost"})

    def control_routes(self):
        """Method and path of every route, as control.c has them."""
        with open(os.path.join(SOURCE, "daemon", "edge", "control", "control.c"), encoding="utf-8") as file:
            routes = re.findall(r'{"(/v1/\w+)", HTTP_METHOD_(\w+), \w+,', file.read())
        self.assertGreater(len(routes), 5)
        return routes

    def test_a_page_cannot_make_the_listener_do_anything(self):
        port = self.shared.port
        hosts = ({}, {"Host": f"127.0.0.1:{port}"}, {"Host": f"localhost:{port}"},
                 {"Host": "evil.example"})
        pid = self.shared.status()["pid"]
        for path, _ in self.control_routes():
            for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
                for headers in [{**host, **page} for host in hosts for page in ({}, *self.PAGES)]:
                    answer = self.shared.request(path, method, {"Content-Length": "0", **headers})
                    foreign = headers.get("Host") == "evil.example"
                    self.assertIn(answer[0], (421,) if foreign else (404, 405),
                                  (method, path, headers))
                    self.assert_closed_to_pages(answer[1])
        self.assertNotIn("reload", self.shared.text())
        self.assertEqual(self.shared.status()["pid"], pid)

    def assert_closed_to_pages(self, headers):
        for name in headers:
            self.assertFalse(name.lower().startswith(("access-control-", "timing-allow")), name)

    def test_a_page_cannot_read_what_probes_can(self):
        for path in ("/health", "/metrics", "/livez", "/readyz"):
            for page in self.PAGES:
                # Answered, without the headers that would let a page see the answer.
                status, headers, _ = self.shared.request(path, headers=page)
                self.assertEqual(status, 200)
                self.assert_closed_to_pages(headers)
                # A preflight is not let pass either.
                status, headers, _ = self.shared.request(
                    path, "OPTIONS", {"Access-Control-Request-Method": "POST", **page})
                self.assertEqual(status, 405)
                self.assert_closed_to_pages(headers)
                self.assertEqual(self.shared.request(path, "POST",
                                                     {"Content-Length": "0", **page})[0], 405)
                # Rebinding: the page's own name, resolved to this machine.
                for host in ("evil.example", f"evil.example:{self.shared.port}"):
                    status, headers, body = self.shared.request(path, headers={"Host": host, **page})
                    self.assertEqual(status, 421)
                    self.assertNotIn("reeve", body)
                    self.assert_closed_to_pages(headers)

    def test_the_control_socket_is_not_for_pages(self):
        for path, method in (*self.control_routes(), ("/health", "GET"), ("/nothing", "GET")):
            for page in self.PAGES:
                status, answer = self.shared.ask(path, method, headers=page)
                self.assertEqual((status, answer["code"]), (403, "EACCES"), (path, page))
        self.assertNotIn("reload", self.shared.text())
        self.assertEqual(self.shared.ask("/v1/plan", headers={"User-Agent": "curl/8"})[0], 200)

    def test_metrics_formats(self):
        status, headers, body = self.shared.request("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        self.assertIn("\nreeve_ready 1\n", body)
        _, headers, body = self.shared.request(
            "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        self.assertTrue(headers["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(body.endswith("# EOF\n"))


class Limits(harness.DaemonTest):
    def connect(self, daemon):
        client = socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE)
        self.addCleanup(client.close)
        return client

    def read_all(self, client):
        parts = []
        try:
            while part := client.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)

    def test_a_trickling_request_is_cut(self):
        daemon = self.daemon().wait_started()
        client = self.connect(daemon)
        ended = threading.Event()

        def trickle():
            for byte in b"GET /health HTTP/1.1\r\nX: " + b"x" * 10000:
                try:
                    client.send(bytes([byte]))
                except OSError:
                    return
                if ended.wait(0.2):
                    return

        writer = threading.Thread(target=trickle, daemon=True)
        writer.start()
        # A good client is served meanwhile; the bad one gets its end and no answer.
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(self.read_all(client), b"")
        ended.set()
        writer.join()
        self.assertEqual(daemon.stop(), 0)

    def test_a_client_that_closes_its_half_first(self):
        daemon = self.daemon().wait_started()
        for version in (b"1.0", b"1.1"):
            client = self.connect(daemon)
            client.sendall(b"GET /livez HTTP/" + version + b"\r\nHost: localhost\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            self.assertIn(b" 200 OK\r\n", self.read_all(client))
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("libevent", daemon.text())

    def test_pipelined_requests_are_answered_in_order(self):
        daemon = self.daemon().wait_started()
        client = self.connect(daemon)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20 +
                       b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(self.read_all(client).count(b"HTTP/1.1 200 OK"), 21)
        self.assertEqual(daemon.stop(), 0)

    def test_the_oldest_idle_connection_makes_place(self):
        daemon = self.daemon(daemon="max-connections = 8").wait_started()
        idle = [self.connect(daemon) for _ in range(30)]
        for _ in range(20):
            self.assertEqual(daemon.request("/livez")[0], 200)
        # The first ones were cut, so their reading ends.
        self.assertEqual(self.read_all(idle[0]), b"")
        self.assertEqual(daemon.stop(), 0)

    def leave_and_come(self, steps):
        """Of seven clients of eight some leave and somebody comes, all in one turn of the loop: each gets an answer."""
        ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        daemon = self.daemon(daemon="max-connections = 8").wait_started()
        good = self.connect(daemon)
        good.sendall(ask)
        self.assertIn(b"200 OK", good.recv(65536))
        used = daemon.descriptors()
        leaving = [self.connect(daemon) for _ in range(6)]
        harness.wait_until(lambda: daemon.descriptors() == used + 6, "them to be accepted")
        new = socket.socket()
        self.addCleanup(new.close)
        daemon.signal(signal.SIGSTOP)
        for step in steps:
            if step == "leave":
                for client in leaving:
                    client.close()
            elif step == "come":
                new.connect(("127.0.0.1", daemon.port))
                new.sendall(ask)
            else:
                good.sendall(ask)
        daemon.signal(signal.SIGCONT)
        self.assertIn(b"200 OK", new.recv(65536))
        if "ask" in steps:
            self.assertIn(b"200 OK", good.recv(65536))
        good.sendall(ask)
        self.assertIn(b"200 OK", good.recv(65536))
        self.assertEqual(daemon.stop(), 0)

    def test_those_who_have_left_are_no_reason_to_end_others(self):
        for steps in (("leave", "come"), ("leave", "come", "ask"), ("come", "leave", "ask"), ("leave", "ask", "come")):
            with self.subTest(steps):
                self.leave_and_come(steps)

    def test_out_of_descriptors(self):
        daemon = self.daemon("[module:heart]\nload = heartbeat\nrestart-delay = 1ms\n"
                             "restart-limit = 1000/1s\n",
                             daemon="max-connections = 1000").wait_started()
        heart = daemon.module("heart")["pid"]
        used = daemon.descriptors()
        early = self.connect(daemon)
        early.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", early.recv(65536))
        limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (used + 14, limits[1]))
        flood = [self.connect(daemon) for _ in range(40)]
        daemon.wait_log("descriptors are scarce: the idlest clients are disconnected")
        # Who has a connection, and asks, is served.
        early.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", early.recv(65536))
        # A host that dies cannot be had again, which is said, and tried until it can. What it had
        # would be enough for the next one: nobody gets any more.
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(heart, signal.SIGKILL)
        daemon.wait_log(r"\[heart\] cannot start .*reeve-host: .*Too many open files; restart")
        mark = daemon.mark()
        for client in flood:
            client.close()
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
        daemon.wait_log(r"\[heart\] ready", mark)
        self.assertEqual(daemon.request("/readyz")[0], 200)
        # The log is not filled meanwhile.
        self.assertLess(daemon.text().count("cannot accept"), 10)
        self.assertEqual(daemon.stop(), 0)

    def test_many_connections_at_once(self):
        daemon = self.daemon(daemon="max-connections = 64").wait_started()
        failures = []

        def hammer():
            for _ in range(50):
                try:
                    if daemon.request("/health")[0] != 200:
                        failures.append("status")
                except OSError as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=hammer) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
