# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by its own chromedriver (W3C WebDriver)."""
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness import wait_until


class Driver:
    """chromedriver, for all browsers of a test class. Everything is in a temporary directory."""

    def __init__(self):
        self.place = tempfile.mkdtemp(prefix="reeve-browser-")
        self.output = os.path.join(self.place, "output")
        for _ in range(5):
            # To a file: nobody reads a pipe that the browsers write to for as long as they run.
            with open(self.output, "w", encoding="utf-8") as output:
                self.process = subprocess.Popen(
                    ["chromedriver", "--port=0"], stdout=output, stderr=output, cwd=self.place,
                    env={"HOME": self.place, "TMPDIR": self.place,
                         "PATH": "/usr/local/bin:/usr/bin:/bin"})
            # It takes one port twice, for IPv4 and IPv6, and ends if the second is not to be had.
            wait_until(lambda: self.port() or self.process.poll() is not None, "chromedriver")
            if self.port():
                return
        raise RuntimeError(f"chromedriver does not start: {self.text()}")

    def text(self):
        with open(self.output, encoding="utf-8") as output:
            return output.read()

    def port(self):
        found = re.search(r"successfully on port (\d+)", self.text())
        return found and int(found[1])

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        # Its processes may still be writing as they end.
        shutil.rmtree(self.place, ignore_errors=True)


class Browser:
    """A browser of its own, until the context ends."""

    def __init__(self, driver, width=1280, height=900, dark=False):
        self.driver = driver
        self.profile = tempfile.mkdtemp(prefix="profile-", dir=driver.place)
        self.options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                                 "--disable-dev-shm-usage", "--disable-background-networking",
                                 "--no-first-run", f"--window-size={width},{height}",
                                 "--hide-scrollbars", f"--user-data-dir={self.profile}"]}
        self.size, self.dark = (width, height), dark

    def __enter__(self):
        self.base = f"http://127.0.0.1:{self.driver.port()}"
        capabilities = {"browserName": "chrome", "goog:chromeOptions": self.options,
                        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.base += "/session/" + session["sessionId"]
        width, height = self.size
        # A window has a least width; what the page sees has not.
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}])
        return self

    def __exit__(self, *_):
        self.ask("DELETE", "")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:1000]}") from error

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def press(self, key):
        self.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": [{"type": "keyDown", "value": key},
                                                          {"type": "keyUp", "value": key}]}]})

    def console(self):
        """The browser's complaints since the last call."""
        return self.ask("POST", "/se/log", {"type": "browser"})

    def requested(self):
        """URLs that were asked for since the last call."""
        events = [json.loads(entry["message"])["message"]
                  for entry in self.ask("POST", "/se/log", {"type": "performance"})]
        return [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))
