# SPDX-License-Identifier: MIT
# Sourced by ./dev: build folders that follow the machine.
#
# meson looks once at what is installed and keeps the answer, but packages come and go between two commands. So
# each build folder keeps a note of what the answer depended on: `dev-stamp` of what only a new folder can follow,
# and `dev-packages` of what meson can look at again. configure() compares both with what is there now.

sanitizer_options='-Db_lundef=false -Dbuildtype=debug -Doptimization=1'

# The newest compilers that `./dev releases` has tried. Their warnings are errors; those of later ones, which a
# user may have, are only shown.
known_gcc=16
known_clang=21

# warnings_option COMPILER
warnings_option() {
    version=$(printf '#ifdef __clang__\n__clang_major__\n#else\n__GNUC__\n#endif\n' | "$1" -E -P - | tail -n 1)
    case $("$1" --version) in
    *clang*) known=$known_clang ;;
    *) known=$known_gcc ;;
    esac
    if [ "${CI:-}" ] || [ "$version" -le "$known" ]; then
        echo -Dwerror=true
    else
        echo -Dwerror=false
    fi
}

# What only a new folder can follow.
describe_place() {
    pwd -P
    printf '%s\n' "$@" "${CC:-}" "${CXX:-}" "${CFLAGS:-}" "${LDFLAGS:-}" "${PKG_CONFIG_PATH:-}"
    for program in meson cc gcc g++ clang; do
        "$program" --version 2>/dev/null | head -n 1
    done
}

describe_packages() {
    printf '%s\n' "$PATH"
    # shellcheck disable=SC2086 # lists of names
    dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $build_packages $test_packages $tool_packages \
        $peer_packages 2>/dev/null || true
}

# configure FOLDER COMPILER OPTION...: the folder as meson would make it now.
configure() {
    folder=$1
    warnings=$(warnings_option "$2")
    shift 2
    place=$(describe_place "$@")
    packages=$(describe_packages; echo "$warnings")
    if [ -f "$folder/build.ninja" ] && [ "$place" = "$(cat "$folder/dev-stamp" 2>/dev/null)" ]; then
        [ "$packages" != "$(cat "$folder/dev-packages" 2>/dev/null)" ] || return 0
        say "configuring $folder again: packages have come, gone or changed"
        run_meson "$folder" configure "$folder" --clearcache "$warnings"
        run_meson "$folder" setup --reconfigure "$folder"
    else
        say "configuring $folder"
        clear_folder "$folder"
        run_meson "$folder" setup "$folder" "$@" "$warnings"
        printf '%s\n' "$place" >"$folder/dev-stamp"
    fi
    printf '%s\n' "$packages" >"$folder/dev-packages"
}

# The folders of other builds lie in build/. They stay, and so does what was packed or logged.
clear_folder() {
    [ -d "$1" ] || return 0
    find "$1" -mindepth 1 -maxdepth 1 ! -name asan ! -name tsan ! -name clang ! -name fuzz ! -name deb \
        ! -name releases ! -name vm -exec rm -rf {} + || {
        say "cannot empty $1; if another user made it, that user or root must remove it"
        exit 1
    }
}

run_meson() {
    folder=$1
    shift
    log=$(mktemp)
    if ! meson "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        say "meson $1 failed; more is in $folder/meson-logs/meson-log.txt"
        exit 1
    fi
    rm -f "$log"
}

# The plain build is one for /usr, as its service is installed into a container and booted there.
configure_plain() {
    configure build cc --prefix=/usr --sysconfdir=/etc --localstatedir=/var
}

# compile FOLDER [TARGET...]
compile() {
    python3 tools/progress.py compile "$@"
}
