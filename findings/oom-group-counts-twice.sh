#!/bin/sh
# SPDX-License-Identifier: MIT
# oom_kill of memory.events counts a process twice when its group is killed as a whole.
#
# Guess: oom_kill is the number of processes that the kernel has killed for memory, as its documentation says; with
# memory.oom.group each process of the group counts once.
# Seen with Linux 6.1 and 6.12: a group of three, of which one takes too much. All three end, and oom_kill is 4: the one
# that was chosen first is killed, and counted, again with the whole group. Who reports how many processes died reports
# one too many, and "killed 1" for a group means none but that one.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

# shellcheck disable=SC2016 # for the shell in the machine
script='mkdir group
echo 20M >group/memory.max
echo 1 >group/memory.oom.group
sh -c "echo 0 >group/cgroup.procs; sleep 60 & dd if=/dev/zero of=/dev/null bs=50M count=1; sleep 60" &
wait $!
until grep -q "populated 0" group/cgroup.events; do
    sleep 1
done
echo "left: $(cat group/cgroup.procs)"
echo $(grep oom group/memory.events)'

prepare_machine
kernel_of bookworm linux-image-6.1.0-50-cloud-amd64=6.1.176-1
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
expect 'Linux 6.1.176' 'left: 
oom 1 oom_kill 4 oom_group_kill 1' boot bookworm "$script"
expect 'Linux 6.12.117' 'left: 
oom 1 oom_kill 4 oom_group_kill 1' boot trixie "$script"
