#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs Debian packages, as root: install-packages.sh PACKAGE... [-- OPTIONAL...]
#
# Fails when a PACKAGE cannot be installed. An OPTIONAL one that cannot be is named, and left out. Prints a
# line for each tenth of the way on standard output; all else that apt says goes to standard error.
#
# services="NAME..." names those packages that would start a service. Services must not start because somebody
# runs our tests: while packages are installed a policy forbids it, and afterwards new services are disabled.
set -eu

policy=/usr/sbin/policy-rc.d
folder=$(mktemp -d)
made_policy=
end() {
    rm -rf "$folder"
    [ -z "$made_policy" ] || rm -f "$policy"
}
trap end EXIT
trap 'exit 1' HUP INT TERM

# Progress goes to what is standard output here, wherever a part of this sends its own.
exec 5>&1
tell() {
    printf 'dev:     %s\n' "$*" >&5
}

# Another apt may be at work, as on a machine that has just booted. apt waits for dpkg's lock by itself, but not for
# those on its lists and downloads.
apt() {
    tries=0
    until apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null 2>"$folder/errors"; do
        cat "$folder/errors" >&2
        grep -q 'Could not get lock\|Unable to lock' "$folder/errors" && [ $((tries += 1)) -le 60 ] || return 1
        [ "$tries" -gt 1 ] || tell "waiting for another apt to end, for up to five minutes"
        sleep 5
    done
    cat "$folder/errors" >&2
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
        [ "$step" = "$shown" ] || tell "$step: ${line##*:}"
        shown=$step
    done
}

install() {
    rm -f "$folder/failed"
    {
        apt -o APT::Status-Fd=3 install -y --no-install-recommends "$@" 3>&1 >&2 || : >"$folder/failed"
    } | show_progress
    [ ! -e "$folder/failed" ]
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

if [ -n "${services:-}" ] && [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
tell "fetching the package lists"
# A source of somebody else's that is broken must not keep Debian's packages away.
apt update >&2 || tell "apt-get update failed; going on with the lists that are there"
# shellcheck disable=SC2086 # a list of names
[ -z "$required" ] || install $required
[ $# -eq 0 ] || install_optional "$@"
for service in ${services:-}; do
    ! command -v systemctl >/dev/null || systemctl disable "${service%-core}" </dev/null >&2 || true
done
