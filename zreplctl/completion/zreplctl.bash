# bash completion for zreplctl: source it, or put it into
# /usr/share/bash-completion/completions/zreplctl

_zreplctl() {
    local word line
    COMPREPLY=()
    while IFS=$'\t' read -r word line; do
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -o bashdefault -o default -F _zreplctl zreplctl
