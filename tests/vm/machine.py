# SPDX-License-Identifier: MIT
"""A virtual machine in qemu: with KVM where it works, else emulated, which is some ten times slower.

It has a disk, a console that is kept in a file, and a port to the agent in it (guest/agent.py); no network but its
own loopback.
"""
import base64
import contextlib
import fcntl
import json
import os
import random
import re
import signal
import socket
import subprocess
import time

from telling import Ticker

# An emulated machine beside busy processes is slow, not broken.
BOOT_PATIENCE = 600
KVM_PATIENCE = 120
PATIENCE = 300
KVM_CREATE_VM = 0xAE01


class Failure(Exception):
    """Something in the machine did not go as it must."""


class Machine:
    def __init__(self, folder, say):
        self.folder, self.say = folder, say
        self.process = None
        self.kvm = has_kvm()
        self.booted = False
        self.console_path = os.path.join(folder, "console.log")
        open(self.console_path, "wb").close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def console(self, start=0):
        with open(self.console_path, encoding="utf-8", errors="replace") as file:
            file.seek(start)
            return file.read()

    def mark(self):
        return os.path.getsize(self.console_path)

    # Power ---------------------------------------------------------------------------------------

    def arguments(self):
        accelerator = ["-accel", "kvm", "-cpu", "host"] if self.kvm else \
                      ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off,pmu=off"]
        return ["qemu-system-x86_64", *accelerator, "-machine", "q35,sata=off,smbus=off", "-smp", "2", "-m", "1024",
                "-no-reboot", "-display", "none", "-nodefaults", "-kernel", self.path("vmlinuz"),
                "-initrd", self.path("initrd"), "-append",
                "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off quiet systemd.show_status=false",
                "-drive", f"file={self.path('disk.img')},format=raw,if=virtio,cache=writeback",
                "-chardev", f"file,id=console,path={self.console_path},append=on", "-serial", "chardev:console",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.path('agent.sock')},server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=agent",
                "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random"]

    def start(self):
        """Returns after how many seconds the agent answers."""
        try:
            return self._start(KVM_PATIENCE if self.kvm else BOOT_PATIENCE)
        except Failure as failure:
            # A machine within a machine may begin and never get on. One that has booted with KVM has another reason.
            if not self.kvm or self.booted:
                raise
            self.say(f"it does not boot with KVM: going on without. {failure}")
            self.cut()
            self.kvm = False
            return self._start(BOOT_PATIENCE)

    def _start(self, patience):
        begun = time.monotonic()
        if os.path.exists(self.path("agent.sock")):
            os.unlink(self.path("agent.sock"))
        with open(self.path("qemu.log"), "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        ticker = Ticker(self.say, "booting")
        while time.monotonic() - begun < patience:
            if self.process.poll() is not None:
                with open(self.path("qemu.log"), encoding="utf-8", errors="replace") as log:
                    raise Failure(f"expected the agent's answer, seen the end of qemu, with exit code "
                                  f"{self.process.returncode}:\n{log.read()[-1000:]}")
            try:
                self.ask({"run": "true"}, 3, ticker)
                self.booted = True
                return time.monotonic() - begun
            except (OSError, ConnectionError):
                time.sleep(0.2)
            ticker.tick()
        raise Failure(f"expected the agent's answer within {patience} s, seen none; the console ends with:\n"
                      f"{self.console()[-2000:]}")

    def cut(self):
        """The power goes."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Shuts it down. Raises Failure, with the power cut, if it does not end by itself."""
        if not self.process or self.process.poll() is not None:
            return
        try:
            self.ask({"run": "systemctl poweroff --no-block"}, 30, Ticker(self.say, "asking it to shut down"))
            self._wait_end()
        except OSError as error:
            raise Failure(f"expected it to shut down, seen {error!r}") from error
        finally:
            self.cut()

    def _wait_end(self):
        ticker = Ticker(self.say, "shutting down")
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            ticker.tick()
        if self.process.poll() is None:
            raise Failure(f"expected it to shut down within {PATIENCE} s, seen it run; the console ends with:\n"
                          f"{self.console()[-2000:]}")

    def keep_logs(self, name):
        """Keeps what the machine knows of a failure. Returns where that is; what it cannot give is left out."""
        path = self.path(f"{name}.log")
        commands = ("systemctl --failed --no-pager", "systemctl status reeve --no-pager -l -n 0", "reevectl status",
                    "journalctl -b --no-pager -o short-monotonic | tail -n 3000")
        kept = [self.console_path, self.path("qemu.log")]
        if self.process and self.process.poll() is None:
            with open(path, "w", encoding="utf-8") as file:
                for command in commands:
                    try:
                        code, output = self.run(command, check=False, timeout=60)
                    except Failure as failure:
                        file.write(f"$ {command}\n{failure}\n")
                        break
                    file.write(f"$ {command}\n{output}(exit code {code})\n\n")
            kept.insert(0, path)
        return kept

    # Commands ------------------------------------------------------------------------------------

    def ask(self, request, timeout, ticker):
        """Sends a request to the agent and returns its answer. The ticker tells who waits for it."""
        request = dict(request, id=random.randrange(1 << 30), timeout=timeout)
        deadline = time.monotonic() + timeout + 10
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout + 10)
            link.connect(self.path("agent.sock"))
            # A line end first, for what may be left of an earlier request.
            link.sendall(b"\n" + json.dumps(request).encode() + b"\n")
            rest = b""
            while True:
                data = receive(link, deadline, ticker)
                if not data:
                    raise ConnectionError("the machine is gone")
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    try:
                        answer = json.loads(line)
                    except ValueError:
                        continue
                    if answer.get("id") == request["id"]:
                        return answer

    def run(self, command, check=True, timeout=PATIENCE, ticker=None):
        """Runs a line of bash. Returns its output; with check a failure is an exception, else (code, output)."""
        try:
            answer = self.ask({"run": command}, timeout, ticker or Ticker(self.say, f"running `{shorten(command)}`"))
        except OSError as error:
            raise Failure(f"`{command}`: expected an answer within {timeout} s, seen {error!r}; "
                          f"the console ends with:\n{self.console()[-1500:]}") from error
        if not check:
            return answer["code"], answer["output"]
        if answer["code"] != 0:
            raise Failure(f"`{command}`: expected exit code 0, seen {answer['code']} with:\n{answer['output']}")
        return answer["output"]

    def write(self, path, text, mode=0o644):
        data = base64.b64encode(text.encode()).decode()
        try:
            answer = self.ask({"write": path, "data": data, "mode": mode}, 60, Ticker(self.say, f"writing {path}"))
        except OSError as error:
            raise Failure(f"writing {path}: expected an answer within 60 s, seen {error!r}") from error
        if answer["code"] != 0:
            raise Failure(f"writing {path}: expected no error, seen {answer['output']}")

    def wait(self, command, pattern, patience=PATIENCE):
        """Runs a command again and again until its output has the pattern; returns the match."""
        deadline = time.monotonic() + patience
        ticker = Ticker(self.say, f"waiting for `{shorten(command)}` to say {pattern!r}")
        while True:
            code, output = self.run(command, check=False, ticker=ticker)
            found = re.search(pattern, output, re.M)
            if found:
                return found
            if time.monotonic() > deadline:
                raise Failure(f"`{command}`: expected {pattern!r} within {patience} s, seen at last, with exit code "
                              f"{code}:\n{output}")
            time.sleep(0.3)


def shorten(command):
    """The beginning of a command, in one line."""
    words = " ".join(command.split())
    return words if len(words) <= 60 else words[:57] + "..."


def receive(link, deadline, ticker):
    """The next bytes of a socket."""
    while True:
        link.settimeout(1)
        try:
            return link.recv(65536)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise
            ticker.tick()


def has_kvm():
    """Whether a machine can be made with KVM: the file may be there without that."""
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
        try:
            os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
        finally:
            os.close(device)
        return True
    except OSError:
        return False
