# SPDX-License-Identifier: MIT
# Completion of reevectl for bash; installed as share/bash-completion/completions/reevectl.
# What `describe` finds by its name.
_reevectl_files() {
    reevectl modules 2>/dev/null | sed -n '2,$s/ .*//p'
}

_reevectl() {
    local cur prev words cword command= i
    local commands="status list show tree logs top start stop restart run submit reload check modules describe"
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
            mapfile -t COMPREPLY < <(compgen -W "$(reevectl names modules 2>/dev/null)" -- "$cur")
            ;;
        describe)
            # A file, or the name of one in the module path.
            _filedir so
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(_reevectl_files)" -- "$cur")
            ;;
        run) mapfile -t COMPREPLY < <(compgen -W "$(reevectl names tasks 2>/dev/null)" -- "$cur") ;;
        submit) mapfile -t COMPREPLY < <(compgen -W "$(reevectl names pools 2>/dev/null)" -- "$cur") ;;
        esac
    fi
} && complete -F _reevectl reevectl
