#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""httpcheck: what is good, who sees its secrets, how much it fetches, and whom it asks. Names are in
test_httpcheck_names.py."""
import os
import re
import tempfile

import harness
from httpchecking import HttpcheckTest, SECRET, TOKEN, basic


class Refusals(HttpcheckTest):
    def test_a_reload_touches_nothing(self):
        daemon = self.start(f"url = {self.url}/good")
        pid = daemon.module("web")["pid"]
        daemon.write("\n".join(["[module:web]", "load = httpcheck", f"url = {self.url}/good", "url = ftp://a/", "token = t",
                                "username = u", ""]))
        with open(daemon.config_path, encoding="utf-8") as file:
            line = file.read().splitlines().index("url = ftp://a/") + 1
        for words in ("check",), ("reload", "--plan"), ("reload",):
            done = daemon.ctl(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(f"reeve.ini:{line}: [module:web] url = ftp://a/: expected http:// or https://", done.stderr)
            self.assertIn(f"reeve.ini:{line + 1}: [module:web] token: give a `username` or a `token`, not both", done.stderr)
        self.assertEqual((daemon.module("web")["pid"], daemon.module("web")["state"]), (pid, "ready"))
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Verdicts(HttpcheckTest):
    def test_what_is_good(self):
        self.server.redirects = {"/moved": "/good", "/far": f"{self.url}/moved", "/spaced": "/good?a b"}
        for lines in ([f"url = {self.url}/good", 'expect-body = "ok"'],
                      [f"url = {self.url}/moved", "expect-status = 302"],
                      [f"url = {self.url}/moved", "expect-status = 302", "follow-redirects = yes"],
                      [f"url = {self.url}/early", 'expect-body = "ok"'],
                      [f"url = {self.url}/early"],
                      [f"url = {self.url}/spaced", "follow-redirects = yes", 'expect-body = "ok"'],
                      [f"url = {self.url}/far", "follow-redirects = yes", 'expect-body = "ok"']):
            task = self.check(*lines)
            self.assertEqual((task["failures"], task["last_error"]), (0, ""))
            self.assertRegex(task["progress"], r"http://\S+ \d+ ms$")

    def test_what_is_not(self):
        self.server.redirects = {"/moved": "/good", "/away": "file:///etc/passwd", "/loop": "/loop", "/none": "http://[",
                                 "/empty": ""}
        refused, mute = self.closed(), self.mute()[1]
        for lines, expected in (
                ([f"url = {self.url}/good", "expect-body = broken"], 'the body has no "broken"'),
                ([f"url = {self.url}/moved"], "status 302, expected 200"),
                ([f"url = {self.url}/away", "follow-redirects = yes"],
                 "redirected to file:///etc/passwd: expected http:// or https://"),
                ([f"url = {self.url}/none", "follow-redirects = yes"], "redirected to what is no URL"),
                ([f"url = {self.url}/loop", "follow-redirects = yes"], "more than 5 redirects"),
                ([f"url = {self.url}/empty", "follow-redirects = yes"], "redirected to nowhere: Location is empty"),
                ([f"url = {self.url}/half", "follow-redirects = yes", "timeout = 300ms"], "timed out"),
                ([f"url = {self.url}/broken"], "the answer broke off within its headers"),
                ([f"url = {self.url}/long"], "a header is too long"),
                ([f"url = {self.url}/moved", "follow-redirects = yes", "expect-status = 301"], "status 200, expected 301"),
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

    def test_only_the_web(self):
        self.assertIn("url = file:///etc/passwd: expected http:// or https://", self.refuse("url = file:///etc/passwd"))
        self.assertIn("url = ...: it does not begin with http:// or https://", self.refuse("url = nonsense"))
        self.assertIn("url = http://...: it is no URL: ", self.refuse("url = http://a b/"))
        self.assertIn("proxy = ftp://a:1/: expected http://, https:// or socks5h://",
                      self.refuse("url = http://a/", "proxy = ftp://a:1"))
        self.assertIn("proxy = http://a/: it needs a port", self.refuse("url = http://a/", "proxy = http://a"))


class Many(HttpcheckTest):
    """More than an error's text holds."""

    def read(self, daemon, task):
        """The words about each URL in the log of the first run, and in the task's texts."""
        daemon.wait_log(r"\[web/check#1\] failed: ")
        log = [line.split("] ", 1)[1] for line in daemon.text().splitlines() if "[web/check#1] http" in line]
        return log, task["last_error"], task["progress"]

    def test_each_url_that_fails_is_told(self):
        refused = self.closed()
        urls = [f"{refused}service-{i}/health" for i in range(12)]
        daemon = self.start(*(f"url = {url}" for url in urls), f"url = {self.url}/good")
        log, error, progress = self.read(daemon, self.wait_checked(daemon))
        self.assertEqual([line.split(": ")[0] for line in log], urls)
        for line in log:
            self.assertIn(": Failed to connect", line)
        named = error.split(": ", 1)[1].split("; ")
        self.assertEqual(named.pop(), f"and {12 - len(named)} more, see the log")
        self.assertEqual(named, log[:len(named)])
        self.assertGreater(len(named), 1)
        shown = progress.split("; ")
        self.assertEqual(shown.pop(), f"and {13 - len(shown)} more")
        for url, text in zip(urls, shown):
            self.assertRegex(text, rf"^{url} \d+ ms Failed to connect to .*[^.]$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_without_descriptors_nobody_is_blamed(self):
        _silent, url = self.mute()
        daemon = self.start(*(f"url = {url}?{i}" for i in range(10)), "timeout = 1s", "parallel = 10", "nofile = 16")
        log, _, _ = self.read(daemon, self.wait_checked(daemon))
        self.assertEqual(len(log), 10)
        self.assertIn("no connection could be begun, and nobody was asked: Too many open files", "\n".join(log))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_fits_is_not_told_twice(self):
        daemon = self.start(*(f"url = {self.url}/bad?{i}" for i in range(3)))
        log, error, _ = self.read(daemon, self.wait_checked(daemon))
        self.assertEqual((log, error.count("status 500")), ([], 3))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_long_url_has_its_reason(self):
        long = "/" + "x" * 450 + "/last"
        self.server.redirects = {"/moved": "ftp://127.0.0.1" + long}
        for lines, reason in ([f"url = {self.url}{long}"], "status 500, expected 200"), \
                ([f"url = {self.url}{long}", f"url = {self.url}/bad", f"proxy = {self.closed()}{long}"], "(by the proxy http"), \
                ([f"url = {self.url}/moved", "follow-redirects = yes"], "expected http:// or https://"):
            task = self.check(*lines)
            for text in task["last_error"], task["progress"]:
                self.assertIn(reason, text)
                self.assertRegex(text, r"x\[\.\.\.\]x+/last")

    def test_letters_are_not_cut(self):
        task = self.check(f"url = {self.url}/" + "ä€𝄞" * 60)
        self.assertRegex(task["last_error"], r"[ä€𝄞]\[\.\.\.\][ä€𝄞]+: ")
        self.assertNotRegex(task["last_error"], r"[?\ufffd]")

    def test_a_cut_run(self):
        """A check that was not done is in the log, too."""
        _silent, url = self.mute()
        daemon = self.start(*(f"url = {url}number-{i}/{'x' * 80}" for i in range(10)), "timeout = 1000s",
                            "check.timeout = 1s", "check.grace = 1000s")
        log, error, progress = self.read(daemon, self.wait_checked(daemon))
        self.assertEqual(log, [f"{url}number-{i}/{'x' * 80}: not done" for i in range(10)])
        self.assertRegex(error, r"; and \d+ more, see the log$")
        self.assertRegex(progress, r" not done; and \d+ more$")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Cut(HttpcheckTest):
    def test_a_stop_does_not_wait_for_a_server(self):
        silent, url = self.mute()
        daemon = self.daemon(f"[module:web]\nload = httpcheck\nurl = {url}\ntimeout = 1000s\ngrace = 1000s\n",
                             daemon="shutdown-timeout = 1000s").wait_started()
        # The request has come, and is never answered.
        connection, _ = silent.accept()
        with connection:
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_is_known_is_told(self):
        """Also of a run that is cut, and of URLs that were not begun."""
        silent, url = self.mute()
        lines = [f"url = {self.url}/good", f"url = {self.url}/bad", f"url = {url}", f"url = {self.url}/good?later",
                 "parallel = 1", "timeout = 1000s"]
        task = self.check(*lines, "check.timeout = 3s")
        self.assertEqual((task["timeouts"], task["failures"]), (1, 1))
        self.assertRegex(task["progress"], rf"^{self.url}/good \d+ ms; {self.url}/bad \d+ ms status 500, expected 200; "
                         rf"{url} not done; {self.url}/good\?\.\.\. not done$")
        self.assertEqual(task["last_error"], f"cut by check.timeout: 1 of 4 URLs failed, 2 not done: {self.url}/bad: status "
                         f"500, expected 200; {url}: not done; {self.url}/good?...: not done")
        daemon = self.start(*lines)
        for _ in range(2):
            connection, _ = silent.accept()
            self.addCleanup(connection.close)
        done = daemon.ctl("stop", "web")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.sub(r"\d+ ms", "N ms", daemon.module("web")["tasks"][0]["progress"]),
                         re.sub(r"\d+ ms", "N ms", task["progress"]))


