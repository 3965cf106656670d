# SPDX-License-Identifier: MIT
"""A real systemd, booted in a container, with reeve installed in it.

The root is made in a temporary directory: overlays show this machine's /usr and /etc, all else is empty, so
that nothing of its homes, its /var or its /run is in there, and no service of its own starts. Writes go to
a tmpfs. All of that is mounted in a mount namespace of this process alone, and systemd-nspawn runs in a
process namespace whose first process dies with us: whatever kills a test, no mount
and no process stays. An empty directory and empty control groups may; the next test takes them away.

Where that is impossible (not root, no systemd-nspawn, no overlays) Container.missing() says why, and
the tests are skipped.
"""
import contextlib
import ctypes
import errno
import fcntl
import functools
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

BUILD = os.environ["REEVE_BUILD"]
# A machine under load is slow and not broken.
PATIENCE = float(os.environ.get("REEVE_PATIENCE", 60.0))
# What the tests run in the container, and what makes it: all of it is this machine's.
TOOLS = ("systemd", "systemd-nspawn", "unshare", "ip", "meson", "curl", "ps", "setpriv", "runuser")

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1

# What a boot needs that is neither in /usr nor in /etc.
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "var/lib", "var/log/journal", "var/tmp", "var/cache")
# Nothing here has a terminal or logs in.
MASKED = ("getty.target", "systemd-logind.service", "systemd-firstboot.service",
          "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
          "systemd-networkd-wait-online.service", "systemd-update-utmp.service",
          "systemd-update-utmp-runlevel.service", "systemd-journal-flush.service",
          "systemd-tmpfiles-clean.timer", "machines.target", "dbus.service", "dbus.socket",
          "remote-fs.target", "cryptsetup.target")

# The name of a container's directory begins so. Its control groups have the same name.
FOLDER = "reeve-booted-"

libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """Something in the container did not go as it must."""


class Impossible(Exception):
    """There can be no container here; says why."""


def call(what, result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind, flags=0, data=""):
    call(f"mount {kind} at {target}", libc.mount(source.encode(), target.encode(), kind.encode(),
                                                 ctypes.c_ulong(flags), data.encode()))


def die_with_parent():
    """Between fork and exec."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@functools.cache
def enter_namespace():
    """From here on what this process mounts is its own, and gone when it is."""
    call("unshare", libc.unshare(CLONE_NEWNS))
    try:
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
    except OSError as error:
        # In a chroot / need not be a mount, which systemd-nspawn wants it to be: so it becomes one. That
        # is no way for mounts that others would see.
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            if error.errno != errno.EINVAL or " shared:" in file.read():
                raise
        mount("/", "/mnt", "none", MS_REC | MS_BIND)
        os.chroot("/mnt")
        os.chdir("/")


def wait_until(question, what, patience=PATIENCE):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + patience
    pause = threading.Event()
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"waited {patience} s for {what}; the last answer was {answer!r}")
        pause.wait(0.05)


def build_options():
    with open(os.path.join(BUILD, "meson-info/intro-buildoptions.json"), encoding="utf-8") as file:
        return {option["name"]: option["value"] for option in json.load(file)}


def lock_folder(path):
    """A descriptor that holds the directory's lock. Raises BlockingIOError if another test holds it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def make_locked(make):
    """Path and lock of the directory that make() makes. The lock tells other tests that its owner lives: its process
    may be in a namespace that they cannot see."""
    def attempt():
        path = make()
        # Another test may sweep it before it is locked.
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            fd = lock_folder(path)
            if os.path.isdir(path):
                return path, fd
            os.close(fd)
        return None
    return wait_until(attempt, "the lock of a new directory or control group")


def make_folder():
    return make_locked(lambda: tempfile.mkdtemp(prefix=FOLDER))


def make_group(path):
    """As make_folder(), a control group. The directory's lock would not do for it: a test with another root or another
    directory for temporary files sees the group alone."""
    def make():
        os.makedirs(path, exist_ok=True)
        return path
    return make_locked(make)


