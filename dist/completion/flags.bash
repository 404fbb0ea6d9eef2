# bash completion for @PROGRAM@: its flags, which it lists itself, datasets and files.

_@FUNCTION@() {
    local word=${COMP_WORDS[COMP_CWORD]}
    case $word in
    -*) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" -h 2>/dev/null | sed -n 's/^  \(-[a-z0-9-]*\).*/\1/p') -h" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$(@WORDS@ 2>/dev/null)" -- "$word")) ;;
    esac
}

complete -o bashdefault -o default -F _@FUNCTION@ @PROGRAM@
