# SPDX-License-Identifier: MIT
"""The scenarios that run in a virtual machine. Each function is a scenario: it gets a Machine in which reeve is installed
and runs on the sample configuration, raises machine.Failure when something is wrong, and returns a line of figures.
"""
import json
import re

from machine import Failure

UNIT = "reeve.service"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
CONFIG = "/etc/reeve/conf.d/test.ini"
GROUP = f"/sys/fs/cgroup/system.slice/{UNIT}"
HEALTH = "http://127.0.0.1:8080/health"


def expect(good, what, expected, seen):
    if not good:
        raise Failure(f"{what}: expected {expected}, seen {seen}")


def expect_equal(what, expected, seen):
    expect(seen == expected, what, repr(expected), repr(seen))


def read_json(vm, command):
    text = vm.run(command)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"`{command}`: expected JSON, seen ({error}):\n{text}") from error


def configure(vm, text, *drop_ins):
    """Restarts the service with sections beside the sample's, and with drop-ins of the package."""
    vm.run(f"mkdir -p {DROP_INS}; rm -f {DROP_INS}/*; "
           + "; ".join(f"cp /usr/share/reeve/systemd/{name} {DROP_INS}/" for name in drop_ins))
    vm.write(CONFIG, text)
    vm.run(f"systemctl daemon-reload && systemctl reset-failed {UNIT}; systemctl restart {UNIT} || "
           f"{{ systemctl status {UNIT} --no-pager -l; exit 1; }}")


def reset(vm):
    """As it was after the installation."""
    vm.run(f"systemctl disable --now reeve-health.socket reeve-control.socket; rm -rf {DROP_INS} {CONFIG}; "
           f"systemctl daemon-reload; systemctl reset-failed; systemctl restart {UNIT}")


def show(vm, name):
    return vm.run(f"systemctl show {UNIT} -P {name}").strip()


def module(vm, name):
    modules = {found["name"]: found for found in read_json(vm, "reevectl status --json")["modules"]}
    expect(name in modules, "the modules of reevectl status", name, ", ".join(modules) or "none")
    return modules[name]


def journal(vm, pattern):
    """The lines of the service's journal that have the pattern."""
    lines = vm.run(f"journalctl -u {UNIT} -o cat --no-pager").splitlines()
    return [line for line in lines if re.search(pattern, line)]


def expect_logged(vm, pattern):
    expect(journal(vm, pattern), f"the journal of {UNIT}", f"a line with {pattern!r}", "none")


def expect_undamaged(vm):
    lines = [line for line in journal(vm, "last-runs") if "damaged" in line]
    expect(not lines, f"the journal of {UNIT}", "no line about damaged last runs", "\n".join(lines))


def expect_one_run(runs, when=""):
    expect_equal(f"{when}how often the daily task ran", 1, len(runs))


def install(vm):
    """The packages are installed, and the service runs and is healthy without a further step."""
    output = vm.run("DEBIAN_FRONTEND=noninteractive apt-get install -y /root/debs/libreeve1_*.deb /root/debs/reeve_*.deb")
    complaint = re.search(r"(?i)^.*(\berror|warning\b(?!.*sandbox)|failed).*$", output, re.M)
    expect(not complaint, "what apt-get install said", "no complaint", f"{complaint and complaint[0]!r} in:\n{output}")
    vm.wait(f"curl -s -m 10 {HEALTH}", r'"status": ?"pass"')
    expect_equal("the service's user", "reeve", show(vm, "User"))
    expect_equal("systemctl is-enabled reeve", "enabled", vm.run("systemctl is-enabled reeve || true").strip())
    # There is no man in the machine, which verify would ask for the unit's pages.
    expect_equal("systemd-analyze verify", "", vm.run(f"systemd-analyze --man=no verify {UNIT} 2>&1 || true"))
    exposure = vm.run(f"systemd-analyze security {UNIT} --no-pager | tail -n 1 | grep -oE '[0-9]+\\.[0-9]+'").strip()
    versions = vm.run("uname -r; systemctl --version | head -n 1").split("\n")
    return f"kernel {versions[0]}, {versions[1]}, exposure {exposure}"


def memory_max(vm):
    """A module that takes more than memory-max is killed by its control group, and the reason is shown."""
    configure(vm, "[module:hog]\nload = /usr/lib/reeve-test/hog.so\nmemory-max = 64M\nessential = no\n", "limits.conf")
    vm.wait("reevectl status", r"hog +ready")
    expect_equal("memory.max", str(64 << 20), vm.run(f"cat {GROUP}/host-hog-*/memory.max").strip())
    code, output = vm.run("reevectl run hog/eat --wait", check=False)
    expect(code != 0, "a run that takes 300 MiB", "a failure, as it is killed", f"success: {output}")
    vm.wait("reevectl status", r"hog +ready")
    expect_equal("restarts of the module", 1, module(vm, "hog")["restarts"])
    for command in ("reevectl show hog", "reevectl status"):
        text = vm.run(command)
        expect("memory" in text, f"`{command}`", "the reason, with the word \"memory\"", f"none:\n{text}")
    expect_logged(vm, "hog.*memory")
    return "64 MiB bound, 300 MiB taken: " + output.strip()


