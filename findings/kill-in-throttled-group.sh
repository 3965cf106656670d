#!/bin/sh
# SPDX-License-Identifier: MIT
# A process in a group with a small cpu.max lives on for many seconds after SIGKILL.
#
# Guess: SIGKILL ends a process at once, unless it waits for a device (state D). One that only computes ends within a
# period of its group's cpu.max at the latest, so within a second here.
# Seen with Linux 6.1 and 6.12, cpu.max "1000 1000000" (1 ms in each second): of three processes that compute, killed
# after three seconds, at least one is still there 2 s after SIGKILL; the longest of some runs took 25 s. It stands as R
# in /proc, and there is no sign of the signal. The group is in debt: it is stopped only at a tick of the clock (4 ms
# here), so it has used some periods ahead, and a process that is to die needs processor time, too. cgroup.kill does no
# better. Without a limit all three are gone at once.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

# shellcheck disable=SC2016 # for the shell in the machine
script='mkdir limited
try() {
    echo "$1" >limited/cpu.max
    left=0
    for i in 1 2 3; do
        sh -c "echo 0 >limited/cgroup.procs; while :; do :; done" &
        sleep 3
        $2
        sleep 2
        ! grep -q "populated 1" limited/cgroup.events || left=$((left + 1))
        wait $!
    done
    echo "$1, $2: $([ $left -gt 0 ] && echo left || echo gone) after 2 s"
}
by_signal() {
    kill -9 $!
}
by_group() {
    echo 1 >limited/cgroup.kill
}
try "max 1000000" by_signal
try "1000 1000000" by_signal
try "1000 1000000" by_group'

prepare_machine
kernel_of bookworm linux-image-6.1.0-50-cloud-amd64=6.1.176-1
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
for release in bookworm trixie; do
    expect "the kernel of $release" 'max 1000000, by_signal: gone after 2 s
1000 1000000, by_signal: left after 2 s
1000 1000000, by_group: left after 2 s' boot $release "$script"
done
