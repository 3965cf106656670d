#!/bin/sh
# SPDX-License-Identifier: MIT
# libcurl 7.88.1 lets time pass after an address that refuses the connection at once, up to a second for each further one.
#
# Guess: of a name with several addresses of one family, libcurl goes on to the next as soon as one refuses; a wait, the 200 ms
# of happy eyeballs (RFC 8305), is for addresses that say nothing, and for the other family.
# Seen with 7.88.1 (Debian 12): the second address is tried only after those 200 ms, and each after it when the loop wakes up
# the next time, mostly after another second: with four that refuse it takes 2 to 4 s until the fifth answers, which looks
# like a slow server. 8.14.1 (Debian 13) goes on at once.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || cannot "there is no python3"
unshare --map-root-user --net true 2>/dev/null || cannot "network namespaces cannot be made (unshare --net)"

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" bookworm curl=7.88.1-10+deb12u15
unpack "$work/new" trixie curl=8.14.1-2+deb13u7

cat >"$work/try.py" <<'PY'
import fcntl, http.server, socket, struct, subprocess, sys, threading

# A loopback of our own has 127.0.0.2 and so on as well, where nobody listens.
fd = socket.socket()
fcntl.ioctl(fd, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_address[1]

def connect(addresses):
    """The shortest of several times, in seconds: a busy machine makes some longer."""
    words = ["chroot", sys.argv[1], "/usr/bin/curl", "-s", "-o", "/dev/null", "--max-time", "30", "--resolve",
             f"x.test:{port}:{','.join(addresses)}", "-w", "%{http_code} %{time_connect}", f"http://x.test:{port}/"]
    times = []
    for _ in range(5):
        code, time = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        assert code == "200", code
        times.append(float(time))
    return min(times)

refusing = [f"127.0.0.{i}" for i in range(2, 6)]
one, four = connect(["127.0.0.1"]), connect(refusing + ["127.0.0.1"])
print(f"no refusal: {'at once' if one < 0.15 else 'late'}; four: {'at once' if four < 0.15 else 'over a second later' if four > 1 else 'late'}")
PY

outcome() {
    mkdir -p "$1/dev"
    : >>"$1/dev/null"
    unshare --map-root-user --net --mount sh -ec 'mount --bind /dev/null "$1/dev/null"; exec python3 "$2" "$1"' sh "$1" \
        "$work/try.py"
}

expect 'libcurl 7.88.1' 'no refusal: at once; four: over a second later' outcome "$work/old"
expect 'libcurl 8.14.1' 'no refusal: at once; four: at once' outcome "$work/new"
