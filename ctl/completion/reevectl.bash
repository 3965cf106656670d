# SPDX-License-Identifier: MIT
# Completion of reevectl for bash; installed as share/bash-completion/completions/reevectl.

# What `describe` finds by its name.
_reevectl_files() {
    reevectl modules 2>/dev/null | sed -n '2,$s/ .*//p'
}

# Offers the lines of its input that begin like the word. Names of tasks and pools are whatever a module
# calls them: not for `compgen -W`, which would run what they say.
_reevectl_offer() {
    local line
    while IFS= read -r line; do
        [[ $line != "$cur"* ]] || COMPREPLY+=("$(printf '%q' "$line")")
    done
}

_reevectl() {
    local cur prev words cword command= i
    local commands="status list show tree logs top start stop restart run submit reload check upgrade modules describe keys"
    local keys="@keys@"
    local options="--socket --wait --no-wait --plan --follow --lines --since --timeout --config --json --version --help"

    _init_completion || return
    case $prev in
    -s | --socket | -c | --config)
        _filedir
        return
        ;;
    -n | --lines | --since | --timeout) return ;;
    esac
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -s | --socket | -c | --config | -n | --lines | --since | --timeout) ((i++)) ;;
        -*) ;;
        *)
            command=${words[i]}
            break
            ;;
        esac
    done
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
    else
        case $command in
        show | logs | start | stop | restart)
            _reevectl_offer < <(reevectl names modules 2>/dev/null)
            ;;
        describe)
            # A file, or the name of one in the module path.
            _filedir so
            _reevectl_offer < <(_reevectl_files)
            ;;
        run) _reevectl_offer < <(reevectl names tasks 2>/dev/null) ;;
        keys) mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$cur") ;;
        submit) _reevectl_offer < <(reevectl names pools 2>/dev/null) ;;
        esac
    fi
} && complete -F _reevectl reevectl
