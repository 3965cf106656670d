#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs in the virtual machine, and does what machine.py asks for over a virtio serial port.

A request is a line of JSON with a command line or a file to write; an answer is a line with its id, the exit code
and the output.
"""
import base64
import glob
import json
import os
import subprocess
import time

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "",
               "SYSTEMD_COLORS": "0"}


def open_port():
    for path in glob.glob("/sys/class/virtio-ports/*"):
        with open(path + "/name", encoding="ascii") as file:
            if file.read().strip() == "agent":
                return os.open("/dev/" + os.path.basename(path), os.O_RDWR)
    raise SystemExit("there is no port for the agent")


def write_file(ask):
    try:
        os.makedirs(os.path.dirname(ask["write"]), exist_ok=True)
        with open(ask["write"], "wb") as file:
            file.write(base64.b64decode(ask["data"]))
        os.chmod(ask["write"], ask["mode"])
    except OSError as error:
        return {"code": 1, "output": str(error)}
    return {"code": 0, "output": ""}


def run(ask):
    try:
        done = subprocess.run(ask["run"], shell=True, executable="/bin/bash", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=ask["timeout"],
                              env=ENVIRONMENT, check=False)
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        return {"code": 124, "output": f"{output}\n(it was ended after {ask['timeout']} s)"}
    except OSError as error:
        return {"code": 126, "output": f"it cannot be run: {error}"}
    return {"code": done.returncode, "output": done.stdout.decode(errors="replace")}


def serve(port):
    rest = b""
    while True:
        data = os.read(port, 65536)
        if not data:
            # Nobody has opened the other end.
            time.sleep(0.05)
            continue
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            try:
                ask = json.loads(line)
            except ValueError:
                # What was left of a request when the machine was cut off.
                continue
            answer = write_file(ask) if "write" in ask else run(ask)
            text = json.dumps(dict(answer, id=ask["id"])).encode() + b"\n"
            while text:
                text = text[os.write(port, text):]


serve(open_port())
