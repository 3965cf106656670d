#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the page that the documents show: docs/page.png and docs/page-dark.png.

    page_picture.py

The page is daemon/edge/page/page.html as it stands; its state is made here, an hour of it, so that the pictures are the same every
time. Chromium takes them, headless, from a server on a port of the loopback that only this run knows.
"""
import http.server
import json
import os
import subprocess
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(TOP, "daemon/edge/page/page.html")


def task(name, schedule, hour, **members):
    return dict({"name": name, "state": "waiting", "schedule": schedule, "hour": hour, "next_in": 12.4}, **members)


UP = 187620 # seconds: two days and some hours
STATE = {
    "version": "0.1.0", "health": "warn", "phase": "running", "uptime": UP,
    "modules": [
        {"name": "web", "state": "ready", "health": "warn", "ready": 1, "essential": 1, "since": UP, "pools": [],
         "tasks": [task("check", "every 30s", "o" * 41 + "mmxx" + "o" * 13 + "xx", runs=UP // 30, failures=14, took=0.214,
                        health="warn", output="https://shop.example.org: 503 in place of 200"),
                   task("renew", "at 03:00", "." * 47 + "o" + "." * 12, runs=2, took=4.2, next_in=85600)]},
        {"name": "thumbs", "state": "ready", "health": "pass", "ready": 1, "essential": 1, "since": 2711,
         "restarts": 1, "restarted": 2711, "restart_kind": "crash",
         "tasks": [task("scan", "every 1min", "o" * 14 + "x" + "o" * 45, runs=UP // 60, failures=1, took=0.031)],
         "pools": [{"name": "convert", "workers": 4, "capacity": 64, "queued": 23, "active": 4, "finished": 18211,
                    "failed": 12, "took": 0.182}]},
        {"name": "backup", "state": "ready", "health": "pass", "ready": 1, "since": UP, "pools": [],
         "tasks": [task("copy", "every 6h", "." * 38 + "r" * 22, state="running", running=1311, run=9, runs=8, took=1288,
                        progress="184 of 230 GB")]},
        {"name": "spool", "state": "ready", "health": "pass", "ready": 1, "essential": 1, "since": UP, "tasks": [
            task("watch", "every 1s", "r" * 60, state="running", running=UP, run=1)],
         "pools": [{"name": "process", "workers": 2, "capacity": 16, "finished": 903, "took": 0.42}]},
        {"name": "mail", "state": "backoff", "health": "warn", "since": 3.1, "restarts": 4, "restarted": 9, "restart_kind": "failure",
         "output": "init failed: cannot connect to 127.0.0.1:25: Connection refused; restart 4 in 8s", "tasks": [], "pools": []},
        {"name": "heartbeat", "state": "ready", "health": "pass", "ready": 1, "essential": 1, "since": UP, "pools": [],
         "tasks": [task("beat", "every 1s", "o" * 60, runs=UP, took=0.001, next_in=0.4)]},
    ],
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(STATE).encode() if self.path == "/page.json" else open(PAGE, "rb").read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.path == "/page.json" else "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def take(url, name, dark):
    with tempfile.TemporaryDirectory(prefix="reeve-page-") as profile:
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking",
             "--no-first-run", f"--user-data-dir={profile}", "--window-size=1120,860", "--virtual-time-budget=3000",
             *(["--blink-settings=preferredColorScheme=0"] if dark else []),
             f"--screenshot={os.path.join(TOP, 'docs', name)}", url],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    take(url, "page.png", False)
    take(url, "page-dark.png", True)
    server.shutdown()


if __name__ == "__main__":
    main()
