# SPDX-License-Identifier: MIT
# Sourced by the findings: Debian packages of any release, unpacked into a temporary folder, and what they say
# compared with what was seen. Nothing of this machine changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# What this machine's apt gets Debian from.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
    'Component: main' | head -n 1)
[ "$mirror" ] || {
    echo "apt knows no mirror of Debian yet: apt-get update" >&2
    exit 2
}

# unpack FOLDER RELEASE PACKAGE=VERSION...: the packages and all that they depend on.
unpack() {
    folder=$1 release=$2
    shift 2
    state=$work/apt-$release
    mkdir -p "$state/etc" "$state/lists/partial" "$state/archives/partial" "$folder"
    : >"$state/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$state/sources"
    # shellcheck disable=SC2089
    own="-qq -o Dir::Etc::sourcelist=$state/sources -o Dir::Etc::sourceparts=- -o Dir::State=$state
        -o Dir::State::lists=$state/lists -o Dir::State::status=$state/status -o Dir::Cache::archives=$state/archives
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o APT::Sandbox::User=root
        -o APT::Keep-Downloaded-Packages=true -o Dir::Etc::preferencesparts=$state/etc"
    # shellcheck disable=SC2086,SC2090 # a list of words
    if ! apt-get $own update >"$work/apt.log" 2>&1 ||
        ! apt-get $own install -y --no-install-recommends --download-only coreutils dash "$@" >>"$work/apt.log" 2>&1; then
        tail -n 5 "$work/apt.log" >&2
        echo "these versions cannot be had any more; the finding was: see the top of this script" >&2
        exit 77
    fi
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

# expect WHAT EXPECTED SEEN
expect() {
    if [ "$2" = "$3" ]; then
        printf 'as seen before: %s\n' "$1"
    else
        printf 'CHANGED: %s\n--- expected\n%s\n--- seen\n%s\n' "$1" "$2" "$3" >&2
        exit 1
    fi
}
