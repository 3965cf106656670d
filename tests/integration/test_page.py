#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page at "/", in a real browser: it shows the truth, refreshes, asks nobody else, and can be read
in the dark, on a phone and without a mouse."""
import sys

import harness
import tools
from browser import Browser, Driver
from harness import DaemonTest, wait_until

MODULES = """
[module:heart]
load = heartbeat
file = heart
beat.every = 200ms

[module:failing]
load = exec
command = true
directory = no such thing <b>here</b>
run.every = 300ms
essential = no

[module:spool]
load = spool
directory = spool
command = sleep 1000

[module:idle]
load = exec
command = true
run.every = 1d
essential = no
"""


class Page(DaemonTest):
    def start(self, daemon=""):
        daemon = self.daemon(MODULES, daemon=daemon)
        daemon.wait_started()
        return daemon, f"http://127.0.0.1:{daemon.port}/"

    def text(self, browser, what="document.body.innerText"):
        return browser.run(f"return {what}")

    def wait_text(self, browser, wanted):
        wait_until(lambda: wanted in self.text(browser), f"{wanted!r} on the page")


class InBrowser(Page):
    @classmethod
    def setUpClass(cls):
        tools.need("chromedriver", "chromium")
        cls.driver = Driver()
        cls.addClassCleanup(cls.driver.close)

    def test_it_shows_what_is_and_keeps_up(self):
        daemon, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            for module in ("heart", "failing", "spool", "idle"):
                self.wait_text(browser, module)
            self.wait_text(browser, "no such thing <b>here</b>")
            self.wait_text(browser, "next in")
            # A module that goes is shown as gone, without a reload of the page.
            browser.run("window.here = true")
            daemon.ctl("stop", "heart")
            self.wait_text(browser, "stopped for")
            self.assertTrue(browser.run("return window.here"))
            # Why one was restarted, also when it is well again.
            self.assertEqual(daemon.ctl("restart", "idle").returncode, 0)
            self.wait_text(browser, "0 restarts, restarted ")
            self.wait_text(browser, " ago: operator")
            # The runs of this minute are on the line of the last hour.
            wait_until(lambda: browser.run("return document.querySelectorAll('svg.hour rect.m-o, svg.hour rect.m-m').length > 0"),
                       "runs that went well")
            wait_until(lambda: browser.run("return document.querySelectorAll('svg.hour rect.m-x').length > 0"),
                       "runs that failed")
            # A minute may have ended meanwhile.
            self.assertRegex(browser.run("return [...document.querySelectorAll('svg.hour')].map(svg => svg.ariaLabel).join()"),
                             "last hour by minutes: [12] failed")
            # Cards beside each other are of one height.
            heights = browser.run("return [...document.querySelectorAll('.module')].map(card => "
                                  "[card.getBoundingClientRect().top, card.getBoundingClientRect().height])")
            rows = {}
            for top, height in heights:
                rows.setdefault(top, set()).add(round(height))
            self.assertTrue(all(len(found) == 1 for found in rows.values()), rows)

    def test_what_is_wrong_stands_on_top(self):
        daemon, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "One module has a problem")
            self.assertIn("no such thing", self.text(browser, "document.getElementById('reasons').innerText"))
            browser.run("document.querySelector('#reasons a').click()")
            self.assertEqual(browser.run("return document.activeElement.id"), "module-failing")
            daemon.write(MODULES[:MODULES.index("[module:failing]")] + MODULES[MODULES.index("[module:spool]"):])
            self.assertEqual(daemon.ctl("reload").returncode, 0)
            wait_until(lambda: browser.run("return document.getElementById('problems').hidden"), "nothing wrong any more")

    def test_a_problem_beyond_those_that_are_shown(self):
        """Its line stays while the state is read again."""
        many = "".join(f"[module:m{i}]\nload = heartbeat\nhost = all\nessential = no\n" for i in range(125))
        daemon = self.daemon(many + MODULES[MODULES.index("[module:failing]"):MODULES.index("[module:spool]")])
        daemon.wait_started()
        with Browser(self.driver) as browser:
            browser.open(f"http://127.0.0.1:{daemon.port}/")
            self.wait_text(browser, "One module has a problem")
            self.assertFalse(browser.run("return document.getElementById('module-failing') !== null"))
            for _ in range(2):
                shown = self.text(browser, "document.getElementById('uptime').textContent")
                wait_until(lambda: self.text(browser, "document.getElementById('uptime').textContent") != shown, "the next state")
            browser.run("document.querySelector('#reasons a').click()")
            self.assertEqual(browser.run("return document.activeElement.id"), "module-failing")

    def test_filters(self):
        _, url = self.start()
        shown = "return [...document.querySelectorAll('.module h3')].map(title => title.textContent).join()"
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "idle")
            search = ("const search = document.getElementById('search'); search.value = arguments[0] || '';"
                      "search.dispatchEvent(new Event('input'))")
            for words, wanted in ("spo", "spool"), ("NO SUCH", "failing"), ("heart beat", "heart"), ("nothing", ""):
                browser.run(search.replace("arguments[0] || ''", repr(words)))
                self.assertEqual(browser.run(shown), wanted)
            browser.run(search)
            browser.run("document.getElementById('kind-wrong').click()")
            self.assertEqual(browser.run(shown), "failing")
            self.assertEqual(browser.run("return document.getElementById('kind-wrong').ariaPressed"), "true")
            browser.run("document.getElementById('kind-busy').click()")
            wait_until(lambda: "spool" in browser.run(shown), "the module that is at work")

    def test_it_asks_nobody_else(self):
        _, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "heart")
            # The new tab that it began with is the browser's own.
            asked = [u for u in browser.requested() if not u.startswith(("data:", "chrome"))]
            self.assertIn(url + "page.json", asked)
            self.assertEqual([u for u in asked if not u.startswith(url)], [])
            self.assertEqual(browser.console(), [])
            # The policy holds: neither script nor style nor picture of another origin, or ours.
            browser.run("const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
                        "document.body.append(s);"
                        "const i = document.createElement('img'); i.src = '/health';"
                        "document.body.append(i);")
            self.assertIsNone(browser.run("return window.bad || null"))
            refused = [entry["message"] for entry in browser.console()]
            self.assertTrue(any("script" in message and "Content Security" in message
                                for message in refused), refused)

    def test_what_a_module_says_is_text(self):
        _, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "<b>here</b>")
            self.assertEqual(browser.run("return document.querySelectorAll('main b').length"), 0)

    def test_it_says_when_nobody_answers(self):
        daemon, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "heart")
            daemon.process.kill()
            self.wait_text(browser, "does not answer")

    def test_dark_and_light(self):
        _, url = self.start()
        colours = []
        for dark in (False, True):
            with Browser(self.driver, dark=dark) as browser:
                browser.open(url)
                self.wait_text(browser, "heart")
                colours.append(self.contrasts(browser))
        self.assertNotEqual(colours[0][0], colours[1][0])
        for _, worst in colours:
            self.assertGreaterEqual(worst, 4.5)  # WCAG 2.1, level AA

    def contrasts(self, browser):
        """The background, and the least contrast of a text with what it stands on."""
        return browser.run("""
            const light = colour => {
              const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = node => {
              for (; node; node = node.parentElement) {
                const colour = getComputedStyle(node).backgroundColor;
                if (colour !== 'rgba(0, 0, 0, 0)') { return colour; }
              }
              return 'rgb(255, 255, 255)';
            };
            let worst = 99;
            for (const node of document.querySelectorAll('body *')) {
              if (![...node.childNodes].some(n => n.nodeType === 3 && n.data.trim()) ||
                  ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(node.tagName)) { continue; }
              const a = light(getComputedStyle(node).color), b = light(behind(node));
              worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
            }
            return [getComputedStyle(document.body).backgroundColor, worst];""")

    def test_on_a_phone(self):
        _, url = self.start()
        with Browser(self.driver, 360, 740) as browser:
            browser.open(url)
            self.wait_text(browser, "no such thing")
            width, inner = browser.run(
                "return [document.documentElement.scrollWidth, window.innerWidth]")
            self.assertEqual(inner, 360)
            self.assertLessEqual(width, inner)

    def test_with_the_keyboard_alone(self):
        _, url = self.start()
        with Browser(self.driver) as browser:
            browser.open(url)
            self.wait_text(browser, "Context tree")
            focused = "return document.activeElement.innerText"
            for _ in range(40):
                browser.press("\ue004")  # Tab
                if "Context tree" in browser.run(focused):
                    break
            browser.press(" ")
            self.wait_text(browser, "root")
            for _ in range(40):
                browser.press("\ue004")  # Tab
                if "root" in browser.run(focused):
                    break
            self.assertIn("root", browser.run(focused))
            open_ = "return document.querySelector('#tree details').open"
            self.assertTrue(browser.run(open_))
            browser.press(" ")
            self.assertFalse(browser.run(open_))
            # It stays folded, and the reader where he is, when the page refreshes.
            browser.run("window.first = document.querySelector('#tree details')")
            wait_until(lambda: browser.run(
                "return window.first !== document.querySelector('#tree details')"), "a refresh")
            self.assertFalse(browser.run(open_))
            self.assertIn("root", browser.run(focused))


class Without(Page):
    def test_headers(self):
        daemon, _ = self.start()
        status, headers, _ = daemon.request("/")
        self.assertEqual(status, 200)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(daemon.request("/", method="POST")[0], 405)
        self.assertEqual(daemon.request("/page.json", method="DELETE")[0], 405)
        status, headers, body = daemon.request("/", method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_a_setting_turns_it_off(self):
        daemon, _ = self.start("page = no\n")
        self.assertEqual(daemon.request("/")[0], 404)
        self.assertEqual(daemon.request("/page.json")[0], 404)
        self.assertEqual(daemon.request("/livez")[0], 200)

    def test_another_host_is_refused(self):
        daemon, _ = self.start()
        for path in ("/", "/page.json"):
            self.assertEqual(daemon.request(path, headers={"Host": "evil.example"})[0], 421)


if __name__ == "__main__":
    sys.exit(harness.main())