class Bodies(HttpcheckTest):
    def test_no_more_is_fetched_than_is_needed(self):
        for lines in ([f"url = {self.url}/endless"], [f"url = {self.url}/endless", "expect-body = is well"],
                      [f"url = {self.url}/endless_failure", "expect-body = is well", "expect-status = 500"],
                      [f"url = {self.url}/endless_failure"]):
            self.server.sent = 0
            self.server.ended.clear()
            task = self.check(*lines, "timeout = 1000s", "check.timeout = 1000s")
            self.assertEqual(task["failures"], "500" not in lines[-1] and "failure" in lines[0], task)
            self.assertTrue(self.server.ended.wait(harness.PATIENCE))
            # What sockets hold on both sides.
            self.assertLess(self.server.sent, 100 * 1024 * 1024)

    def test_a_stream_that_stays_open(self):
        for end in "", "expect-body = hello":
            task = self.check(f"url = {self.url}/never", "timeout = 1000s", end)
            self.assertEqual((task["failures"], task["last_error"]), (0, ""))

    def test_a_body_that_never_comes(self):
        """The verdict is known without it."""
        self.server.redirects[""] = "/good"
        for lines, error in ((["?200"], ""), (["?302", "follow-redirects = yes"], ""),
                             (["?302", "follow-redirects = yes", 'expect-body = "ok"'], ""),
                             (["?500", "expect-body = ok"], "status 500, expected 200"),
                             (["?302", "expect-status = 302"], "")):
            task = self.check(f"url = {self.url}/stalled{lines[0]}", "timeout = 1000s", "check.timeout = 1000s", *lines[1:])
            self.assertTrue(task["last_error"].endswith(error) if error else task["last_error"] == "", task["last_error"])

    def test_a_text_across_pieces(self):
        daemon = self.start(f"url = {self.url}/split", "expect-body = everything is", "timeout = 1000s")
        harness.wait_until(lambda: self.server.seen, "the request")
        self.server.go_on.set()
        task = self.wait_checked(daemon)
        self.assertEqual((task["failures"], task["last_error"]), (0, ""))
        self.assertIn('the body has no "everything not"',
                      self.check(f"url = {self.url}/split", "expect-body = everything not")["last_error"])

    def test_the_first_megabyte(self):
        self.assertIn('the body has no "everything"', self.check(f"url = {self.url}/late", "expect-body = everything",
                                                                   "timeout = 1000s")["last_error"])
        self.assertEqual(self.check(f"url = {self.url}/late", "expect-body = ever", "timeout = 1000s")["last_error"], "")


