#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A load balancer's probe: asks for a path each INTERVAL seconds, each time over a new connection.

`prober.py PATH INTERVAL` says "ready", reads the port from its input and probes until that ends, or until nobody
listens any more. Then it prints the latencies in milliseconds as a JSON list. A latency counts from the moment at
which the probe was due, and each probe that was due while another was not answered counts too: a server that hangs is
not spared the probes of that while.
"""
import gc
import json
import select
import socket
import sys
import time

PATIENCE = 60


def probe(port, path):
    """Returns whether the server answered. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while True:
            data = connection.recv(4096)
            if not data:
                return answer.startswith(b"HTTP/1.1 200")
            answer += data


def is_over():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(path, interval):
    print("ready", flush=True)
    port = int(sys.stdin.readline())
    latencies = []
    gc.disable()
    due = time.monotonic()
    while not is_over():
        try:
            answered = probe(port, path)
        except OSError:
            break
        if not answered:
            break
        now = time.monotonic()
        while due <= now:
            latencies.append(round((now - due) * 1e3, 3))
            due += interval
        time.sleep(max(0, due - time.monotonic()))
    json.dump(latencies, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
