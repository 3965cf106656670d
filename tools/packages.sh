# SPDX-License-Identifier: MIT
# Sourced by ./dev: the Debian packages that each command needs, by the names of apt in Debian 12 and later.

# Without these nothing is built.
build_packages='gcc libc6-dev meson ninja-build pkg-config python3
    libcurl4-openssl-dev libdw-dev libevent-dev libinih-dev libjansson-dev libseccomp-dev
    libsmartcols-dev libsystemd-dev libyajl-dev python3-docutils'
run_packages='curl' # `./dev run` prints commands to try
# Without these a part of the tests cannot be built or run at all.
test_packages='g++ libcmocka-dev libseccomp2 clang libclang-rt-dev valgrind procps iproute2 tzdata curl'
# A test whose tool is not to be had is skipped, and names it.
tool_packages='bindfs spin systemd systemd-container slowhttptest wrk haproxy monit prometheus
    python3-prometheus-client chromium chromium-driver fonts-dejavu-core man-db build-essential debhelper'
# A peer that is not to be had is left out of the measurements, and named.
peer_packages='golang-go golang-golang-x-sync-dev libglib2.0-dev libuv1-dev
    libtbb-dev libconcurrentqueue-dev libck-dev libdpdk-dev g++ supervisor collectd-core s6
    python3-matplotlib'
# One version on all releases: the next one formats otherwise.
style_packages='clang-format-19'
# debian/control has what the build itself needs.
deb_packages='build-essential debhelper dpkg-dev fakeroot git libcmocka-dev lintian man-db procps'
roots_packages='debootstrap git'
vm_packages='debootstrap git qemu-system-x86 e2fsprogs'
# Of all these, the packages that bring a service of their own.
service_packages='haproxy monit prometheus supervisor collectd-core'

say() {
    printf 'dev: %s\n' "$*" >&2
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

can_try_root() {
    is_root || command -v sudo >/dev/null 2>&1
}

# With sudo_option=-n it fails in place of asking for a password.
as_root() {
    if is_root; then
        "$@"
    elif can_try_root; then
        sudo ${sudo_option:-} "$@"
    else
        say "this takes root, and there is no sudo: $*"
        return 1
    fi
}

# as_root_with PATTERN COMMAND...: as_root, with those variables of our environment whose names match, as sudo takes them away.
as_root_with() {
    pattern=$1
    shift
    for name in $(env | sed -n "s/^\($pattern\)=.*/\1/p"); do
        eval "set -- \"$name=\${$name-}\" \"\$@\""
    done
    as_root env "$@"
}

# With all that decides what happens here: settings, and which tools are found.
as_root_here() {
    as_root_with 'CI\|MESON_TESTTHREADS\|[a-z]*_proxy\|REEVE_[A-Z0-9_]*' "PATH=$PATH:/usr/sbin:/sbin" "$@"
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Whether apt's lists, if it has any, have no such package: then there is no use in asking again.
is_unknown() {
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] &&
        ! apt-cache show "$1" >/dev/null 2>&1
}

list_names() {
    printf '%s\n' "$@" | grep -vx -e -- | tr '\n' ' ' | sed 's/ $//'
}

# can_be_root PACKAGES: whether we may install these. Asks for a password, where sudo does; says who else may do it, if not.
can_be_root() {
    if is_root || { can_try_root && sudo true; }; then
        return 0
    fi
    # shellcheck disable=SC2086
    say "this takes root, and $(can_try_root && echo "sudo has refused it" || echo "there is no sudo"). As root:
    apt-get install --no-install-recommends $(list_names $1)"
    return 1
}

# need PACKAGE... [-- OPTIONAL...]: installs what is missing. Ends this program when a PACKAGE cannot be had.
need() {
    missing= services= optional=
    for package in "$@"; do
        if [ "$package" = -- ]; then
            optional=yes
            missing="$missing --"
        elif ! is_installed "$package" && ! { [ "$optional" ] && is_unknown "$package"; }; then
            missing="$missing $package"
            case " $service_packages " in
            *" $package "*) services="$services $package" ;;
            esac
        fi
    done
    [ -n "${missing# --}" ] || return 0
    if can_be_root "$missing"; then
        # shellcheck disable=SC2086 # a list of names
        say "installing packages: $(list_names $missing)"
        # shellcheck disable=SC2086
        install_packages $missing && return 0
    fi
    # Tests and peers do without the optional ones, and say so.
    [ -z "${missing%% --*}" ] || exit 1
    say "going on without them: what needs them is skipped"
}

install_packages() {
    log=$(mktemp)
    code=0
    # By its standard input, as root may be unable to read this directory.
    { as_root_with '[a-z]*_proxy' DEBIAN_FRONTEND=noninteractive LC_ALL=C services="$services" \
        sh -s -- "$@" <tools/install-packages.sh 2>"$log" >&3; } 3>&2 || code=$?
    case $code in
    0 | 75) rm -f "$log" ;; # 75: it has told who keeps it waiting
    *)
        tail -n 40 "$log" >&2
        say "apt could not install the packages; all that it said is in $log"
        ;;
    esac
    return "$code"
}
