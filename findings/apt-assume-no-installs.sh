#!/bin/sh
# SPDX-License-Identifier: MIT
# apt-get --assume-no installs a package that comes alone.
#
# Guess: with "no" as the answer to everything nothing is changed, so the option is a way to see what an installation
# would fetch and take.
# Seen with apt 2.6.1 and 3.0.4: where nothing but what was named would be installed there is no question, so there is
# no answer either, and the package is installed, with exit code 0. With a second package that was not named there is a
# question: "Abort.", exit code 1, and nothing is installed. (--print-uris asks for the sizes without installing.)
. "$(dirname "$0")/common.sh"

make_package() {
    mkdir -p "$work/deb/DEBIAN"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: nothing\n' \
        "$1" >"$work/deb/DEBIAN/control"
    [ -z "${2:-}" ] || echo "Depends: $2" >>"$work/deb/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$work/deb" "$work/$1.deb" >/dev/null
    rm -r "$work/deb"
}

# try FOLDER PACKAGE: how apt-get ends, and which of the two packages are there then.
try() {
    folder=$1
    mkdir -p "$folder/tmp" "$folder/etc/apt" "$folder/var/lib/dpkg/info" "$folder/var/lib/apt/lists/partial" \
        "$folder/var/cache/apt/archives/partial" "$folder/var/log/apt" "$folder/repository"
    : >"$folder/var/lib/dpkg/status"
    cp "$work"/*.deb "$folder/repository/"
    (cd "$folder/repository" && for package in *.deb; do
        dpkg-deb --field "$package"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" \
            "$(sha256sum "$package" | cut -d' ' -f1)"
    done >Packages)
    echo 'deb [trusted=yes] file:/repository ./' >"$folder/etc/apt/sources.list"
    code=0
    inside "$folder" apt-get -o APT::Sandbox::User=root -o Acquire::Languages=none update >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        return 1
    }
    inside "$folder" apt-get -o APT::Sandbox::User=root --assume-no install "$2" >"$work/said" 2>&1 </dev/null || code=$?
    grep -x 'Abort.' "$work/said" || true
    echo "exit code $code, installed:$(sed -n 's/^Package: / /p' "$folder/var/lib/dpkg/status" | tr -d '\n')"
}

make_package alone
make_package needs-alone alone
unpack "$work/12" bookworm apt=2.6.1 dpkg=1.21.23 diffutils libc-bin tar
unpack "$work/13" trixie apt=3.0.4 dpkg=1.22.22 diffutils libc-bin tar
for release in 12 13; do
    expect "$release, a package alone" 'exit code 0, installed: alone' try "$work/$release" alone
    expect "$release, one that takes another along" 'Abort.
exit code 1, installed:' try "$work/$release" needs-alone
done
