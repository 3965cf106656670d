# SPDX-License-Identifier: MIT
"""Power cuts while files go through a spool: every file and stamp is accounted for.

qemu is killed, so whatever the guest had not yet given to its disk is gone. (What it has given counts as written: a
disk that lies about its cache is not played.) Half of the files are dropped as the manual of the spool says, fsync
and rename; of these none may be lost, cut short, done without its output, or done twice. The other half shows what
becomes of files that are dropped without.
"""
import random
import re
import time

from telling import Ticker
from scenarios import CONFIG, DROP_INS, HEALTH, UNIT, expect, expect_one_run, expect_undamaged, read_json

STATE = "/var/lib/reeve"
SPOOL = f"{STATE}/cuts"
# So many files are dropped before a cut, four a second.
FILES = (20, 50)
PATIENCE = 300

SECTIONS = """[module:cuts]
load = spool
directory = cuts
command = sha256sum < "$1"
essential = no
[module:daily]
load = exec
command = date -u +%s >> daily-runs; sync daily-runs
run.every = 24h
essential = no
[module:beat]
load = heartbeat
file = cut-beat
beat.every = 500ms
essential = no
"""

# Looks before reeved does.
SNAPSHOT = f"""[Unit]
DefaultDependencies=no
RequiresMountsFor=/var/lib
Before={UNIT}
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /root/snapshot.py {STATE} /run/before.json
[Install]
WantedBy=multi-user.target
"""


def prepare(vm):
    vm.run(f"rm -rf {DROP_INS} {CONFIG}; mkdir -p {DROP_INS}")
    vm.write(CONFIG, SECTIONS)
    vm.write("/etc/systemd/system/before-reeve.service", SNAPSHOT)
    vm.run(f"systemctl daemon-reload && systemctl enable before-reeve.service && systemctl restart {UNIT}")
    vm.wait("reevectl status", r"cuts +ready")
    vm.wait(f"cat {STATE}/daily-runs", r"^\d+$")
    # The first second after a start is the one in which a last run is written.
    vm.wait(f"cat {STATE}/last-runs", r"daily")
    vm.run("sync")


def places(found, name):
    """Where a dropped file is: "incoming", "done" or "failed", with its state and that of its output."""
    result = []
    for path, state in found.items():
        match = re.fullmatch(r"cuts/(?:(done|failed)/)?" + re.escape(name) + r"(?:\.\d+)?", path)
        if match:
            folder = match[1] or "incoming"
            result.append((folder, state, found.get(path + ".output") if match[1] else None))
    return result


def judge(found, name):
    """A word for how a file stands; None when that is as it must be."""
    there = places(found, name)
    if not there:
        return "lost"
    if len(there) > 1:
        return "twice"
    folder, state, output = there[0]
    if folder == "failed":
        return "failed"
    if state != "good":
        return f"{folder}, file of {state}"
    if folder == "done" and output != "good":
        return "done without its output" if output is None else f"done, output of {output}"
    return None


def account(found, dropped, moment):
    """Counts, and raises for synced files that are not right."""
    wrong = {}
    plain = {}
    for name in dropped:
        word = judge(found, name)
        if word and name.endswith("-synced"):
            wrong.setdefault(word, []).append(name)
        elif word:
            plain[word] = plain.get(word, 0) + 1
    expect(not wrong, f"{moment}, the {sum(name.endswith('-synced') for name in dropped)} synced files",
           "each once, whole and, when done, with its output",
           "; ".join(f"{len(names)} {word} ({', '.join(names[:5])})" for word, names in wrong.items()))
    return plain


def check_stamps(found, moment):
    """Last runs and the heartbeat are whole."""
    last_runs = found.get("last-runs", "no such file")
    expect(re.fullmatch(r"reeve last runs 1\n(\d+ \S+ \S+\n)+end\n", last_runs), f"{moment}, last-runs", "a whole file",
           repr(last_runs))
    expect("daily" in last_runs, f"{moment}, last-runs", "a line of the daily task", repr(last_runs))
    beat = found.get("cut-beat", "no such file")
    expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", beat), f"{moment}, the heartbeat's file", "a time",
           repr(beat))


def find_dropped(vm, mark):
    return re.findall(r"DROPPED (\S+-(?:synced|plain))\r?\n", vm.console(mark))


def wait_dropped(vm, mark, count, producer):
    deadline = time.monotonic() + PATIENCE
    ticker = Ticker(vm.say, f"waiting for {count} files to be dropped")
    while len(find_dropped(vm, mark)) < count:
        if time.monotonic() > deadline:
            _, status = vm.run(f"systemctl status {producer} --no-pager -l", check=False)
            expect(False, f"files dropped within {PATIENCE} s", count,
                   f"{len(find_dropped(vm, mark))}; who drops them:\n{status}")
        time.sleep(0.05)
        ticker.tick()


def one_cut(vm, number):
    mark = vm.mark()
    producer = f"producer{number}"
    vm.run(f"systemd-run --quiet --unit={producer} python3 /root/producer.py {SPOOL} cut{number}")
    wait_dropped(vm, mark, random.randint(*FILES), producer)
    vm.cut()
    dropped = find_dropped(vm, mark)
    vm.start()
    moment = f"cut {number}, before reeved started"
    # The agent may answer before that.
    vm.wait("cat /run/before.json || systemctl status before-reeve --no-pager -l", r"^\{")
    before = read_json(vm, "cat /run/before.json")
    account(before, dropped, moment)
    check_stamps(before, moment)
    vm.wait(f"curl -s -m 10 {HEALTH}", r'"status": ?"(pass|warn)"')
    # What was in the directory is taken up again, and nothing is left of it.
    vm.wait(f"find {SPOOL} -maxdepth 1 -type f -name 'cut*' | wc -l", r"^0$")
    vm.wait("reevectl status --json | tr -d ' \\n'", r'"name":"cuts"')
    after = read_json(vm, f"python3 /root/snapshot.py {STATE}")
    plain = account(after, dropped, f"cut {number}, afterwards")
    expect_one_run(after.get("daily-runs", "").split(), f"cut {number}, ")
    expect_undamaged(vm)
    synced = sum(name.endswith("-synced") for name in dropped)
    left = [path for path in after if path.startswith("cuts/.")]
    return synced, len(dropped) - synced, sum(plain.values()), plain, left


def power_cuts(vm, count):
    """Returns a line of figures."""
    prepare(vm)
    totals, kinds = [0, 0, 0], {}
    for number in range(1, count + 1):
        *figures, plain, left = one_cut(vm, number)
        totals = [total + figure for total, figure in zip(totals, figures)]
        for word, many in plain.items():
            kinds[word] = kinds.get(word, 0) + many
        vm.say(f"cut {number} of {count}: {figures[0]} synced files, 0 wrong; {figures[1]} others: {plain or 'all right'}; "
            f"dot files left: {len(left)}")
    return f"{count} cuts, {totals[0]} synced files, 0 wrong; of {totals[1]} others {totals[2]} wrong: {kinds}"
