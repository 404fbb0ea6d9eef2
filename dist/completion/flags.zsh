#compdef @PROGRAM@
# zsh completion for @PROGRAM@: its flags, which it lists itself, datasets and files.

local -a names
if [[ ${words[CURRENT]} == -* ]]; then
    names=("${(@f)$("${words[1]}" -h 2>/dev/null | sed -n 's/:/\\:/g; s/^  \(-[a-z0-9-]*\) */\1:/p')}" "-h:print usage")
    _describe @PROGRAM@ names
else
    names=(${(f)"$(@WORDS@ 2>/dev/null)"})
    (( $#names )) && compadd -a names || _files
fi
