# normalise.awk: replaces what differs from run to run by stable names, and puts lists that ZFS
# prints in the order of a hash table in order.
function names(line,    out, n) {
    out = ""
    while (match(line, /[0-9][0-9]+/)) {
        n = substr(line, RSTART, RLENGTH)
        out = out substr(line, 1, RSTART - 1) named(n)
        line = substr(line, RSTART + RLENGTH)
    }
    return out line
}
function named(n) {
    if (length(n) >= 13) {
        if (!(n in guid)) guid[n] = "GUID" ++guids
        return guid[n]
    }
    if (length(n) == 10 && substr(n, 1, 1) == "1") return "TIME"
    return n
}
function literal(line, from, to,    i, out) {
    out = ""
    while (i = index(line, from)) {
        out = out substr(line, 1, i - 1) to
        line = substr(line, i + length(from))
    }
    return out line
}
function flush(    i, j, x) {
    for (i = 2; i <= held; i++) {
        x = list[i]
        for (j = i - 1; j > 0 && list[j] > x; j--) list[j + 1] = list[j]
        list[j + 1] = x
    }
    for (i = 1; i <= held; i++) print list[i]
    held = 0
}
function put(line) {
    if (listing && line ~ /^! [^ ]+$/ || line ~ /it's being held/) {
        list[++held] = line
        return
    }
    flush()
    listing = line ~ /^! use .* following /
    print line
}
/^# / { split("", guid); guids = 0 }
/^\$ / { commands++; usage = 0 }
/^= / { failures++ }
/^! *usage:/ { usage = 1; put("! usage"); next }
usage && /^!/ { next }
{
    line = literal($0, dir, "DIR")
    gsub(/1-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+/, "TOKEN", line)
    gsub(/0x[0-9a-f]+/, "HEX", line)
    gsub(/recv-[0-9]+-/, "recv-PID-", line)
    gsub(/[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ 0-9][0-9] [ 0-9][0-9]:[0-9][0-9] [0-9][0-9][0-9][0-9]/, "TIME", line)
    gsub(/[0-9][0-9]:[0-9][0-9]:[0-9][0-9] +[0-9.]+[BKMGT]?/, "CLOCK SIZE", line)
    gsub(/estimated size is [0-9.]+[BKMGT]?/, "estimated size is SIZE", line)
    gsub(/reclaim [0-9.]+[BKMGT]?/, "reclaim SIZE", line)
    gsub(/reclaim\t[0-9]+/, "reclaim\tSIZE", line)
    gsub(/received [0-9.]+[BKMGT]? stream in [0-9.]+ seconds \([0-9.]+[BKMGT]?\/sec\)/, "received SIZE stream in N seconds", line)
    if (line ~ /^[|!] (full|incremental|size)\t/) sub(/[0-9]+$/, "SIZE", line)
    put(names(line))
}
END {
    flush()
    printf "%d commands, %d of them errors\n", commands, failures > "/dev/stderr"
}
