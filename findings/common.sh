# SPDX-License-Identifier: MIT
# Sourced by the findings: Debian packages of any release, unpacked into a temporary folder, and what they say
# compared with what was seen. Nothing of this machine changes.
#
# Exit codes: 0 it behaves as it did; 1 it behaves otherwise; 2 a step failed before that could be seen, such as a
# download; 3 a pinned version is not to be had any more; 77 it cannot be tried on this machine.
#
# Pinned is what Debian 12 and 13 had on 21 November 2026, and sid on 30 October 2026; of what these depend on any
# version will do. What is gone from the mirrors is kept at snapshot.debian.org, which FINDINGS_MIRROR=URL can name.
set -eu
work=$(mktemp -d)
told=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# end CODE TEXT: every end but a good one has its reason.
end() {
    told=yes
    echo "$2" >&2
    exit "$1"
}

cannot() {
    end 77 "cannot be tried here: $1"
}

# What a script has to undo before its folder goes.
undo() {
    :
}

finish() {
    code=$?
    undo
    rm -rf "$work"
    if [ "$code" -ne 0 ] && [ -z "$told" ]; then
        echo "a step failed with exit code $code, before anything could be seen" >&2
        code=2
    fi
    exit "$code"
}
trap finish EXIT
trap 'end 2 interrupted' HUP INT TERM

for program in apt-get dpkg-deb tar unshare; do
    command -v "$program" >/dev/null || cannot "there is no $program"
done
[ -e "$keyring" ] || cannot "there is no $keyring (Debian package debian-archive-keyring)"
unshare --map-root-user --mount true 2>/dev/null || cannot "user namespaces cannot be made (unshare --map-root-user)"

# What this machine's apt gets Debian from.
mirror=${FINDINGS_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' 'Component: main' | head -n 1)}
[ "$mirror" ] || cannot "apt knows no mirror of Debian yet: apt-get update"

# need_loop_mounts FILESYSTEM...: up front, as packages take minutes.
need_loop_mounts() {
    [ "$(id -u)" -eq 0 ] || cannot "loop mounts take root"
    loop=$(losetup --find 2>/dev/null) && [ -b "$loop" ] || cannot "there is no free loop device (losetup --find)"
    for kind in "$@"; do
        grep -qw "$kind" /proc/filesystems || modprobe -q "$kind" 2>/dev/null || cannot "this kernel has no $kind"
    done
}

# In the state of a release of its own: use_apt RELEASE COMMAND ARGUMENT...
use_apt() {
    state=$work/apt-$1 command=$2
    shift 2
    # A snapshot is past its time. Without the error mode an update that fetched nothing succeeds.
    LC_ALL=C "$command" -qq -o Dir::Etc::sourcelist="$state/sources" -o Dir::Etc::sourceparts=- -o Dir::State="$state" \
        -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache::archives="$state/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o Dir::Etc::preferencesparts="$state/etc" -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
        -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=true "$@"
}

# blame RELEASE PACKAGE=VERSION...: ends with the reason why apt did not bring these.
blame() {
    release=$1
    shift
    tail -n 5 "$work/apt.log" >&2
    # An archive that its index names and the server does not have is one that has just been replaced.
    if ! grep -qE '^E: Version .* was not found|Unable to locate package|unmet dependencies| 404 ' "$work/apt.log"; then
        end 2 "packages of $release could not be fetched from $mirror: is the network there?"
    fi
    for pin in "$@"; do
        has=$(use_apt "$release" apt-cache madison "${pin%%=*}" 2>/dev/null | cut -d'|' -f2 | tr -d ' ' | head -n 1)
        [ "$has" = "${pin#*=}" ] || echo "pinned is $pin; $release has ${has:-none}" >&2
    done
    end 3 "a pinned version has gone from $mirror; what was seen with it is at the top of $0"
}

# unpack FOLDER RELEASE PACKAGE=VERSION...: the packages and all that they depend on.
unpack() {
    folder=$1 release=$2
    shift 2
    echo "fetching and unpacking packages of $release: $*" >&2
    state=$work/apt-$release
    mkdir -p "$state/etc" "$state/lists/partial" "$state/archives/partial" "$folder"
    : >"$state/status"
    echo "deb [signed-by=$keyring] $mirror $release main" >"$state/sources"
    if ! use_apt "$release" apt-get update >"$work/apt.log" 2>&1; then
        tail -n 5 "$work/apt.log" >&2
        end 2 "the package lists of $release could not be fetched from $mirror: is the network there?"
    fi
    use_apt "$release" apt-get install -y --no-install-recommends --download-only coreutils dash "$@" \
        >"$work/apt.log" 2>&1 || blame "$release" "$@"
    # A root of merged folders, as Debian's packages expect it.
    for name in bin lib lib64 sbin; do
        mkdir -p "$folder/usr/$name"
        [ -e "$folder/$name" ] || ln -s "usr/$name" "$folder/$name"
    done
    for package in "$state/archives"/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$folder" --keep-directory-symlink
    done
}

# inside FOLDER COMMAND...: runs a command with the folder as its root, as root of a namespace of its own.
inside() {
    folder=$1
    shift
    mkdir -p "$folder/dev" "$folder/tmp"
    [ -e "$folder/dev/null" ] || : >"$folder/dev/null"
    unshare --map-root-user --mount sh -ec 'mount --bind /dev/null "$0/dev/null"; exec chroot "$0" "$@"' "$folder" \
        /usr/bin/env -i PATH=/usr/bin:/usr/sbin LC_ALL=C "$@"
}

# expect WHAT EXPECTED COMMAND...: compares what the command prints. A command that fails has shown nothing.
expect() {
    what=$1 expected=$2
    shift 2
    # Not in a condition: `set -e` would not hold within the command.
    set +e
    seen=$(set -e; "$@")
    code=$?
    set -e
    [ "$code" -eq 0 ] || end 2 "a step failed with exit code $code, before it could be seen: $what"
    if [ "$seen" != "$expected" ]; then
        printf -- '--- expected\n%s\n--- seen\n%s\n' "$expected" "$seen" >&2
        end 1 "CHANGED: $what"
    fi
    printf 'as seen before: %s\n' "$what"
}
