#!/bin/sh
# SPDX-License-Identifier: MIT
# pids.events of one layout counts in another group with the kernel of Debian 13 than with that of Debian 12.
#
# Guess: cgroup v2 is a stable interface. When a fork fails since a group or one above it is full, `max` of pids.events
# counts in the same group with each kernel of it.
# Seen, with the limit in the outer group and the process in the inner one: Linux 6.1 counts in the inner group, which
# has no limit, and not in the outer. 6.12 counts in the outer group, and not in the inner one. So a supervisor that
# looks at the group of its process misses all of these on one release, and one that looks at the group where it set the
# limit misses them on the other. 6.12 has pids.events.local besides; a mount option brings the old counts back.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

# shellcheck disable=SC2016 # for the shell in the machine
script='mkdir -p outer/inner
echo +pids >outer/cgroup.subtree_control
echo 3 >outer/pids.max
sh -c "echo 0 >outer/inner/cgroup.procs; sleep 1 & sleep 1 & sleep 1 & wait"
echo "outer: $(cat outer/pids.events), inner: $(cat outer/inner/pids.events)"'

prepare_machine
kernel_of bookworm linux-image-6.1.0-50-cloud-amd64=6.1.176-1
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
expect 'Linux 6.1.176' 'outer: max 0, inner: max 1' boot bookworm "$script"
expect 'Linux 6.12.117' 'outer: max 1, inner: max 0' boot trixie "$script"
