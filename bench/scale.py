# SPDX-License-Identifier: MIT
"""reeved with 100, 250 and 1,000 modules: does the cost grow with the work, or with its square?

Processor time is that of reeved itself, and apart from it that of its hosts. Figures are taken in rounds in which the
sizes take turns; ratios are those of 1,000 modules to 100. Two configurations: each module in a host of its own
("apart"), and pairs of modules that share a host and require the pair before them, in chains of five ("joined").
`/livez` is asked by a process of its own, as a load balancer would, in rounds that measure nothing else. Beside it a
bare evhttp server is asked, for what any server can have on this machine at that moment.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from daemon import children, smaps
from health import as_a_service, bare_server
from waiting import doing

SIZES = [int(size) for size in os.environ.get("SCALE_SIZES", "100 250 1000").split()]
LOOPING, LOOPING_SECONDS = 250, 10
SHARED, SHARED_KB = 500, 20 * 1024
INTERVAL = 0.005
# What nobody may exceed: processor time of the largest size over that of the smallest, for ten times the modules.
GROWTH_TARGET = 12
LIVEZ_P99, LIVEZ_WORST = 5.0, 20.0
PATIENCE = 300
HERE = os.path.dirname(os.path.abspath(__file__))


def processor_time(pid):
    """Seconds that a process has had, all its threads included, also of a dead one that nobody has waited for."""
    return time.clock_gettime((~pid << 3) | 2)


def waited_for(pid):
    """Seconds of processor time of children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def of_children(pid):
    total = waited_for(pid)
    for child in children(pid):
        with contextlib.suppress(OSError):
            total += processor_time(child)
    return total


