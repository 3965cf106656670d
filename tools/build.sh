# SPDX-License-Identifier: MIT
# Sourced by ./dev: build directories that follow the machine.
#
# meson looks once at what is installed and keeps the answer, but packages come and go between two commands. So
# each build directory keeps a note of what the answer depended on: `dev-stamp` of what only a new directory can follow,
# and `dev-packages` of what meson can look at again. configure() compares both with what is there now. A directory
# without a stamp is not ours, and one whose options are not those of `dev-options` is not ours any more; an empty
# stamp is one of a directory that is not whole.

sanitizer_options='-Db_lundef=false -Dbuildtype=debug -Doptimization=1'

# The newest compilers that `./dev releases` has tried. Their warnings are errors; those of later ones, which a
# user may have, are only shown.
known_gcc=16
known_clang=21

borrowed= # the directory that tests of root's have

# The command of a compiler. meson, too, takes cc from the environment, and clang from tests/clang.ini.
compiler_command() {
    case $1 in
    cc) echo "${CC:-cc}" ;;
    *) echo "$1" ;;
    esac
}

# warnings_option COMMAND
warnings_option() {
    # shellcheck disable=SC2086 # a command may have options, here and below
    version=$(printf '#ifdef __clang__\n__clang_major__\n#else\n__GNUC__\n#endif\n' | $1 -E -P - | tail -n 1)
    # shellcheck disable=SC2086
    case $($1 --version) in
    *clang*) known=$known_clang ;;
    *) known=$known_gcc ;;
    esac
    if [ "${CI:-}" ] || [ "${version:-0}" -le "$known" ]; then
        echo -Dwerror=true
    else
        echo -Dwerror=false
    fi
}

# describe_place COMMAND OPTION...: what only a new directory can follow. Of the compilers only the one that builds here: another
# that comes is no reason to take files away from below a program that runs.
describe_place() {
    pwd -P
    printf '%s\n' "$@" "${CFLAGS:-}" "${CPPFLAGS:-}" "${LDFLAGS:-}" "${PKG_CONFIG_PATH:-}"
    for program in meson "$1"; do
        # shellcheck disable=SC2086
        $program --version 2>/dev/null | head -n 1
    done
}

describe_packages() {
    printf '%s\n' "$PATH"
    # Tests compile with one of these, if it is there.
    command -v g++ || command -v clang++ || true
    # shellcheck disable=SC2086 # lists of names
    dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $build_packages $test_packages $tool_packages \
        $peer_packages 2>/dev/null || true
}

# configure DIRECTORY COMPILER OPTION...: the directory as meson would make it now.
configure() {
    folder=$1
    command=$(compiler_command "$2")
    shift 2
    check_folder "$folder"
    warnings=$(warnings_option "$command")
    place=$(describe_place "$command" "$@")
    packages=$(describe_packages; echo "$warnings")
    if [ -f "$folder/build.ninja" ] && [ -f "$folder/meson-private/cmd_line.txt" ] &&
        [ "$place" = "$(cat "$folder/dev-stamp" 2>/dev/null)" ]; then
        # Without dev-options it is the directory of an older ./dev, or of one that was killed here.
        if [ "$packages" = "$(cat "$folder/dev-packages" 2>/dev/null)" ] && [ -e "$folder/dev-options" ]; then
            return 0
        fi
        say "configuring $folder again: packages have come, gone or changed"
        rm -f "$folder/dev-options"
        run_meson "$folder" configure "$folder" --clearcache "$warnings"
        run_meson "$folder" setup --reconfigure "$folder"
    else
        say "configuring $folder"
        clear_folder "$folder"
        run_meson "$folder" setup "$folder" "$@" "$warnings"
        printf '%s\n' "$place" >"$folder/dev-stamp"
    fi
    cp "$folder/meson-private/cmd_line.txt" "$folder/dev-options"
    printf '%s\n' "$packages" >"$folder/dev-packages"
}

# list_made DIRECTORY: what meson and ninja have made there. The directories of other builds lie in build/, and packages, logs,
# and what a user has put there.
list_made() {
    for path in "$1"/* "$1"/.ninja_*; do
        case ${path##*/} in
        meson-* | build.ninja | compile_commands.json | .ninja_* | dev-*) ;;
        include) ;;
        *) [ -f "${path##*/}/meson.build" ] || continue ;; # for each directory of sources one of objects
        esac
        [ ! -e "$path" ] || echo "$path"
    done
}

# Ends this program where the directory is another's: a user's, who has made it with meson and options that we do not know, or
# in part of another user, as when root has built there.
check_folder() {
    if [ -d "$1/meson-private" ] && [ ! -e "$1/dev-stamp" ]; then
        say "$1 was made by meson itself, or by an older ./dev, and so is left alone. Remove it, or go on with ninja -C $1
    and meson test -C $1"
        exit 1
    fi
    if [ -e "$1/dev-lent" ] && ! is_root; then
        say "tests that had borrowed $1 for root were killed: taking it back"
        borrowed=$1
        give_back
    fi
    foreign=$(find_foreign "$1")
    [ -z "$foreign" ] || {
        say "cannot write $foreign: it is write-protected, or another user, such as root, has built in $1. Remove it, or have
    that user or root remove it"
        exit 1
    }
    if [ -e "$1/dev-options" ] && [ -e "$1/meson-private/cmd_line.txt" ] &&
        ! cmp -s "$1/dev-options" "$1/meson-private/cmd_line.txt"; then
        say "options of $1 were changed by meson itself, and so it is left alone. Remove it, or go on with ninja -C $1
    and meson test -C $1"
        exit 1
    fi
}

find_foreign() {
    [ -d "$1" ] || return 0
    {
        find "$1" -maxdepth 0 ! -writable
        for path in $(list_made "$1"); do
            find "$path" ! -type l ! -writable -print -quit
        done
    } 2>/dev/null | head -n 1
}

# Takes away what is ours in the directory, and makes it one of ours that is not whole. The stamp is emptied first: whatever
# ends us, what is left is not taken for whole, nor for a user's.
clear_folder() {
    mkdir -p "$1"
    made=
    [ ! -e "$1/dev-stamp" ] || made=$(list_made "$1")
    : >"$1/dev-stamp"
    for path in $made; do
        [ "$path" = "$1/dev-stamp" ] || rm -rf "$path"
    done
}

# borrow DIRECTORY: for tests that run as root, and leave logs. The note in the directory outlives us if we are killed.
borrow() {
    borrowed=$1
    : >"$borrowed/dev-lent"
}

give_back() {
    [ "$borrowed" ] || return 0
    if as_root chown -R "$(id -u):$(id -g)" "$borrowed/meson-logs" "$borrowed/meson-private"; then
        rm -f "$borrowed/dev-lent"
    else
        say "some files in $borrowed are root's now"
    fi
    borrowed=
}

# run_meson DIRECTORY COMMAND OPTION...
run_meson() {
    folder=$1
    shift
    log=$folder/dev-log
    if ! python3 tools/progress.py log "$log" "configuring $folder" -- meson "$@"; then
        tail -n 40 "$log" >&2
        say "meson $1 failed; more is in $folder/meson-logs/meson-log.txt"
        exit 1
    fi
}

# The plain build is one for /usr, as its service is installed into a container and booted there.
configure_plain() {
    configure build cc --prefix=/usr --sysconfdir=/etc --localstatedir=/var
}

# compile DIRECTORY [TARGET...]
compile() {
    python3 tools/progress.py compile "$@"
}