class Secrets(HttpcheckTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="reeve-credentials-")
        self.addCleanup(folder.cleanup)
        with open(os.path.join(folder.name, "web"), "w", encoding="utf-8") as file:
            file.write(SECRET)
        self.environment = {"CREDENTIALS_DIRECTORY": folder.name}

    def test_nobody_sees_them(self):
        at = self.url.removeprefix("http://")
        quoted = SECRET.replace("/", "%2F")
        daemon = self.start(f"url = http://monitor:{quoted}@{at}/bad?token={TOKEN}#top",
                            f"url = http://monitor:{quoted}@{at}/good?token={TOKEN}", f"url = http://{TOKEN}@{at}/good")
        task = self.wait_checked(daemon)
        self.assertIn(f"1 of 3 URLs failed: http://monitor:***@{at}/bad?...: status 500", task["last_error"])
        self.assertRegex(task["progress"], rf"; http://monitor:\*\*\*@{at}/good\?\.\.\. \d+ ms; http://\*\*\*@{at}/good \d+ ms$")
        log = daemon.wait_log(r"warning .* url = http://monitor:\*\*\*@\S+/bad\?\.\.\.: its password is in the configuration; "
                              r"`username` and `password = credential:NAME` keep it out")
        self.assertTrue(log)
        outputs = [daemon.request(path)[2] for path in ("/health", "/page.json", "/metrics", "/")]
        outputs += [daemon.ctl(*words).stdout for words in (["status"], ["show", "web"], ["show", "web", "--json"], ["logs"])]
        self.assertEqual(daemon.stop(), 0, daemon.text())
        for text in [*outputs, daemon.text()]:
            for secret in SECRET, quoted, TOKEN:
                self.assertNotIn(secret, text)
        # The server had them all.
        self.assertEqual({(path, headers["Authorization"]) for path, headers in self.server.seen},
                         {(f"/bad?token={TOKEN}", basic("monitor")), (f"/good?token={TOKEN}", basic("monitor")),
                          ("/good", basic(TOKEN, ""))})

    def test_credentials(self):
        for lines, expected in ((["username = monitor", "password = credential:web"], basic("monitor")),
                                (["token = credential:web"], f"Bearer {SECRET}")):
            daemon = self.start(f"url = {self.url}/good", *lines, environment=self.environment)
            self.assertEqual(self.wait_checked(daemon)["last_error"], "")
            self.assertEqual(self.server.seen.pop()[1]["Authorization"], expected)
            self.assertNotIn("its password is in", daemon.text())
            self.assertNotIn(SECRET, daemon.text())

    def test_errors(self):
        for lines, expected in (
                ([f"url = ftp://monitor:{TOKEN}@a/?{TOKEN}"], "url = ftp://monitor:***@a/?...: expected http://"),
                ([f"url = http://monitor:{TOKEN}@a b/"], "url = http://...: it is no URL"),
                ([f"url = http://monitor:{TOKEN}@"], "url = http://...: it is no URL"),
                ([f"url = monitor:{TOKEN}@a"], "url = "),
                ([f"url = http://a:{TOKEN}/"], "url = http://...: it is no URL"),
                (["url = http://a/", f"password = {TOKEN}"], "password needs the key `username`"),
                (["url = http://a/", f"password = {TOKEN}", f"token = {TOKEN}", "username = a"], "not both"),
                (["url = http://a/", f"proxy = http://a:{TOKEN}@b"], "proxy = http://a:***@b/: it needs a port"),
                (["url = http://a/", f"proxy-password = {TOKEN}"], "proxy-password needs a user"),
                (["url = http://a/", f"timeout = http://a:{TOKEN}@b/"], "timeout = http://a:***@b/: expected a duration"),
        ):
            said = self.refuse(*lines)
            self.assertIn(expected, said)
            self.assertNotIn(TOKEN, said)

    def test_redirects(self):
        """Elsewhere nobody gets them."""
        other, url = self.serve()
        port = self.server.server_port
        self.server.redirects = {"/here": "/good", "/there": f"{url}/good", "/named": f"{url}/named?{TOKEN}",
                                 "/letters": f"HTTP://LOCALHOST:{port}/good"}
        login = ["username = monitor", "password = credential:web", "follow-redirects = yes"]
        for path, server, authorization in (("here", self.server, basic("monitor")), ("there", other, None)):
            self.assertEqual(self.check(f"url = {self.url}/{path}", *login, environment=self.environment)["last_error"], "")
            self.assertEqual(self.server.seen[0][1]["Authorization"], basic("monitor"))
            self.assertEqual(server.seen[-1][0], "/good")
            self.assertEqual(server.seen[-1][1]["Authorization"], authorization)
            self.server.seen.clear()
        self.assertEqual(self.check(f"url = http://localhost:{port}/letters", *login,
                                    environment=self.environment)["last_error"], "")
        self.assertEqual([headers["Authorization"] for _, headers in self.server.seen], [basic("monitor")] * 2)
        daemon = self.start(f"url = {self.url}/named", "follow-redirects = yes")
        self.wait_checked(daemon)
        self.assertNotIn(TOKEN, daemon.text() + daemon.ctl("show", "web").stdout)

    def test_reload(self):
        daemon = self.start(f"url = {self.url}/good")
        self.wait_checked(daemon)
        daemon.write(f"[module:web]\nload = httpcheck\nessential = no\ncheck.every = 1000s\nurl = http://a:{TOKEN}@b c/\n")
        done = daemon.ctl("reload")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(TOKEN, done.stdout + done.stderr + daemon.text() + daemon.request("/health")[2])


