#!/bin/sh
# SPDX-License-Identifier: MIT
# A read lease on a FUSE file is granted while the file is being written, where the writer is not of this mount.
#
# Guess: F_SETLEASE with F_RDLCK says that nobody has the file open for writing. A file system that cannot know, since
# files are written on a server as well, refuses: NFS does, unless the server delegates.
# Seen with Linux 6.12 and 7.2, a folder that bindfs mounts: the lease is granted while somebody writes the file in the
# folder below, and refused (EAGAIN) only for a writer who has opened it in the mount. So what asks by a lease whether a
# file is complete takes half a file from sshfs, or from the folder of a virtual machine's host.
# 7.2 has made leases a matter of each file system, and ramfs, which all kernels before let have them, refuses
# (EINVAL): a refusal says no more that files come from elsewhere than a lease says that they do not.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

cat >"$work/lease.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

    if (fd < 0)
        return 1;
    puts(fcntl(fd, F_SETLEASE, F_RDLCK) == 0 ? "granted" : strerrorname_np(errno));
    return 0;
}
C

# shellcheck disable=SC2016 # for the shell in the machine
script='for module in /fuse.ko; do [ -e $module ] && insmod $module; done
mkdir /tmp/below /tmp/mount /tmp/ram
echo 1 >/tmp/below/file
bindfs /tmp/below /tmp/mount </dev/null >/dev/null 2>&1
exec 8>>/tmp/below/file
echo "written below: $(lease /tmp/mount/file)"
exec 9>>/tmp/mount/file
echo "written in the mount: $(lease /tmp/mount/file)"
mount -t ramfs ram /tmp/ram
echo 1 >/tmp/ram/file
echo "ramfs: $(lease /tmp/ram/file)"'

prepare_machine
unpack "$work/programs" trixie gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5 bindfs=1.14.7-1.1+b1
mkdir -p "$work/programs/tmp"
cp "$work/lease.c" "$work/programs/tmp/"
inside "$work/programs" gcc -static -o /tmp/lease /tmp/lease.c
cp "$work/programs/tmp/lease" "$work/programs/usr/bin/bindfs" "$tree/bin/"
libraries=/usr/lib/x86_64-linux-gnu
mkdir -p "$tree$libraries"
for library in ld-linux-x86-64.so.2 libc.so.6 libfuse3.so.4 libfuse.so.2 libpthread.so.0 libdl.so.2; do
    [ ! -e "$work/programs$libraries/$library" ] || cp -L "$work/programs$libraries/$library" "$tree$libraries/"
done
ln -s "usr/lib" "$tree/lib"
ln -s "usr/lib/x86_64-linux-gnu" "$tree/lib64"
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
fuse='written below: granted
written in the mount: EAGAIN'
expect 'Linux 6.12.117' "$fuse
ramfs: granted" boot trixie "$script"
unpack "$work/sid" sid linux-image-7.2.13+deb14-cloud-amd64=7.2.13-1
cp "$work"/sid/usr/lib/modules/*/vmlinuz "$work/machine/tmp/vmlinuz-sid"
expect 'Linux 7.2.13' "$fuse
ramfs: EINVAL" boot sid "$script"
