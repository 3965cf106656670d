# SPDX-License-Identifier: MIT
"""reeved idle, starting and ending, beside supervisord, collectd and s6 with ten children or plugins.

Memory is what a process has of its own (private), or its share (PSS); wake-ups are context switches
of all threads. Starting is compared with the same number of bare fork, exec and dlopen.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

from waiting import doing

IDLE_SECONDS = int(os.environ.get("IDLE_SECONDS", "60"))
CHILDREN = 10
ABOVE_BARE_KB = 400
MANY = 100


def smaps(pid):
    """Returns private and proportional kilobytes. Of reeved only root may look. Raises PermissionError."""
    fields = {}
    for line in read_for_root(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith("kB"):
            fields[name] = int(rest.split()[0])
    return fields["Private_Clean"] + fields["Private_Dirty"], fields["Pss"]


def read_for_root(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except PermissionError as error:
        with contextlib.suppress(OSError):
            done = subprocess.run(["sudo", "-n", "cat", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False)
            if done.returncode == 0:
                return done.stdout
        raise PermissionError(f"{error}, and sudo gives no root") from error


def switches(pids):
    count = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
                count += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return count


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(child) for child in file.read().split()]


@contextlib.contextmanager
def running(arguments, **options):
    with subprocess.Popen(arguments, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


class Reeved:
    """reeved with idle modules, until the context ends; its start is timed."""

    def __init__(self, folder, count):
        self.folder, self.count = folder, count
        self.process = None

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory(prefix="reeve-bench-")
        where = self.place.name
        config = os.path.join(where, "reeve.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[daemon]\nlisten = 127.0.0.1:0\n")
            for i in range(self.count):
                file.write(f"[module:idle-{i}]\nload = {self.folder}/bench/idle.so\n"
                           "restart-delay = 0s\n")
        # It stays open: one that is gone is tried again and again.
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(where, "notify"))
        environment = dict(os.environ, NOTIFY_SOCKET=os.path.join(where, "notify"),
                           RUNTIME_DIRECTORY=where, STATE_DIRECTORY=where)
        # reeve-host knows where libreeve is; searched for by the linker, it would be asked for in a dozen directories.
        environment.pop("LD_LIBRARY_PATH", None)
        started = time.monotonic()
        self.process = subprocess.Popen(
            [os.path.join(self.folder, "daemon", "reeved"), "-c", config], env=environment,
            start_new_session=True, stderr=subprocess.PIPE)
        self.notify.settimeout(60)
        while b"READY=1" not in self.notify.recv(4096):
            pass
        self.start_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_):
        self.stop()
        self.notify.close()
        self.process.stderr.close()
        self.place.cleanup()

    def stop(self):
        """Returns the seconds from SIGTERM to the end."""
        if self.process.poll() is not None:
            return 0
        started = time.monotonic()
        self.process.terminate()
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - started
        self.process.wait()
        return seconds

    def forget(self):
        """Its output so far."""
        os.set_blocking(self.process.stderr.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self.process.stderr.fileno(), 65536):
                pass
        os.set_blocking(self.process.stderr.fileno(), True)

    def hosts(self):
        return children(self.process.pid)

    def restart_seconds(self):
        """Kills a host; the seconds until its module is ready again."""
        victim = self.hosts()[0]
        started = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        text = b""
        while b"] ready" not in text:
            text += os.read(self.process.stderr.fileno(), 65536)
        return time.monotonic() - started


def supervisord(where):
    path = os.path.join(where, "supervisord.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[supervisord]\nnodaemon = true\nlogfile = /dev/null\nlogfile_maxbytes = 0\n"
                   f"pidfile = {where}/supervisord.pid\n")
        for i in range(CHILDREN):
            file.write(f"[program:sleep{i}]\ncommand = sleep infinity\n")
    return ["supervisord", "-c", path]


def collectd(where):
    path = os.path.join(where, "collectd.conf")
    plugins = ["cpu", "memory", "load", "df", "disk", "interface", "uptime", "users", "processes",
               "swap"]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'BaseDir "{where}"\nPIDFile "{where}/collectd.pid"\nInterval 86400\n')
        file.writelines(f"LoadPlugin {plugin}\n" for plugin in plugins)
    return ["collectd", "-f", "-C", path]


def s6(where):
    scan = os.path.join(where, "scan")
    for i in range(CHILDREN):
        os.makedirs(os.path.join(scan, f"sleep{i}"))
        run = os.path.join(scan, f"sleep{i}", "run")
        with open(run, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec sleep infinity\n")
        os.chmod(run, 0o755)
    return ["s6-svscan", "-t0", scan]


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


def peer_idle(name, command):
    """Private kilobytes of what supervises, and its wake-ups."""
    if not shutil.which(name):
        print(f"  {name:12} skipped: not installed")
        return None
    doing(f"{name} idle")
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as where, \
            running(command(where), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(3)  # its children are up
        # s6 has a supervisor for each service; what they run is not theirs.
        own = [process.pid] + [pid for pid in descendants(process.pid) if is_supervise(pid)]
        private = sum(smaps(pid)[0] for pid in own)
        before = switches(own)
        time.sleep(IDLE_SECONDS)
        woken = switches(own) - before
    print(f"  {name:12} private {private} kB, {woken} wake-ups in {IDLE_SECONDS} s")
    return {"private_kb": private, "wakeups": woken}


def is_supervise(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().startswith("s6-supervise")


def bare_private(folder):
    """Private kilobytes of a process with the libraries that any such supervisor needs."""
    with running([os.path.join(folder, "bench", "bare_loop")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        private = smaps(process.pid)[0]
        process.stdin.close()
        process.stdout.close()
    return private


def reeved_idle(folder):
    doing("reeved idle")
    try:
        return measure_idle(folder)
    except PermissionError as error:
        print(f"  {'reeved':12} skipped: {error}")
        return None


def measure_idle(folder):
    # Neither beside the other: the second one would share the libraries of the first, and their pages would count for neither.
    bare = bare_private(folder)
    with Reeved(folder, 1) as daemon:
        time.sleep(1)
        one = sum(smaps(pid)[1] for pid in daemon.hosts())
    with Reeved(folder, CHILDREN) as daemon:
        time.sleep(3)
        own = [daemon.process.pid] + daemon.hosts()
        private = smaps(daemon.process.pid)[0]
        ten = sum(smaps(pid)[1] for pid in daemon.hosts())
        before = switches(own)
        time.sleep(IDLE_SECONDS)
        woken = switches(own) - before
    further = (ten - one) / (CHILDREN - 1)
    print(f"  {'reeved':12} private {private} kB, {private - bare} above a bare loop with libevent and libsystemd ({bare} kB;"
          f" target at most {ABOVE_BARE_KB}{', met' if private - bare <= ABOVE_BARE_KB else ', MISSED'}),\n"
          f"{'':15}{woken} wake-ups in {IDLE_SECONDS} s with its hosts (target 0),\n"
          f"{'':15}{further:.0f} kB for each further idle host (target 512)")
    return {"private_kb": private, "bare_private_kb": bare, "wakeups": woken, "host_pss_kb": further}


def bare_seconds(folder, count):
    done = subprocess.run([os.path.join(folder, "bench", "bare_spawn"), str(count),
                           os.path.join(folder, "bench", "idle.so")],
                          capture_output=True, text=True, check=True,
                          env=dict(os.environ, LD_LIBRARY_PATH=os.path.join(folder, "lib")))
    return json.loads(done.stdout)["seconds"]


def compare(title, ours, bare, target):
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"{title}\n  reeved {statistics.median(ours) * 1e3:.1f} ms, bare "
          f"{statistics.median(bare) * 1e3:.1f} ms: {ratio:.2f}, target at most {target}"
          f"{', met' if ratio <= target else ', MISSED'}")
    return {"reeved": ours, "bare": bare, "ratio": ratio, "target": target}


def starts(folder, rounds):
    ours, bare = [], []
    for i in range(rounds):
        doing(f"round {i + 1} of {rounds}, start of {MANY} modules")
        bare.append(bare_seconds(folder, MANY))
        with Reeved(folder, MANY) as daemon:
            ours.append(daemon.start_seconds)
    return compare(f"{MANY} modules from exec to READY=1; as many bare fork, exec and dlopen", ours,
                   bare, 1.5)


def restarts(folder, rounds):
    doing("restarts")
    ours, bare = [], []
    with Reeved(folder, CHILDREN) as daemon:
        daemon.forget()
        for _ in range(rounds * 3):
            bare.append(bare_seconds(folder, 1))
            ours.append(daemon.restart_seconds())
            time.sleep(0.2)
    return compare("kill -9 of a host until its module is ready again; one fork, exec and dlopen",
                   ours, bare, 1.5)


def stops(folder, rounds):
    doing("stops")
    seconds = []
    for _ in range(rounds):
        with Reeved(folder, CHILDREN) as daemon:
            time.sleep(0.5)
            seconds.append(daemon.stop())
    median = statistics.median(seconds)
    print(f"SIGTERM to exit, {CHILDREN} idle modules\n  {median * 1e3:.1f} ms, target at most 20 ms"
          f"{', met' if median <= 0.02 else ', MISSED'}")
    return seconds


def reads(folder, rounds):
    values = [json.loads(subprocess.run([os.path.join(folder, "bench", "scoreboard_read")],
                                        capture_output=True, check=True).stdout)["ns"]
              for _ in range(rounds)]
    median = statistics.median(values)
    print(f"one module and its task read from the scoreboard\n  {median:.0f} ns, target at most "
          f"1000 ns{', met' if median <= 1000 else ', MISSED'}")
    return values


def run(folder, rounds):
    folder = os.path.dirname(folder)
    print(f"idle, {CHILDREN} children or plugins")
    report = {"reeved": reeved_idle(folder)}
    for name, command in (("supervisord", supervisord), ("collectd", collectd), ("s6-svscan", s6)):
        report[name] = peer_idle(name, command)
    report["start"] = starts(folder, rounds)
    report["restart"] = restarts(folder, rounds)
    report["stop"] = stops(folder, rounds)
    report["read"] = reads(folder, rounds)
    return report
