fresh_pools
section user properties and where they come from
P=zreplctl:backup
g() { t zfs get -Hp -o name,property,value,source -t filesystem,volume -r type,$P "$@"; }
q zfs create -p cona/s/a/b/c
q zfs create -V 4M cona/s/a/vol
q zfs create -o mountpoint=none "cona/s/with space"
g cona/s
t zfs set $P=daily cona/s/a
g cona/s
g cona/s/a/b
t zfs set $P=weekly cona/s/a/b
g cona/s
t zfs inherit $P cona/s/a/b
t zfs set $P=all cona
g cona/s
t zfs get -Hp -o name,property,value,source type,$P cona
t zfs set $P=daily "cona/s/with space"
q zfs create "cona/s/with space/below it"
g "cona/s/with space"
t zfs set $P=- cona/s/a/b
g cona/s/a/b
t zfs set $P= cona/s/a/b
g cona/s/a/b
t zfs set "$P=daily " cona/s/a/b
g cona/s/a/b
t zfs set $P=DAILY cona/s/a/b
g cona/s/a/b
t zfs set "$P=tägl=ich" cona/s/a/b
g cona/s/a/b
t zfs set "$P=one	two" cona/s/a/b
g cona/s/a/b
t zfs inherit $P cona/s/a/b
t zfs rename cona/s/a/b cona/s/moved
g cona/s/moved
t zfs rename cona/s/moved cona/s/a/b
t zfs inherit -r $P cona
g cona

section received ones
t zfs set $P=daily cona/s/a
q zfs snapshot -r cona/s/a@1
s $D/one zfs send -p cona/s/a@1
s $D/tree zfs send -R cona/s/a@1
s $D/plain zfs send cona/s/a@1
q zfs create conb/r
r $D/one zfs receive -u conb/r/one
q zfs create conb/r/one/kid
g conb/r/one
t zfs get -Hp -o name,property,value,received,source $P conb/r/one conb/r/one/kid
t zfs set $P=weekly conb/r/one
g conb/r/one
t zfs inherit $P conb/r/one
g conb/r/one
t zfs set $P=above conb/r
g conb/r
t zfs inherit -S $P conb/r/one
g conb/r
t zfs set $P=daily conb/r/one
g conb/r/one
t zfs inherit -S $P conb/r/one
g conb/r/one
r $D/tree zfs receive -u conb/r/tree
g conb/r/tree
t zfs rename conb/r/tree/b conb/r/out
g conb/r/out
r $D/one zfs receive -u -x $P conb/r/x
g conb/r/x
r $D/one zfs receive -u -o $P=mine conb/r/o
g conb/r/o
r $D/plain zfs receive -u conb/r/plain
g conb/r/plain
t zfs inherit $P conb/r
g conb/r
t zfs get -Hp -o name,property,value,source -t filesystem,volume type,$P conb/r conb/nope conb/r/one
