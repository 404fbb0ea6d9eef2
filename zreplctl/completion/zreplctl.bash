# bash completion for zreplctl: source it, or put it into
# /usr/share/bash-completion/completions/zreplctl

_zreplctl() {
    local word help words=() join=
    # bash takes -flag=value apart at the =
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ $word == "=" || $join ]] && (( ${#words[@]} )); then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        join=
        [[ $word == "=" ]] && join=1
    done
    COMPREPLY=()
    while IFS=$'\t' read -r word help; do
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]}" completion words -- "${words[@]}" 2>/dev/null)
}

complete -o bashdefault -o default -F _zreplctl zreplctl