class Fleet:
    """reeved with so many modules, until the context ends."""

    def __init__(self, build, count, joined=False, looping=0):
        self.build, self.count, self.joined, self.looping = build, count, joined, looping
        self.place = self.process = self.port = None
        self.lines, self.changed = [], threading.Condition()
        self.notify, self.ready, self.ready_at = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), threading.Event(), 0

    def __enter__(self):
        self.place = tempfile.mkdtemp(prefix="reeve-bench-")
        os.mkdir(os.path.join(self.place, "conf.d"))
        with open(self.path("reeve.ini"), "w", encoding="utf-8") as file:
            file.write("[daemon]\nlisten = 127.0.0.1:0\ninclude = conf.d/*.ini\n")
        for first in range(0, self.count, 100):
            with open(self.path("conf.d", f"{first:05}.ini"), "w", encoding="utf-8") as file:
                file.writelines(self.section(i) for i in range(first, min(first + 100, self.count)))
        with open(self.path("conf.d", "looping.ini"), "w", encoding="utf-8") as file:
            file.write("# Those that crash.\n")
            file.writelines(f"[module:looping-{i}]\nload = {self.build}/bench/looping.so\nessential = no\n"
                            "restart-delay = 1s\nrestart-delay-max = 1s\nrestart-limit = 1000/1min\n"
                            for i in range(self.looping))
        self.log("no")
        return self

    def __exit__(self, *_):
        if self.process:
            if self.process.poll() is None:
                self.process.terminate()
            self.process.wait(PATIENCE)
        with contextlib.suppress(OSError):
            self.notify.shutdown(socket.SHUT_RD)
        self.notify.close()
        shutil.rmtree(self.place)

    def path(self, *names):
        return os.path.join(self.place, *names)

    def section(self, i):
        if not self.joined:
            return f"[module:m{i}]\nload = heartbeat\nfile = m{i}\nbeat.every = 1d\nrestart-delay = 0s\n"
        pair, place = divmod(i, 2)
        what = ["load = heartbeat\nbeat.every = 1d\nfile = m{i}\n", "load = {build}/bench/idle.so\n"][place]
        requires = f"requires = m{i - 2}\n" if pair % 5 else ""
        return f"[module:m{i}]\nhost = h{pair}\nrestart-delay = 0s\n{requires}" + what.format(i=i, build=self.build)

    def log(self, value):
        """Gives module "one" another option, for the next reload."""
        with open(self.path("conf.d", "zz.ini"), "w", encoding="utf-8") as file:
            file.write(f"[module:one]\nload = heartbeat\nfile = one\nbeat.every = 1d\nlog = {value}\n")

    def start(self):
        """Seconds until reeved has told systemd that all is ready."""
        self.notify.bind(self.path("notify"))
        environment = dict(os.environ, RUNTIME_DIRECTORY=self.place, STATE_DIRECTORY=self.place,
                           NOTIFY_SOCKET=self.path("notify"))
        started = time.monotonic()
        self.process = subprocess.Popen(
            [f"{self.build}/daemon/reeved", "-c", self.path("reeve.ini")], env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
            preexec_fn=as_a_service(-10 if os.geteuid() == 0 else 0))
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.listen, daemon=True).start()
        if not self.ready.wait(PATIENCE):
            raise RuntimeError("reeved did not start:\n" + "".join(self.lines[-20:]))
        return self.ready_at - started

    def listen(self):
        """Does what systemd does: it reads what is told, as long as the daemon lives."""
        with contextlib.suppress(OSError):
            while True:
                if b"READY=1" in self.notify.recv(4096) and not self.ready.is_set():
                    self.ready_at = time.monotonic()
                    self.ready.set()

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()

    def wait_line(self, pattern, start=0):
        end = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                start = len(self.lines)
                if not self.changed.wait(end - time.monotonic()):
                    raise RuntimeError(f"no {pattern!r}:\n" + "".join(self.lines[-20:]))

    def find_port(self):
        return int(self.wait_line(r"served at http://127\.0\.0\.1:(\d+)/").group(1))

    def ask(self, target, method="GET"):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as control:
            control.settimeout(PATIENCE)
            control.connect(self.path("control"))
            connection = http.client.HTTPConnection("reeved")
            connection.sock = control
            connection.request(method, target)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target}: {answer.status} {body.decode()}")
        return body

    def rest(self):
        """Waits until reeved has nothing more to do."""
        before = None
        while before != (before := processor_time(self.process.pid)):
            time.sleep(0.1)

    def measured(self, action):
        """Runs an action: its seconds, and processor time of reeved and of what it started, until it rests again."""
        self.rest()
        pid = self.process.pid
        before = processor_time(pid), of_children(pid)
        started = time.monotonic()
        action()
        seconds = time.monotonic() - started
        self.rest()
        return {"wall": seconds, "cpu": processor_time(pid) - before[0], "hosts": of_children(pid) - before[1]}

    def reload(self):
        self.ask("/v1/reload", "POST")

    def reload_again_and_again(self):
        """One alone is over before there are enough probes to speak of."""
        for _ in range(50):
            self.reload()

    def upgrade(self):
        mark = len(self.lines)
        self.ask("/v1/upgrade", "POST")
        self.wait_line("has taken over from", mark)

    def restart_one(self):
        self.ask("/v1/restart?module=one&wait", "POST")

    def terminate(self):
        """Seconds from SIGTERM to the end, and the processor time between."""
        pid = self.process.pid
        before = processor_time(pid), of_children(pid)
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return {"wall": time.monotonic() - started, "cpu": processor_time(pid) - before[0],
                "hosts": waited_for(pid) - before[1]}

    def asked(self, target, count):
        """Milliseconds for one answer over the public listener, and for how long the loop is busy with it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.find_port(), timeout=PATIENCE)
        walls, size = [], 0
        before = processor_time(self.process.pid)
        with contextlib.closing(connection):
            for _ in range(count):
                started = time.monotonic()
                connection.request("GET", target)
                answer = connection.getresponse()
                size = len(answer.read())
                walls.append(time.monotonic() - started)
                # A probe asks for the present state: what was made for the one before is old.
                time.sleep(0.02)
        return {"wall": statistics.median(walls), "cpu": (processor_time(self.process.pid) - before) / count,
                "bytes": size, "status": answer.status}

    def status_by_program(self):
        return subprocess.run([f"{self.build}/ctl/reevectl", "-s", self.path("control"), "status"],
                              stdout=subprocess.DEVNULL, check=True)


class Prober:
    """A process that asks for /livez until the context ends; then latencies has the milliseconds."""

    def __init__(self, port):
        self.port, self.latencies = port, []

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "prober.py"), "/livez", str(INTERVAL)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=self.prepare)
        self.process.stdout.readline()
        if self.port:
            self.begin(self.port)
        return self

    @staticmethod
    def prepare():
        if os.geteuid() == 0:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    def begin(self, port):
        self.process.stdin.write(f"{port}\n")
        self.process.stdin.flush()

    def __exit__(self, *_):
        output, _ = self.process.communicate()
        self.latencies = json.loads(output or "[]")


# Figures -----------------------------------------------------------------------------------------

STEPS = ["start", "reload", "reload one", "restart one", "upgrade", "stop"]
ASKED = ["/health", "/health?module=one", "/health/one", "/metrics"]


def figures(build, count, joined):
    """One round of one size: each step's seconds."""
    found = {}
    with Fleet(build, count, joined) as fleet:
        wall = fleet.start()
        pid = fleet.process.pid
        found["start"] = {"wall": wall, "cpu": processor_time(pid), "hosts": of_children(pid)}
        fleet.rest()
        found["reload"] = fleet.measured(fleet.reload)
        fleet.log("yes")
        found["reload one"] = fleet.measured(fleet.reload)
        found["restart one"] = fleet.measured(fleet.restart_one)
        for target in ASKED:
            found[target] = fleet.asked(target, 10)
        found["status"] = fleet.measured(fleet.status_by_program)
        found["upgrade"] = fleet.measured(fleet.upgrade)
        found["stop"] = fleet.terminate()
    return found


