#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs Debian packages, as root: install-packages.sh PACKAGE... [-- OPTIONAL...]
#
# Fails when a PACKAGE cannot be installed. An OPTIONAL one that cannot be is named, and left out. Prints a
# line for each tenth of the way on standard output; all else that apt says goes to standard error.
#
# services="NAME..." names those packages that would start a service. Services must not start because somebody
# runs our tests: while packages are installed a policy forbids it, and afterwards new services are disabled.
# Exits with 75 when another program has kept apt's locks for too long; that has been told.
set -eu

policy=/usr/sbin/policy-rc.d
policy_mark="# by reeve's ./dev"
# Seconds to wait for locks, of whatever kind, in all. The caller knows by the code that they were not enough.
patience=300
code_locked=75

lock=/run/reeve-dev.lock
locked=
folder=$(mktemp -d)
made_policy=
pulse=
# Whatever ends us, no new service is to start: not while apt is still at it, nor at the next boot.
end() {
    trap '' HUP INT TERM
    wait_for_apt
    disable_services
    allow_services
    [ -z "$pulse" ] || kill "$pulse" || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' HUP INT TERM

# apt-get does not end at Ctrl-C while dpkg runs. It holds the lock that it has inherited from us.
wait_for_apt() {
    [ -n "$locked" ] || return 0
    exec 9>&- 8>"$lock"
    flock -n 8 || {
        tell "waiting for apt to come to an end with what it has begun"
        flock 8
    }
}

disable_services() {
    command -v systemctl >/dev/null || return 0
    for service in ${services:-}; do
        ! dpkg-query -W "$service" >/dev/null 2>&1 || systemctl disable "${service%-core}" </dev/null >&2 || true
    done
}

# Progress goes to what is standard output here, wherever a part of this sends its own.
exec 5>&1
tell() {
    printf 'dev:     %s\n' "$*" >&5
    note "$*"
    touch "$folder/told" 2>/dev/null || true
}

# What is done now. On a full disk nothing depends on it.
note() {
    { echo "$*" >"$folder/doing"; } 2>/dev/null || true
}

# Nobody is to wait for more than ten seconds without a word, and a large package takes longer. Ends with us, also if we are
# killed.
keep_telling() {
    exec 9>&-
    trap 'kill "$nap"; exit' TERM
    while sleep 2 & nap=$! && wait "$nap" && kill -0 "$$" 2>/dev/null; do
        [ $(($(date +%s) - $(stat -c %Y "$folder/told"))) -lt 7 ] || tell "$(cat "$folder/doing")"
    done
}

# wait_since BEGIN WHO: tells that WHO has had a lock since BEGIN, and waits a little. Fails when patience is over; what has
# been waited is in a file, as parts of this program run in subshells.
wait_since() {
    waited=$(cat "$folder/waited" 2>/dev/null || echo 0)
    if [ "$waited" -ge "$patience" ]; then
        tell "$2 has kept its lock for $((patience / 60)) minutes. Try again when it has ended, or end it"
        : >"$folder/locked"
        return 1
    fi
    tell "waiting for $2 to end: $waited s of at most $patience"
    sleep 5
    echo $((waited + $(date +%s) - $1)) >"$folder/waited"
}

# Another run of this script would take its policy away while we install. apt-get inherits the descriptor (and dpkg does
# not, as a maintainer script might hand it to a service), so a lock that we have got tells that no apt-get is left of a run
# that was killed.
lock_ourselves() {
    exec 9>"$lock"
    while begun=$(date +%s) && ! flock -n 9; do
        wait_since "$begun" "another ./dev that installs packages" || exit "$code_locked"
    done
    locked=yes
}

# Services must not start, and that is not to outlive us. Files that a killed run has left are known by its mark, and becomes ours:
# its dpkg may still be at work. A policy of somebody else's stays as it is.
forbid_services() {
    if grep -q "^$policy_mark" "$policy" 2>/dev/null; then
        made_policy=adopted
    elif [ -n "${services:-}" ] && [ ! -e "$policy" ]; then
        made_policy=yes
    else
        return 0
    fi
    printf '#!/bin/sh\n%s, process %s, while it installs packages\nexit 101\n' "$policy_mark" "$$" >"$policy"
    chmod 755 "$policy"
}

allow_services() {
    [ -n "$made_policy" ] || return 0
    # Without dpkg's lock we do not know whether the other one has ended; the next run will.
    [ "$made_policy" = adopted ] && [ -e "$folder/locked" ] || rm -f "$policy"
}

# Who has the lock that apt did not get.
name_holder() {
    holder=$(sed -n 's/.*It is held by process \([0-9]*\) (\(.*\)).*/another apt (\2, process \1)/p' "$folder/errors" | head -n 1)
    echo "${holder:-another apt}"
}

# Another apt may be at work, as on a machine that has just booted. apt itself would wait for dpkg's lock alone, and
# would not say for whom.
apt() {
    while begun=$(date +%s) && ! apt-get -o DPkg::Lock::Timeout=0 "$@" </dev/null 2>"$folder/errors"; do
        cat "$folder/errors" >&2
        grep -q 'Could not get lock\|Unable to \(lock\|acquire the dpkg\)' "$folder/errors" || return 1
        wait_since "$begun" "$(name_holder)" || return 1
    done
    cat "$folder/errors" >&2
}

# Nothing else can be installed either. Fails if it is not that.
end_if_locked() {
    [ -e "$folder/locked" ] && exit "$code_locked"
}

# Reads apt's status lines: "pmstatus:PACKAGE:PERCENT:TEXT". The fields before the text hold no colon but in
# PACKAGE:ARCHITECTURE, so the percentage is found by its form.
show_progress() {
    shown=
    while IFS= read -r line; do
        case $line in
        dlstatus:*) word=downloading ;;
        pmstatus:*) word=installing ;;
        *) continue ;;
        esac
        percent=$(expr "$line" : '.*:\([0-9]*\)\.[0-9]*:') || continue
        step="$word $((percent / 10 * 10)) %"
        note "$word $percent %: ${line##*:}"
        [ "$step" = "$shown" ] || tell "$word $percent %: ${line##*:}"
        shown=$step
    done
}

