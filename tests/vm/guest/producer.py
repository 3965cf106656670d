#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drops files into the spool's directory in the virtual machine until the power goes: producer.py DIRECTORY ROUND

Every second one is dropped as the manual of the spool says: fsync, rename, fsync of the directory. The name tells
which: ROUND-NUMBER-SIZE-synced or -plain. A name is written to the console when its file has been dropped, where
it outlasts the power cut.
"""
import os
import pwd
import sys
import time

# Four a second, so that a cut finds files in every state.
PAUSE = 0.25


def content(name, size):
    return (name.encode() * (size // len(name) + 1))[:size]


def drop(folder, stage, name, size, synced, owner):
    path = f"{stage}/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.fchown(fd, owner.pw_uid, owner.pw_gid)
    os.write(fd, content(name, size))
    if synced:
        os.fsync(fd)
    os.close(fd)
    os.rename(path, f"{folder}/{name}")
    if synced:
        fd = os.open(folder, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def main(folder, which):
    owner = pwd.getpwnam("reeve")
    stage = os.path.join(os.path.dirname(folder), "stage")
    os.makedirs(stage, exist_ok=True)
    console = os.open("/dev/ttyS0", os.O_WRONLY | os.O_NOCTTY)
    number = 0
    while True:
        synced = number % 2 == 0
        size = number * 7919 % 60000 + 1
        name = f"{which}-{number}-{size}-{'synced' if synced else 'plain'}"
        drop(folder, stage, name, size, synced, owner)
        os.write(console, f"DROPPED {name}\n".encode())
        number += 1
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
