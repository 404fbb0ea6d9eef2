#compdef zreplctl
# zsh completion for zreplctl: put it as _zreplctl into a directory of $fpath,
# or source it behind compinit.

_zreplctl() {
    local -a names
    local word help
    while IFS=$'\t' read -r word help; do
        names+=("${word//:/\\:}:$help")
    done < <("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#names )); then
        _describe zreplctl names
    else
        _files
    fi
}

if [[ $funcstack[1] == _zreplctl ]]; then
    _zreplctl "$@"
else
    compdef _zreplctl zreplctl
fi
