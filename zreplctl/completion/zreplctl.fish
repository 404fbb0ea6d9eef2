# fish completion for zreplctl: source it, or put it into
# ~/.config/fish/completions/zreplctl.fish

function __zreplctl_words
    set -l before (commandline -opc)
    set -l last (commandline -ct)
    set -l name $before[1]
    set -e before[1]
    command $name completion words -- $before "$last" 2>/dev/null
end

complete -c zreplctl -n 'test -n "$(__zreplctl_words)"' -f -a '(__zreplctl_words)'