def sweep():
    """Removes the directories and control groups that killed tests have left. All are empty: a test's mounts and
    processes end with it."""
    sweep_in(tempfile.gettempdir(), os.rmdir)
    for point in hierarchies():
        sweep_in(point, remove_empty_group)


def sweep_in(folder, remove):
    """Calls remove() for each of the tests' directories whose owner is gone."""
    for name in os.listdir(folder):
        if name.startswith(FOLDER):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                fd = lock_folder(path)
                try:
                    remove(path)
                finally:
                    os.close(fd)


def hierarchies():
    """Where systemd-nspawn makes groups: the unified hierarchy, and systemd's own of old. One that is mounted in several
    places counts once, where it can be written."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            device, _, point, options = line.split()[2:6]
            kind, own = line.split(" - ")[1].split()[0], line.rstrip().split(" ")[-1]
            if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in own.split(",")):
                found.setdefault(device, []).append(("rw" in options.split(","), point.startswith("/sys/fs/cgroup"), point))
    return [max(places)[2] for places in found.values()]


def populated(path):
    """Whether a process is in a control group or below it. Of the old hierarchy only those that can be seen here
    count: no more is told of it."""
    with contextlib.suppress(FileNotFoundError):
        with open(os.path.join(path, "cgroup.events"), encoding="ascii") as file:
            return "populated 1" in file.read()
    for folder, _, _ in os.walk(path):
        # Of a process whose first thread has ended only the others are listed, as tasks.
        with open(os.path.join(folder, "tasks"), encoding="ascii") as file:
            if file.read():
                return True
    return False


def remove_empty_group(path):
    """Removes a control group with all below it, or nothing: what runs in it may need its empty groups, too."""
    if not populated(path):
        for folder, _, _ in os.walk(path, topdown=False):
            os.rmdir(folder)


def end_group(path):
    """Kills what runs in a control group, and removes it with all below it."""
    with contextlib.suppress(OSError):
        with open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as file:
            file.write("1")
    # A killed process leaves its group a moment later.
    deadline = time.monotonic() + 5
    while os.path.exists(path) and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            remove_empty_group(path)
        threading.Event().wait(0.01)


class Container:
    """One boot. Use it as a context manager, or close() it."""

    def __init__(self):
        self.folder = None
        self.lock = None
        self.root = None
        self.process = None
        self.leader = None
        self.console = None
        self.groups = []  # of (path, lock)

    @staticmethod
    def missing():
        """Why there can be no container here; None: there can."""
        if os.geteuid() != 0:
            return "booting a container takes root"
        reason = tools.missing(*TOOLS)
        if reason:
            return reason
        prefix = build_options()["prefix"]
        if prefix != "/usr":
            return f"the build is one for {prefix}: meson configure --prefix=/usr " \
                   "--sysconfdir=/etc --localstatedir=/var"
        return None

    # Making the root -----------------------------------------------------------------------------

    def path(self, path):
        """Where a path of the container is, seen from here."""
        return os.path.join(self.root, path.lstrip("/"))

    def _overlay(self, name):
        upper, work = (os.path.join(self.folder, "layers", name, part) for part in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        os.mkdir(self.path(name))
        if name == "etc":
            # This machine's services are not to start: an empty directory in place of its own.
            os.makedirs(os.path.join(upper, "systemd/system"))
            os.setxattr(os.path.join(upper, "systemd/system"), "trusted.overlay.opaque", b"y")
        mount("overlay", self.path(name), "overlay", 0,
              f"lowerdir=/{name},upperdir={upper},workdir={work}")

    def _make_root(self):
        mount("tmpfs", self.folder, "tmpfs", 0, "mode=0755,size=2g")
        self.root = os.path.join(self.folder, "root")
        os.mkdir(self.root)
        self._overlay("usr")
        self._overlay("etc")
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink("/" + name):
                os.symlink(os.readlink("/" + name), self.path(name))
        for name in FOLDERS:
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path("var/tmp"), 0o1777)
        for unit in MASKED:
            os.symlink("/dev/null", self.path(f"etc/systemd/system/{unit}"))
        for name, text in (("machine-id", ""), ("fstab", ""), ("hostname", "reeve-test\n")):
            self.write("etc/" + name, text)

    def _install(self):
        done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"],
                              env=dict(os.environ, DESTDIR=self.root), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise Failure(f"meson install failed:\n{done.stdout}{done.stderr}")
        # What is left to do after an installation from source: where meson cannot ask Debian, libraries go
        # where Debian does not look.
        options = build_options()
        self.write("etc/ld.so.conf.d/reeve.conf", os.path.join(options["prefix"], options["libdir"]) + "\n")
        subprocess.run(["ldconfig", "-r", self.root], timeout=PATIENCE, check=True)

    def write(self, path, text, mode=0o644):
        """A file of root's."""
        path = self.path(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)

    def read(self, path):
        with open(self.path(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def copy(self, source, path, mode=0o755):
        """A file from here, as root's own."""
        with open(source, "rb") as file:
            self.write(path, file.read(), mode)

    # Control groups: two containers must not share one ------------------------------------------

    def _make_groups(self):
        """Just before they are entered: a group without a process is kept by its lock alone."""
        try:
            for point in hierarchies():
                self.groups.append(make_group(os.path.join(point, os.path.basename(self.folder))))
        except OSError as error:
            raise Impossible(f"cannot make a control group for the container: {error}") from error

    def _enter_groups(self):
        """Between fork and exec."""
        die_with_parent()
        for group, _ in self.groups:
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    # Booting -------------------------------------------------------------------------------------

    def start(self):
        """Returns once systemd says that it has booted. Raises Impossible where it cannot."""
        reason = self.missing()
        if reason:
            raise Impossible(reason)
        try:
            enter_namespace()
            if not hierarchies():
                # A chroot may have no more than a plain sysfs.
                mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
            sweep()
            self.folder, self.lock = make_folder()
            self._make_root()
        except OSError as error:
            self.close()
            raise Impossible(f"cannot make a root for the container: {error}") from error
        try:
            self._install()
            self._boot()
            self.run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise
        return self

    def _boot(self):
        notify = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(notify)
            self.console = open(os.path.join(self.folder, "console"), "w+b")
            self._make_groups()
            self.process = subprocess.Popen(
                ["unshare", "--pid", "--mount-proc", "--propagation=unchanged", "--fork", "--kill-child",
                 "--", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-D", self.root,
                 "--private-network", "--notify-ready=yes", "--link-journal=no", "--resolv-conf=off",
                 "--timezone=off", "--kill-signal=SIGRTMIN+4", "--console=pipe", "--boot",
                 "systemd.unit=multi-user.target"],
                stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT,
                env=dict(os.environ, NOTIFY_SOCKET=notify, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"),
                preexec_fn=self._enter_groups)
            self._wait_booted(ready)

    def _wait_booted(self, ready):
        """Until READY=1; an nspawn that ends before it has booted tells why on its console."""
        deadline = time.monotonic() + PATIENCE
        end = os.pidfd_open(self.process.pid)
        try:
            while True:
                found = select.select([ready, end], [], [], max(0, deadline - time.monotonic()))[0]
                if ready not in found:
                    said = self.said()
                    if end in found and not self.leader:
                        raise Impossible(f"systemd-nspawn cannot start: {' '.join(said.split())[-400:]}")
                    raise Failure(f"the container did not boot:\n{said}")
                fields = dict(line.split("=", 1) for line in ready.recv(4096).decode().splitlines()
                              if "=" in line)
                if "X_NSPAWN_LEADER_PID" in fields:
                    self.leader = self._find_leader(int(fields["X_NSPAWN_LEADER_PID"]))
                if fields.get("READY") == "1" and self.leader:
                    return
        finally:
            os.close(end)

    def _find_leader(self, inner):
        """Our id of the process that systemd-nspawn, in a process namespace of its own, knows as inner."""
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/status", encoding="utf-8") as file:
                    ids = re.search(r"^NSpid:\s*(.*)$", file.read(), re.MULTILINE).group(1).split()
                with open(f"/proc/{entry}/cgroup", encoding="utf-8") as file:
                    ours = f"/{os.path.basename(self.folder)}/" in file.read()
                if ours and ids[-2:] == [str(inner), "1"]:
                    return int(entry)
        raise Failure(f"there is no process {inner} of the container")

    def said(self):
        """The console's output."""
        self.console.flush()
        with open(self.console.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    # Commands ------------------------------------------------------------------------------------

    def argv(self, *command):
        """The command that runs the command in the container."""
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--",
                "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=",
                *command]

    def popen(self, *command, **options):
        return subprocess.Popen(self.argv(*command), preexec_fn=die_with_parent, **options)

    def run(self, *command, check=True, stdin="", timeout=PATIENCE):
        """Runs a command to its end. Returns it with returncode, stdout and stderr."""
        done = subprocess.run(self.argv(*command), input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False,
                              preexec_fn=die_with_parent)
        if check and done.returncode != 0:
            raise Failure(f"{shlex.join(command)}: exit code {done.returncode}\n"
                          f"{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *arguments, check=True, timeout=PATIENCE):
        return self.run("systemctl", "--no-pager", *arguments, check=check, timeout=timeout)

    def show(self, *properties, unit="reeve.service"):
        """Properties of a unit, as a dictionary; for one alone its value."""
        done = self.systemctl("show", unit, "--property=" + ",".join(properties))
        values = dict(line.split("=", 1) for line in done.stdout.splitlines())
        return values if len(properties) > 1 else values[properties[0]]

    def journal(self, *arguments):
        return self.run("journalctl", "--no-pager", "--quiet", "-o", "short-monotonic",
                        *arguments, check=False).stdout

    def entries(self, *arguments):
        """Journal entries as dictionaries."""
        done = self.run("journalctl", "--no-pager", "--quiet", "-o", "json", *arguments, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    # Ending --------------------------------------------------------------------------------------

    def close(self):
        """Ends it, in order if it can, and leaves nothing."""
        if self.process and self.process.poll() is None:
            if self.leader:
                with contextlib.suppress(subprocess.TimeoutExpired, Failure, OSError):
                    self.run("systemctl", "poweroff", "--no-block", check=False, timeout=10)
                    self.process.wait(20)
            if self.process.poll() is None:
                # Its child, the first of the namespace, is killed by the kernel, and all others with it.
                self.process.kill()
            self.process.wait()
        if self.console:
            self.console.close()
        for group, lock in self.groups:
            end_group(group)
            os.close(lock)
        if self.root:
            for name in ("usr", "etc"):
                subprocess.run(["umount", "--lazy", self.path(name)], stderr=subprocess.DEVNULL,
                               check=False)
            subprocess.run(["umount", "--lazy", self.folder], stderr=subprocess.DEVNULL, check=False)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.lock is not None:
            os.close(self.lock)
        self.folder = self.lock = self.root = self.process = self.leader = self.console = None
        self.groups = []

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def main(prepare=None, kind=Container):
    """Boots once, and runs the tests of the file that was started in it; they find it in
    ContainerTest.container. prepare(container) is called before the first of them."""
    # Its files are the system's, whatever is the rule for files of whoever runs the tests.
    os.umask(0o022)
    container = kind()
    try:
        container.start()
    except Impossible as reason:
        print(f"SKIPPED: no test under a real systemd: {reason}", file=sys.stderr)
        sys.exit(tools.SKIPPED)
    ContainerTest.container = container
    try:
        if prepare:
            prepare(container)
        result = unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]], exit=False).result
    finally:
        container.close()
    sys.exit(0 if result.wasSuccessful() else 1)


class ContainerTest(unittest.TestCase):
    """A test in the container of its file. The journal is shown when it fails."""
    container = None

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        cursor = self.container.run("journalctl", "--quiet", "-n1", "-o", "export", check=False).stdout
        cursor = next((line.split("=", 1)[1] for line in cursor.splitlines()
                       if line.startswith("__CURSOR=")), None)
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            print(f"--- the journal of {self.id()} ---", file=sys.stderr)
            print(self.container.journal(*(["--after-cursor=" + cursor] if cursor else [])),
                  file=sys.stderr)
            print(self.container.systemctl("status", "reeve", "-l", "-n0", check=False).stdout,
                  file=sys.stderr)
