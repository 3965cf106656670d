# SPDX-License-Identifier: MIT
"""Helpers of tests of secrets: texts that hold some, and every place where a text can be seen."""
import json
import os
import socket
import tempfile

import harness
from upgrading import UpgradeTest

# Passwords and queries of URLs, and values of secret options: nobody sees them, wherever they stand.
HIDDEN = "k3ep-me-hidden"
URL = f"https://monitor:{HIDDEN}@127.0.0.1/path?token={HIDDEN}"
SHOWN = "https://monitor:***@127.0.0.1/path?..."
# What a command writes, or a module behind the first line of a text: for the log and the control socket.
PRIVATE = "n0t-for-everybody"
PROBES = [f"/{name}{end}" for name in ("livez", "readyz", "startupz") for end in ("", "?verbose", "/cmd", "/two")]
PUBLIC = ["/health", "/page.json", "/metrics", "/", "/nothing", *PROBES]
QUESTIONS = [["status"], ["list"], ["tree"], ["logs"], ["check"], ["reload", "--plan"], ["modules"],
             *([command, module] for command in ("show", "logs") for module in ("cmd", "two", "good", "web"))]


def exec_(name, command, *lines):
    return "\n".join([f"[module:{name}]", "load = exec", "essential = no", "run.every = 1000s", "restart-delay = 1ms",
                      f"command = {command}", *lines, ""])


class SecretsTest(UpgradeTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-secrets-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "db"), "w", encoding="utf-8") as file:
            file.write(HIDDEN + "\n")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.folder, "notify"))
        self.notify.setblocking(False)
        self.told = ""

    def start(self, config, daemon="", install=False):
        environment = {"CREDENTIALS_DIRECTORY": self.folder, "NOTIFY_SOCKET": os.path.join(self.folder, "notify")}
        daemon = "log-level = debug\n" + daemon
        if install:
            return self.installed(config, daemon, environment)
        instance = self.daemon(config, daemon, environment)
        instance.wait_log(r"\bstarted\b")
        return instance

    def read_notifications(self):
        """systemd shows them to every user."""
        try:
            while True:
                self.told += self.notify.recv(4096).decode()
        except BlockingIOError:
            return self.told

    def public(self, daemon):
        found = {path: daemon.request(path)[2] for path in PUBLIC}
        found["/metrics as OpenMetrics"] = daemon.request(
            "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})[2]
        found["systemd's status"] = self.read_notifications()
        return found

    def private(self, daemon):
        return {**self.commands(daemon), **self.answers(daemon)}

    def commands(self, daemon):
        found = {"top": daemon.ctl("top").stdout}
        for question in QUESTIONS:
            for end in [], ["--json"]:
                words = [*question, *end] + (["-c", daemon.config_path] if question[0] == "modules" else [])
                done = daemon.ctl(*words)
                found[" ".join(words)] = done.stdout + done.stderr
        return found

    def answers(self, daemon):
        """What the daemon says, of which reevectl shows parts."""
        found = {}
        for path in "/v1/status", "/v1/logs", "/v1/tree", "/v1/plan":
            found[path] = json.dumps(daemon.ask(path)[1])
        for path in "/v1/run?module=cmd&task=run&wait", "/v1/restart?module=heart&wait", "/v1/reload":
            found[path] = json.dumps(daemon.ask(path, "POST")[1])
        found["the log"] = daemon.text()
        return found

    def assert_kept(self, daemon, private=None):
        """Looks at all outputs; returns those that are not for everybody."""
        private = private or self.private(daemon)
        public = self.public(daemon)
        for name, text in public.items():
            self.assertNotIn(PRIVATE, text, name)
        for name, text in {**public, **private}.items():
            self.assertNotIn(HIDDEN, text, name)
        return public, private

    def wait_run(self, daemon, *names):
        for name in names:
            harness.wait_until(lambda name=name: (t := daemon.module(name)["tasks"]) and t[0]["runs"], f"{name} to run")