# "Need to get 512 MB of archives.", as apt would ask before it begins. (A package alone it installs without asking, whatever
# the answer would be; so this asks where they come from.)
tell_size() {
    size=$(apt-get --print-uris -y install --no-install-recommends "$@" </dev/null 2>/dev/null |
        sed -n 's|^Need to get 0 B/\(.*\) of archives.*|\1 that were fetched before|p
            s|^Need to get \(.*\) of archives.*|\1 to be fetched|p; s/^After.*, \(.*\) of additional.*/\1 on the disk/p' |
        sed 'N;s/\n/, /')
    [ -z "$size" ] || tell "$size"
}

install() {
    rm -f "$folder/failed"
    tell_size "$@"
    {
        apt -o APT::Status-Fd=3 install -y --no-install-recommends "$@" 3>&1 >&2 || : >"$folder/failed"
    } | show_progress
    [ -e "$folder/failed" ] || return 0
    end_if_locked
}

is_known() {
    apt-cache show "$1" >/dev/null 2>&1
}

# install_optional PACKAGE...: together if that works, else one by one, so that one broken package costs no other.
install_optional() {
    known=
    for package in "$@"; do
        if is_known "$package"; then
            known="$known $package"
        else
            tell "$package is not in this release of Debian: its tests or peers are skipped"
        fi
    done
    # shellcheck disable=SC2086 # a list of names
    [ -n "$known" ] && ! install $known || return 0
    for package in $known; do
        install "$package" || tell "$package cannot be installed: its tests or peers are skipped"
    done
}

required=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    required="$required $1"
    shift
done
[ $# -eq 0 ] || shift

lock_ourselves
forbid_services
tell "fetching the package lists"
keep_telling &
pulse=$!
# A source of somebody else's that is broken must not keep Debian's packages away.
apt update >&2 || end_if_locked || tell "apt-get update failed; going on with the lists that are there"
# shellcheck disable=SC2086 # a list of names
[ -z "$required" ] || install $required
[ $# -eq 0 ] || install_optional "$@"
