# SPDX-License-Identifier: MIT
"""/health of reeved beside a bare evhttp server that gives a fixed body of the same size.

Throughput: both servers run, idle, and the same client asks one after the other. Latency: a module
of the daemon keeps every core busy while the client asks at a modest fixed rate. The client then runs
at real-time priority, so that what is measured is the server's waiting and not its own; and the bare
server is measured beside the pools, too, for what a server can have on this machine at that moment.

A machine that others use as well falsifies the first by what it gives to each side at a moment. The
processor time for a request does not depend on that, so its ratio is shown beside.
"""
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from waiting import doing

HEARTBEATS = 10
# Connections, requests.
LOADS = [(1, 15000), (16, 40000), (64, 40000)]
# Short and many: one stall of the machine is to spoil one round, and not the median.
RATE, RATE_REQUESTS, RATE_CONNECTIONS, RATE_ROUNDS = 1000, 1000, 8, 3
RATIO_TARGET, P99_TARGET = 0.9, 2000.0


class Server:
    """A server that runs until its context ends; port is where."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def cpu(self):
        """Seconds of processor time that it has had."""
        with open(f"/proc/{self.process.pid}/schedstat", encoding="utf-8") as file:
            return int(file.read().split()[0]) / 1e9


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def as_a_service(nice):
    """Does as a service manager does: a session of its own, and a niceness."""
    def prepare():
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    return prepare


@contextlib.contextmanager
def bare_server(folder, size, nice=0):
    with ended(subprocess.Popen([os.path.join(folder, "health_evhttp"), str(size)],
                                stdout=subprocess.PIPE, text=True,
                                preexec_fn=as_a_service(nice))) as process:
        # As reeved does for itself: see daemon/start/priority.c.
        if nice < 0:
            with contextlib.suppress(FileNotFoundError):
                with open(f"/proc/{process.pid}/autogroup", "w", encoding="utf-8") as file:
                    file.write(str(nice))
        yield Server(process, int(process.stdout.readline()))


def write_config(path, build, busy):
    modules = [f"[module:heart-{i}]\nload = heartbeat\nfile = heart-{i}\n"
               for i in range(HEARTBEATS)]
    if busy:
        modules.append(f"[module:spin]\nload = {build}/bench/spin.so\n"
                       f"spin.workers = {os.cpu_count()}\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("[daemon]\nlisten = 127.0.0.1:0\n" + "".join(modules))


@contextlib.contextmanager
def reeved(build, busy=False, nice=0):
    folder = tempfile.mkdtemp(prefix="reeve-bench-")
    environment = dict(os.environ, RUNTIME_DIRECTORY=folder, STATE_DIRECTORY=folder)
    environment.pop("NOTIFY_SOCKET", None)
    config = os.path.join(folder, "reeve.ini")
    write_config(config, build, busy)
    try:
        with ended(subprocess.Popen([f"{build}/daemon/reeved", "-c", config], env=environment,
                                    stderr=subprocess.PIPE, text=True, errors="replace",
                                    preexec_fn=as_a_service(nice))) as process:
            port, log = None, []
            for line in process.stderr:
                log.append(line)
                match = re.search(r"served at http://127\.0\.0\.1:(\d+)/", line)
                port = int(match.group(1)) if match else port
                if re.search(r" started$", line):
                    break
            else:
                raise RuntimeError("reeved did not start:\n" + "".join(log))
            yield Server(process, port)
    finally:
        shutil.rmtree(folder)


def real_time():
    os.setsid()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def ask(folder, server, path, connections, count, rate=None):
    """One run of the client: what it measured. With a rate, and as root, at real-time priority."""
    arguments = [os.path.join(folder, "health_client"), str(server.port), path, str(connections),
                 str(count)] + ([str(rate)] if rate else [])
    doing(f"{count} requests for {path} over {connections} connections")
    before = server.cpu()
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False,
                          preexec_fn=real_time if rate and os.geteuid() == 0 else None)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout), cpu=server.cpu() - before)


def spread(values):
    return f"{min(values):.2f} to {max(values):.2f}"


def throughput(folder, rounds):
    """Requests a second of both servers, interleaved; ratios are taken within a round."""
    build, report = os.path.dirname(folder), []
    print(f"/health and /livez, requests a second; reeved with {HEARTBEATS} modules, medians of "
          f"{rounds} rounds")
    print("  path      connections     reeved       bare   ratio  (from, to)      target   "
          "processor time: reeved  bare  ratio")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(reeved(build))
        peers = {}
        for path in ("/health", "/livez"):
            size = ask(folder, server, path, 1, 1)["bytes"]
            peers[path] = [("reeved", server),
                           ("bare", stack.enter_context(bare_server(folder, size)))]
        for path, pair in peers.items():
            for connections, count in LOADS:
                rates, costs = {"reeved": [], "bare": []}, {"reeved": [], "bare": []}
                for _ in range(rounds):
                    for name, peer in random.sample(pair, len(pair)):
                        result = ask(folder, peer, path, connections, count)
                        rates[name].append(result["result"] / result["seconds"])
                        costs[name].append(result["cpu"] / result["result"] * 1e6)
                ratios = [a / b for a, b in zip(rates["reeved"], rates["bare"])]
                cost = {name: statistics.median(values) for name, values in costs.items()}
                print(f"  {path:8}  {connections:11}  {statistics.median(rates['reeved']):9.0f}  "
                      f"{statistics.median(rates['bare']):9.0f}   {statistics.median(ratios):.2f}   "
                      f"({spread(ratios)})  >= {RATIO_TARGET}   {cost['reeved']:17.1f} us"
                      f" {cost['bare']:5.1f}   {cost['bare'] / cost['reeved']:.2f}", flush=True)
                report.append({"path": path, "connections": connections, "rates": rates,
                               "costs": costs, "ratios": ratios})
    return report


def cpu_busy():
    """Busy and all ticks of the machine so far."""
    with open("/proc/stat", encoding="utf-8") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def latency(folder, rounds):
    """Percentiles while pools keep the cores busy, reeved above its hosts and beside them."""
    build, report = os.path.dirname(folder), []
    root = os.geteuid() == 0
    rounds *= RATE_ROUNDS
    print(f"\n/health at {RATE} requests a second while a pool keeps all {os.cpu_count()} cores "
          f"busy; microseconds, medians of {rounds} rounds")
    if not root:
        print("  not root: reeved cannot be above its hosts, nor the client above all")
    with contextlib.ExitStack() as stack:
        servers = {}
        for nice in (-10, 0) if root else (0,):
            servers[f"reeved at nice {nice}"] = stack.enter_context(
                reeved(build, busy=not servers, nice=nice))
        servers[f"bare at nice {nice if not root else -10}"] = stack.enter_context(
            bare_server(folder, 5000, -10 if root else 0))
        time.sleep(0.5)  # the pool fills the cores
        runs = {name: [] for name in servers}
        before = cpu_busy()
        for _ in range(rounds):
            for name in random.sample(list(servers), len(servers)):
                runs[name].append(ask(folder, servers[name], "/health", RATE_CONNECTIONS,
                                      RATE_REQUESTS, RATE))
        after = cpu_busy()
    print("                          p50       p99     p99.9       max   p99 from, to        in time    target p99")
    for name, results in runs.items():
        middle = [statistics.median(r[key] for r in results)
                  for key in ("p50", "p99", "p999", "max")]
        p99 = [r["p99"] for r in results]
        print(f"  {name:19}" + "".join(f"{value:8.0f}  " for value in middle) +
              f" {min(p99):.0f} to {max(p99):.0f}".ljust(21) +
              f"{sum(v < P99_TARGET for v in p99)} of {rounds}".ljust(11) +
              (f"< {P99_TARGET:.0f}" if name == "reeved at nice -10" else ""))
        report.append({"server": name, "results": results})
    print(f"  cores were busy for {(after[0] - before[0]) / (after[1] - before[1]):.0%} of the time; "
          f"load average {os.getloadavg()[0]:.1f}")
    return report


def run(folder, rounds):
    """Prints both tables; returns all figures."""
    return {"throughput": throughput(folder, rounds), "latency": latency(folder, rounds)}
