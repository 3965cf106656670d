#!/bin/sh
# SPDX-License-Identifier: MIT
# A memory.max below what a group uses is accepted, counted as out of memory, and then holds nobody to it.
#
# Guess: when memory.max is set below memory.current, the kernel takes pages back and then kills; when it can do neither
# the write fails, or at least the processes cannot get more memory. `oom` in memory.events means that somebody died.
# Seen with Linux 6.1 and 6.12, a group that has filled 40 MB of a tmpfs and has no process left: the write of 4 MB
# succeeds at once, `oom` is 1 and `oom_kill` is 0, memory.max reads 4 MB and memory.current still 40 MB. The group can
# be removed in this state; its memory then counts in the group above until the file is removed.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

# shellcheck disable=SC2016 # for the shell in the machine
script='mkdir group
sh -c "echo 0 >group/cgroup.procs; exec dd if=/dev/zero of=/tmp/file bs=1M count=40"
echo 4M >group/memory.max && echo accepted
echo "limit $(cat group/memory.max), $(($(cat group/memory.current) / 1048576)) MB"
echo $(grep oom group/memory.events)
rmdir group && echo "removed, $(grep -w nr_dying_descendants cgroup.stat)"
rm /tmp/file
sleep 1
grep -w nr_dying_descendants cgroup.stat'

prepare_machine
kernel_of bookworm linux-image-6.1.0-50-cloud-amd64=6.1.176-1
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
for release in bookworm trixie; do
    expect "the kernel of $release" 'accepted
limit 4194304, 40 MB
oom 1 oom_kill 0 oom_group_kill 0
removed, nr_dying_descendants 1
nr_dying_descendants 0' boot $release "$script"
done