class Proxies(HttpcheckTest):
    def setUp(self):
        super().setUp()
        self.proxy, self.proxy_url = self.serve()
        self.at = self.proxy_url.removeprefix("http://")

    def test_the_environment_is_not_asked(self):
        task = self.check(f"url = {self.url}/good", environment={"http_proxy": self.closed(), "all_proxy": self.closed()})
        self.assertEqual(task["last_error"], "")
        self.assertEqual(self.proxy.seen, [])

    def test_the_environment(self):
        """With the key, and a failure says so."""
        task = self.check("url = http://reeve.invalid/good", "expect-body = by a proxy", "proxy = environment",
                          environment={"http_proxy": f"http://me:{SECRET.replace('/', '%2F')}@{self.at}"})
        self.assertEqual(task["last_error"], "")
        self.assertEqual(self.proxy.seen[0][0], "http://reeve.invalid/good")
        self.assertEqual(self.proxy.seen[0][1]["Proxy-Authorization"], basic("me"))
        closed = self.closed().removeprefix("http://").rstrip("/")
        for value in f"http://me:{TOKEN}@{closed}", f"me:{TOKEN}@{closed}":
            daemon = self.start("url = http://reeve.invalid/", "proxy = environment", environment={"http_proxy": value})
            self.assertIn("(by the proxy of $http_proxy)", self.wait_checked(daemon)["last_error"])
            self.assertNotIn(TOKEN, daemon.text())
        # What it excepts is asked itself, and so is the failure told.
        task = self.check(f"url = {self.url}/bad", "proxy = environment",
                          environment={"http_proxy": f"http://{closed}", "no_proxy": "127.0.0.1"})
        self.assertRegex(task["last_error"], "status 500, expected 200$")

    def test_a_proxy_by_name(self):
        task = self.check("url = http://reeve.invalid/good", f"proxy = {self.proxy_url}", "expect-body = by a proxy",
                          environment={"no_proxy": "*"})
        self.assertEqual(task["last_error"], "")
        daemon = self.start("url = http://reeve.invalid/good", "url = https://reeve.invalid/",
                            f"proxy = http://me@{self.at}", f"proxy-password = {SECRET}", "expect-status = 404")
        text = self.wait_checked(daemon)["last_error"]
        self.assertIn(f"status 200, expected 404 (by the proxy http://***@{self.at}/)", text)
        self.assertRegex(text, rf"https://reeve\.invalid/: .*403.* \(by the proxy http://\*\*\*@{self.at}/\)")
        self.assertEqual({headers["Proxy-Authorization"] for _, headers in self.proxy.seen[1:]}, {basic("me")})
        daemon = self.start("url = http://reeve.invalid/good", f"proxy = http://me:{TOKEN}@{self.at}", "expect-status = 404")
        self.assertIn(f"(by the proxy http://me:***@{self.at}/)", self.wait_checked(daemon)["last_error"])
        daemon.wait_log("proxy = http://me:\\*\\*\\*@.*: its password is in the configuration; `proxy-password = credential:NAME`")
        self.assertNotIn(TOKEN, daemon.text())


if __name__ == "__main__":
    harness.main()