def cpu_max(vm):
    """A module that takes all it can gets cpu-max."""
    configure(vm, "[module:hog]\nload = /usr/lib/reeve-test/hog.so\ncpu-max = 20%\nburn.timeout = 2min\nessential = no\n",
              "limits.conf")
    vm.wait("reevectl status", r"hog +ready")
    vm.run("reevectl run hog/burn")
    sample = f"cut -d' ' -f1 /proc/uptime; grep usage_usec {GROUP}/host-hog-*/cpu.stat"
    first, second = (re.findall(r"[\d.]+", vm.run(f"sleep {seconds}; {sample}")) for seconds in (3, 10))
    share = (int(second[-1]) - int(first[-1])) / 1e4 / (float(second[0]) - float(first[0]))
    throttled = int(vm.run(f"grep -h nr_throttled {GROUP}/host-hog-*/cpu.stat").split()[1])
    # The kernel lets a period end late where it has little time itself: no exact figure can be asked for.
    expect(share < 40 and throttled > 0, "a module with cpu-max = 20%", "less than 40 % and to be throttled",
           f"{share:.1f} %, throttled {throttled} times")
    return f"20 % allowed, {share:.1f} % measured, throttled {throttled} times"


def user(vm):
    """A module runs as another user, with that one's groups and no capability."""
    vm.run("id other || useradd --system other; install -d -o other /var/lib/reeve/other")
    section = "[module:as-other]\nload = exec\nuser = other\nessential = no\nrun.every = never\nlog-output = always\n" \
              "command = id -un > other/who; grep -E 'CapEff|NoNewPrivs' /proc/self/status >> other/who; touch no\n"
    configure(vm, section, "users.conf")
    vm.wait("reevectl status", r"as-other +ready")
    vm.run("reevectl run as-other/run --wait", check=False)
    who = vm.run("cat /var/lib/reeve/other/who")
    expect(re.fullmatch(r"other\nCapEff:\t0+\nNoNewPrivs:\t1\n", who), "whom it ran as",
           "other, without capabilities and new privileges", f"\n{who}")
    expect_equal("what it made where it may not write", "", vm.run("ls /var/lib/reeve/no 2>/dev/null || true"))
    return "other, no capability, no new privileges"


def watchdog(vm):
    """A reeved that hangs is replaced by systemd."""
    reset(vm)
    before = show(vm, "MainPID")
    vm.run(f"kill -STOP {before}")
    vm.wait(f"systemctl show {UNIT} -P NRestarts", r"^[1-9]")
    vm.wait(f"curl -s -m 10 {HEALTH}", r'"status": ?"pass"')
    now = show(vm, "MainPID")
    expect(now != before, "the main process after a hang", f"another one than {before}", now)
    expect_logged(vm, "(?i)watchdog timeout")
    return f"WatchdogUSec {show(vm, 'WatchdogUSec')}, restarted"


def sockets(vm):
    """With systemd listening, nobody is refused while the service restarts."""
    vm.run(f"systemctl stop {UNIT} && systemctl enable --now reeve-health.socket reeve-control.socket")
    vm.wait(f"curl -s -m 30 {HEALTH}", r'"status": ?"pass"')
    vm.wait(f"systemctl show {UNIT} -P ActiveState", "^active$")
    vm.run(f"nohup bash -c 'while [ ! -e /tmp/over ]; do curl -s -m 60 -o /dev/null -w \"%{{http_code}} \" {HEALTH} "
           f"|| echo refused; done' >/tmp/answers 2>&1 & for n in 1 2 3; do systemctl restart {UNIT}; done; "
           "touch /tmp/over; wait; rm /tmp/over")
    answers = vm.run("cat /tmp/answers").split()
    wrong = [answer for answer in answers if answer not in ("200", "503")]
    expect(answers and not wrong, "answers while the service restarts", "200 or 503 to each request",
           f"{len(wrong)} others of {len(answers)}: {', '.join(sorted(set(wrong)))}")
    reset(vm)
    return f"{len(answers)} requests over 3 restarts, none refused"


def upgrade(vm):
    """The packages of a later version take over in place."""
    reset(vm)
    before = show(vm, "MainPID")
    vm.run("""cd /root/debs && rm -rf later && mkdir later && for name in libreeve1 reeve; do
        dpkg-deb -R ${name}_*.deb later/$name
        sed -i -E 's/0\\.1\\.0-1/0.1.0-1+later/' later/$name/DEBIAN/control
        dpkg-deb -b --root-owner-group later/$name later/$name.deb >/dev/null; done""")
    output = vm.run("DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/later/*.deb")
    expect("upgraded in place" in output, "what dpkg said", '"upgraded in place"', f"\n{output}")
    expect_equal("the main process after the upgrade", before, show(vm, "MainPID"))
    expect_equal("restarts of the service", "0", show(vm, "NRestarts"))
    vm.wait(f"curl -s -m 10 {HEALTH}", r'"status": ?"pass"')
    return "in place, the same process"


def reboot(vm):
    """A machine that restarts in order comes back with the service, its schedules and its last runs."""
    configure(vm, "[module:daily]\nload = exec\ncommand = date -u +%s >> daily-runs\nrun.every = 24h\nessential = no\n")
    vm.wait("cat /var/lib/reeve/daily-runs", r"^\d+$")
    vm.wait("reevectl status", r"daily +ready")
    vm.stop()
    seconds = vm.start()
    vm.wait(f"curl -s -m 10 {HEALTH}", r'"status": ?"pass"')
    vm.wait("reevectl status", r"daily +ready")
    runs = vm.run("cat /var/lib/reeve/daily-runs").split()
    expect_one_run(runs)
    expect_undamaged(vm)
    return f"up after {seconds:.0f} s, the daily task ran once"


SCENARIOS = [memory_max, cpu_max, user, watchdog, sockets, upgrade, reboot]
