#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `./dev vm [RELEASE...] [SCENARIO...] [--cuts N] [--list]` does.

It boots Debian 12 and 13 in qemu, with reeve's packages installed. A real systemd is process 1 there, with the
kernel and the control groups of the release. Without a RELEASE both are tried, without a SCENARIO all. The
installation comes first in any case. The commit, and not the work tree, is what is installed. Disks and logs are in
build/vm/RELEASE/; image.log there has what the building of the disk said.
"""
import argparse
import contextlib
import os
import sys
import time
import traceback

import image
import machine
import powercut
import scenarios
from image import SOURCE, roots
from debian import FIRST_CLASS, fail, find_release, run_program, try_each

# So many cuts are made each time.
CUTS = 10


def say(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def describe(failure):
    """The reason why a scenario died, for people: a Failure says it itself."""
    if isinstance(failure, machine.Failure):
        return str(failure)
    # No scenario has expected that answer.
    place = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{failure!r} in {place.name}() at {os.path.basename(place.filename)}:{place.lineno}: {place.line}"


def attempt(release, vm, name, work, count):
    """Runs a scenario and reports. Returns whether it went well."""
    begun = time.monotonic()
    say(f"Debian {release}: {name}")
    try:
        figures = work()
    except Exception as failure:  # pylint: disable=broad-exception-caught
        # Whatever it is, it is not the end of the others.
        fail(count, f"Debian {release}: {name}: {describe(failure)}\nmore is in {', '.join(vm.keep_logs(name))}")
        return False
    count.add(1, 0, 0)
    say(f"Debian {release}: {name}: passed ({time.monotonic() - begun:.0f} s): {figures}")
    return True


def try_release(release, chosen, cuts, count):
    folder = os.path.join(SOURCE, "build/vm", str(release))
    os.makedirs(folder, exist_ok=True)

    def tell(text):
        say(f"Debian {release}: {text}")

    with roots.take_turn(folder, tell, f"the disk in {folder}"):
        image.make_disk(release, folder, tell)
        vm = machine.Machine(folder, tell)
        tell(f"booting {'with KVM' if vm.kvm else 'emulated, as there is no KVM: this takes some ten times longer'}")
        try_machine(release, vm, chosen, cuts, count)


def try_machine(release, vm, chosen, cuts, count):
    try:
        if not attempt(release, vm, "boot", lambda: f"{vm.start():.0f} s", count) or \
           not attempt(release, vm, "install", lambda: scenarios.install(vm), count):
            return
        for scenario in scenarios.SCENARIOS:
            if scenario.__name__ in chosen:
                attempt(release, vm, scenario.__name__, lambda work=scenario: work(vm), count)
        if "power_cuts" in chosen:
            attempt(release, vm, "power_cuts", lambda: powercut.power_cuts(vm, cuts), count)
    finally:
        # How a machine ends is what the scenario reboot looks at.
        with contextlib.suppress(machine.Failure):
            vm.stop()


def find_machine(word, names):
    try:
        return find_release(word, FIRST_CLASS)
    except roots.Trouble as trouble:
        raise roots.Trouble(f"{trouble}, and no such scenario: {', '.join(names)}") from None


def main():
    names = ["install", *(scenario.__name__ for scenario in scenarios.SCENARIOS), "power_cuts"]
    parser = argparse.ArgumentParser(prog="./dev vm", description=__doc__.split("\n\n", maxsplit=1)[1],
                                     allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Scenarios: " + ", ".join(names))
    parser.add_argument("--cuts", type=int, default=CUTS, help=f"how many power cuts (default {CUTS})")
    parser.add_argument("--list", action="store_true", help="only name the releases and scenarios")
    parser.add_argument("words", nargs="*", metavar="RELEASE | SCENARIO")
    arguments = parser.parse_intermixed_args()
    chosen = [word.replace("-", "_") for word in arguments.words if word.replace("-", "_") in names]
    releases = [find_machine(word, names) for word in arguments.words if word.replace("-", "_") not in names]
    releases = releases or FIRST_CLASS
    if arguments.list:
        print(*(f"Debian {release}: {name}" for release in releases for name in chosen or names), sep="\n")
        return 0
    roots.enter_namespaces()
    return try_each(releases, lambda release, count: try_release(release, chosen or names, arguments.cuts, count))


if __name__ == "__main__":
    run_program(main)