def median_of(rounds, name, key):
    return statistics.median(found[name][key] for found in rounds)


def verdict(met):
    return "met" if met else "MISSED"


def print_steps(results, kind):
    smallest, largest = SIZES[0], SIZES[-1]
    growth = GROWTH_TARGET * (largest / smallest) / 10
    print(f"\n{kind}: processor time of reeved, of its hosts, and time on the clock; milliseconds")
    print(f"  {'modules':12}" + "".join(f"{size:^28}" for size in SIZES) + "  growth")
    rows = []
    for name in STEPS:
        cells = [[median_of(results[size], name, key) * 1e3 for key in ("cpu", "hosts", "wall")] for size in SIZES]
        ratio = cells[-1][0] / cells[0][0]
        print(f"  {name:12}" + "".join(f"{cpu:9.1f}{hosts:9.0f}{wall:9.1f} " for cpu, hosts, wall in cells) +
              f"  {ratio:5.1f}, target at most {growth:.0f}, {verdict(ratio <= growth)}")
        rows.append({"title": f"{kind}: {name}, processor time of {largest} modules over {smallest}", "ratio": ratio,
                     "target": growth, "at_most": True, "best": f"{smallest} modules", "met": ratio <= growth})
    return rows


def print_limits(results):
    """Counts that have a limit of their own at the largest size."""
    largest, rows = SIZES[-1], []
    for name, key, target in (("reload", "wall", 0.2), ("stop", "wall", 1.5), ("/health", "cpu", 0.002)):
        value = median_of(results[largest], name, key)
        what = "of the loop" if key == "cpu" else "on the clock"
        print(f"  {largest} modules, {name}: {value * 1e3:.1f} ms {what}, target at most {target * 1e3:g} ms, "
              f"{verdict(value <= target)}")
        rows.append({"title": f"{largest} modules, {name}: seconds {what}", "value": value, "limit": target,
                     "met": value <= target})
    return rows


def print_asked(results):
    print("\none answer: how long the loop is busy with it, time on the clock (milliseconds), bytes")
    for target in ASKED:
        cells = [[median_of(results[size], target, key) for key in ("cpu", "wall", "bytes")] for size in SIZES]
        print(f"  {target:20}" + "".join(f"{cpu * 1e3:9.2f}{wall * 1e3:9.2f}{size:9.0f} " for cpu, wall, size in cells))
    cells = [[median_of(results[size], "status", key) * 1e3 for key in ("cpu", "wall")] for size in SIZES]
    print(f"  {'reevectl status':20}" + "".join(f"{cpu:9.2f}{wall:9.2f}{'':9} " for cpu, wall in cells))


# One host ----------------------------------------------------------------------------------------

class Shared(Fleet):
    """Sections of a reentrant module in one host."""

    def section(self, i):
        return f"[module:m{i}]\nload = exec\nhost = all\ncommand = true\nrun.every = 1d\n"


