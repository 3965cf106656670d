#compdef reevectl
# SPDX-License-Identifier: MIT
# Completion of reevectl for zsh; installed as share/zsh/site-functions/_reevectl.
_reevectl_names() {
    local -a names
    names=(${(f)"$(reevectl names $1 2>/dev/null)"})
    compadd -a names
}

# What `describe` finds by its name.
_reevectl_found() {
    local -a names
    names=(${(f)"$(reevectl modules 2>/dev/null | sed -n '2,$s/ .*//p')"})
    compadd -a names
}

_reevectl_keys() {
    local -a keys
    keys=(
        @described-keys@
    )
    _describe key keys
}

_reevectl() {
    local -a commands
    commands=(
        'status:what the daemon and its modules are doing'
        "list:each task's schedule and its next five runs"
        'show:all that is known of a module'
        'tree:the live contexts of all processes'
        'logs:the last lines of the log'
        'top:live figures of each module'
        'start:start modules, and what they require'
        'stop:stop modules, and those that require them'
        'restart:stop and start again'
        'run:run a task now'
        'submit:submit a job'
        'reload:read the configuration again and apply what changed'
        'upgrade:go over to the reeved that is installed now; modules go on'
        'check:find every error that a start would find'
        'modules:the modules of the module path'
        "describe:a module's options, tasks and pools"
        "keys:keys of reeve.ini that are reeve's own"
    )
    _arguments -C \
        '(-s --socket)'{-s,--socket}'[the control socket]:socket:_files' \
        '--wait[wait for the end of a run or job]' \
        '--no-wait[do not wait for a start, stop or restart]' \
        '--plan[only say what a reload would do]' \
        '(-f --follow)'{-f,--follow}'[go on with new lines]' \
        '(-n --lines)'{-n,--lines}'[how many lines]:number:' \
        '--since[from this time on]:time:' \
        '(-c --config)'{-c,--config}'[whose module path]:file:_files' \
        '--timeout[deadline of a job]:duration:' \
        "--json[the daemon's own answer]" \
        '--version' '(-h --help)'{-h,--help} \
        '1:command:{_describe command commands}' \
        '*::word:->word'
    case $words[1] in
    show | logs | start | stop | restart) _reevectl_names modules ;;
    run) _reevectl_names tasks ;;
    submit) _reevectl_names pools ;;
    keys) _reevectl_keys ;;
    describe) _alternative 'names:module:_reevectl_found' 'files:file:_files -g "*.so"' ;;
    esac
}

_reevectl "$@"
