# SPDX-License-Identifier: MIT
"""Clients that ask without a break, until standard input ends; then says, as JSON, how it went.

    load.py KIND...

A kind is `new` (a connection for each request) or `kept` (one for all, made anew when the server has said that
it closes it), and over the control socket `control` and `control-kept`. Answers are counted by their status, errors by
their name.
"""
import collections
import http.client
import json
import socket
import sys
import threading


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect("/run/reeve/control")


def make(kind):
    return Unix("reeved") if "control" in kind else http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)


def ask(kind, counts, stop, started):
    connection = None
    while not stop.is_set():
        connection = connection or make(kind)
        try:
            connection.request("GET", "/v1/status" if "control" in kind else "/livez")
            response = connection.getresponse()
            response.read()
            counts[f"{kind} {response.status}"] += 1
            started.set()
            closes = response.will_close
        except Exception as error:  # pylint: disable=broad-except
            counts[f"{kind} {type(error).__name__}"] += 1
            closes = True
        if "kept" not in kind or closes:
            connection.close()
            connection = None


def main(kinds):
    stop, counts = threading.Event(), collections.Counter()
    starts = [threading.Event() for _ in kinds]
    threads = [threading.Thread(target=ask, args=(kind, counts, stop, started))
               for kind, started in zip(kinds, starts)]
    for thread in threads:
        thread.start()
    for started in starts:
        started.wait()
    print("asking", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


main(sys.argv[1:])
