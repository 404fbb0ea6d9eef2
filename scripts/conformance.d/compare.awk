# compare.awk: compares two transcripts command by command and prints where they differ.
# Commands are matched by their text, in order, so that a missing one is told as such.
function flush() {
    if (cmd == "") return
    key = cmd "\t" ++seen[file, cmd]
    text[file, key] = body
    if (file == 1) order[++n] = key
    else second++
}
FNR == 1 { flush(); cmd = ""; body = ""; file++ }
/^# / { flush(); cmd = ""; section = $0; next }
/^\$ / { flush(); cmd = section " " $0; body = ""; next }
{ body = body "    " $0 "\n" }
END {
    flush()
    for (i = 1; i <= n; i++) {
        key = order[i]
        if (!((2, key) in text)) { print key "\n  only in " ARGV[1]; bad++; continue }
        if (text[1, key] == text[2, key]) { same++; continue }
        bad++
        print key
        printf "  %s:\n%s  %s:\n%s", ARGV[1], text[1, key], ARGV[2], text[2, key]
    }
    if (second > n) { print "more commands in " ARGV[2]; bad++ }
    printf "%d commands compared, %d the same, %d different\n", n, same, bad
    exit bad > 0
}
