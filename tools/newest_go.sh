#!/bin/sh
# SPDX-License-Identifier: MIT
# newest_go.sh DIRECTORY: the Go of Debian testing, unpacked into a directory, as a peer beside the release's own. It comes
# from the mirror that apt uses here, and nothing is installed. Prints the path of its go command. Without a network,
# or where a package is missing, it says so and ends with 77.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

give_up() {
    echo "newest Go: $1" >&2
    exit 77
}

print_go() {
    for go in "$folder"/usr/lib/go-*/bin/go; do
        if [ -x "$go" ]; then
            echo "$go"
            exit
        fi
    done
}

# In a state of its own. Without the error mode an update that fetched nothing succeeds.
use_apt() {
    command=$1
    shift
    LC_ALL=C "$command" -qq -o Dir::Etc::sourcelist="$state/sources" -o Dir::Etc::sourceparts=- \
        -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::Etc::preferencesparts="$state/etc" \
        -o Acquire::Languages=none -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root "$@" 2>>"$state/log"
}

print_go
[ -e "$keyring" ] || give_up "there is no $keyring (Debian package debian-archive-keyring)"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
    'Component: main' | head -n 1)
[ "$mirror" ] || give_up "apt knows no mirror of Debian"
state=$folder/apt
mkdir -p "$state/etc" "$state/lists/partial" "$folder/archives"
: >"$state/status"
echo "deb [signed-by=$keyring] $mirror testing main" >"$state/sources"
use_apt apt-get update || give_up "the package lists of testing could not be fetched"
version=$(use_apt apt-cache depends golang-go | sed -n 's/^ *Depends: golang-\([0-9.]*\)-go$/\1/p' | head -n 1)
[ "$version" ] || give_up "testing does not say which Go is its default"
cd "$folder/archives"
use_apt apt-get download "golang-$version-go" "golang-$version-src" || give_up "Go $version could not be fetched"
for package in *.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$folder"
done
rm -rf "$folder/archives" "$state"
print_go
give_up "its packages have no go command"