def shared(build, rounds):
    """Sections of exec in one process: what they take together, and how soon they are ready."""
    found = []
    for i in range(rounds):
        doing(f"round {i + 1} of {rounds}, {SHARED} sections of exec in one host")
        with Shared(build, SHARED) as fleet:
            wall = fleet.start()
            fleet.rest()
            # The other host is that of the module "one".
            largest = max(children(fleet.process.pid), key=lambda pid: smaps(pid)[0])
            found.append({"processes": len(children(fleet.process.pid)) - 1, "private_kb": smaps(largest)[0],
                          "start": wall, "supervisor_kb": smaps(fleet.process.pid)[0]})
    private, start = (statistics.median(round_[key] for round_ in found) for key in ("private_kb", "start"))
    met = private <= SHARED_KB and all(round_["processes"] == 1 for round_ in found)
    print(f"\n{SHARED} sections of exec in one host: {private / 1024:.1f} MB private, ready in {start * 1e3:.0f} ms; "
          f"target at most {SHARED_KB / 1024:.0f} MB in one process, {verdict(met)}")
    return {"rounds": found, "met": met}


# Probes ------------------------------------------------------------------------------------------

def probed(latencies):
    ordered = sorted(latencies)
    if not ordered:
        return None
    return {"probes": len(ordered), "p50": ordered[len(ordered) // 2], "p99": ordered[(len(ordered) - 1) * 99 // 100],
            "worst": ordered[-1]}


@contextlib.contextmanager
def probing(found, name, port, bare):
    """Probes reeved and the bare server while the context lasts."""
    with Prober(port) as ours, Prober(bare) as peers:
        yield ours
    found[name] = {"reeved": probed(ours.latencies), "bare": probed(peers.latencies)}


def probes(build, folder, count):
    """Latencies of /livez in each step of one round."""
    found = {}
    with bare_server(folder, 20, -10 if os.geteuid() == 0 else 0) as bare:
        with Fleet(build, count) as fleet:
            with probing(found, "start", None, bare.port) as prober:
                thread = threading.Thread(target=fleet.start)
                thread.start()
                while not fleet.process:
                    time.sleep(0.001)
                prober.begin(fleet.find_port())
                thread.join()
            for name, action in (("reload", fleet.reload_again_and_again), ("upgrade", fleet.upgrade)):
                fleet.rest()
                with probing(found, name, fleet.find_port(), bare.port):
                    time.sleep(0.1)
                    action()
                    time.sleep(0.1)
            fleet.rest()
            with probing(found, "stop", fleet.find_port(), bare.port):
                time.sleep(0.1)
                fleet.terminate()
        with Fleet(build, count - LOOPING, looping=LOOPING) as fleet:
            fleet.start()
            time.sleep(1)
            with probing(found, "crash loops", fleet.find_port(), bare.port):
                time.sleep(LOOPING_SECONDS)
    return found


def print_probes(rounds, count):
    print(f"\n/livez of {count} modules, a probe each {INTERVAL * 1e3:g} ms, milliseconds; {LOOPING} of them crash in the "
          "last row; medians of the rounds, worst of all")
    rows = []
    for name in rounds[0]:
        line = f"  {name:12}"
        for who in ("reeved", "bare"):
            results = [found[name][who] for found in rounds if found[name][who]]
            p50, p99 = (statistics.median(result[key] for result in results) for key in ("p50", "p99"))
            worst = max(result["worst"] for result in results)
            line += f"  {who}: p50 {p50:.2f}, p99 {p99:.2f}, worst {worst:.1f}"
            if who == "reeved":
                met = name == "upgrade" or (p99 <= LIVEZ_P99 and worst <= LIVEZ_WORST)
                rows.append({"title": f"/livez, {count} modules, {name}", "p50": p50, "p99": p99, "worst": worst,
                             "met": met})
        print(line + ("" if name == "upgrade" else
                      f";  target p99 {LIVEZ_P99:g}, worst {LIVEZ_WORST:g}, {verdict(met)}"))
    return rows


def run(folder, rounds):
    """Prints all tables; returns all figures."""
    build = os.path.dirname(folder)
    report = {"rounds": {}}
    for kind, joined in (("apart", False), ("joined", True)):
        results = {size: [] for size in SIZES}
        for i in range(rounds):
            for size in SIZES:
                doing(f"round {i + 1} of {rounds}, {size} modules {kind}")
                results[size].append(figures(build, size, joined))
        report["rounds"][kind] = results
        report[kind] = print_steps(results, kind)
        if not joined:
            report["limits"] = print_limits(results)
            print_asked(results)
    report["shared"] = shared(build, rounds)
    found = []
    for i in range(rounds):
        doing(f"round {i + 1} of {rounds}, probes")
        found.append(probes(build, folder, SIZES[-1]))
    report["livez"] = print_probes(found, SIZES[-1])
    report["rounds"]["livez"] = found
    return report
