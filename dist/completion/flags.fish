# fish completion for @PROGRAM@: its flags, which it lists itself, datasets and files.

function __@FUNCTION@_flags
    command @PROGRAM@ -h 2>/dev/null | string match -r '^  -.*' | string trim | string replace -r ' +' \t
    printf '%s\t%s\n' -h 'print usage'
end

complete -c @PROGRAM@ -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__@FUNCTION@_flags)'
complete -c @PROGRAM@ -n 'not string match -q -- "-*" (commandline -ct)' -a '(@WORDS@ 2>/dev/null)'
