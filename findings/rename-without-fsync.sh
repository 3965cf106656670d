#!/bin/sh
# SPDX-License-Identifier: MIT
# An fsync of one file makes the names of other files durable, and not their content: after a cut they are empty.
#
# Guess: a file that was written and renamed, without a sync, is after a power cut either as it was before or as it is
# now; in the worst case it is missing. A file that it replaced is the old or the new one.
# Seen with Linux 6.18, when another program synced a file of its own just before the cut:
#   ext4  under a name that was free: 0 bytes; a link to it: 0 bytes; in place of an old file: the new content
#         (its mount option auto_da_alloc writes that, and only that, before the rename)
#   xfs   all three have 0 bytes: where a file was replaced, the old content and the new one are gone
# A test on ext4 that replaces a file, or one in which nothing else calls fsync, does not show it.
#
# The cut is the file systems' own: their ioctl for tests stops them without writing anything more. Takes root, for
# loop mounts.
. "$(dirname "$0")/common.sh"

undo() {
    umount "$work/mounted" 2>/dev/null || true
}
need_loop_mounts ext4 xfs
command -v python3 >/dev/null || cannot "there is no python3"
unpack "$work/tools" trixie e2fsprogs=1.47.2-3+b12 xfsprogs=6.13.0-2+deb13u1
mkdir "$work/mounted"
cat >"$work/cut.py" <<'PY'
import fcntl, os, struct, sys

SHUTDOWN, WITHOUT_LOG = 0x8004587D, 2  # XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN are one number
os.chdir(sys.argv[1])

def write(name, byte, synced=False):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(fd, byte * 5000)
    if synced:
        os.fsync(fd)
    os.close(fd)

write("replaced", b"o", synced=True)
os.sync()
write("a", b"n"); os.rename("a", "renamed")
write("b", b"n"); os.link("b", "linked")
write("c", b"n"); os.rename("c", "replaced")
write("of another program", b"x", synced=True)
fcntl.ioctl(os.open(".", os.O_RDONLY), SHUTDOWN, struct.pack("I", WITHOUT_LOG))
PY

after_cut() {
    truncate -s 400M "$work/tools/tmp/image"
    inside "$work/tools" "mkfs.$1" -q /tmp/image 2>/dev/null
    mount -o loop "$work/tools/tmp/image" "$work/mounted"
    python3 "$work/cut.py" "$work/mounted"
    umount "$work/mounted"
    mount -o loop "$work/tools/tmp/image" "$work/mounted"
    for name in renamed linked replaced; do
        printf '%s: %s bytes %s\n' "$name" "$(wc -c <"$work/mounted/$name")" "$(head -c 1 "$work/mounted/$name" | tr -d '\0')"
    done | sed 's/ *$//'
    umount "$work/mounted"
    rm "$work/tools/tmp/image"
}

mkdir -p "$work/tools/tmp"
# The kernel is this machine's, and cannot be pinned.
expect "ext4 with Linux 6.18, here $(uname -r)" 'renamed: 0 bytes
linked: 0 bytes
replaced: 5000 bytes n' after_cut ext4
expect "xfs with Linux 6.18, here $(uname -r)" 'renamed: 0 bytes
linked: 0 bytes
replaced: 0 bytes' after_cut xfs
