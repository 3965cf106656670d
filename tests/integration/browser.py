# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by its own chromedriver (W3C WebDriver)."""
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

from harness import wait_until


class Browser:
    """Until the context ends. Everything is in a temporary folder."""

    def __init__(self, width=1280, height=900, dark=False):
        self.options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                                 "--disable-dev-shm-usage", "--disable-background-networking",
                                 "--no-first-run", f"--window-size={width},{height}",
                                 "--hide-scrollbars"]}
        self.size, self.dark = (width, height), dark
        self.log = []

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory(prefix="reeve-browser-")
        # To a file: nobody reads a pipe that the browser writes to for as long as it runs.
        self.output = os.path.join(self.place.name, "output")
        with open(self.output, "w", encoding="utf-8") as output:
            self.driver = subprocess.Popen(
                ["chromedriver", "--port=0"], stdout=output, stderr=output, cwd=self.place.name,
                env={"HOME": self.place.name, "TMPDIR": self.place.name,
                     "PATH": "/usr/local/bin:/usr/bin:/bin"})
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        port = wait_until(self.port, "chromedriver")
        self.base = f"http://127.0.0.1:{port}"
        self.options["args"].append(f"--user-data-dir={self.place.name}/profile")
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

    def port(self):
        with open(self.output, encoding="utf-8") as output:
            found = re.search(r"successfully on port (\d+)", output.read())
        return found and int(found[1])

    def __exit__(self, *_):
        self.driver.terminate()
        self.driver.wait(60)
        # Its processes may still be writing as they end.
        shutil.rmtree(self.place.name, ignore_errors=True)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

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
        """What the browser complained of since the last call."""
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
