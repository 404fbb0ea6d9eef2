fresh_pools
section forged streams
# zfs-forge makes the streams: lib/cmd/zfs-forge.
f() { q zfs-forge "$@"; }
guid() { zfs get -Hp -o value guid "$1"; }
all() { t zfs list -H -t all -o name,guid,origin -r "$@"; }
# left prints how much of its input zfs receive leaves unread; streams have other sizes in zfs-sim.
left() {
    file=$1
    shift
    cat "$file" | {
        "$@"
        status=$?
        n=$(wc -c)
        [ $n -lt 1000 ] && echo $n || echo many
        return $status
    }
}
q zfs create -p cona/f/kid
echo one >$D/mnt/cona/f/file
q zfs snapshot -r cona/f@one
echo two >$D/mnt/cona/f/file
q zfs snapshot -r cona/f@two
q zfs snapshot -r cona/f@three
q zfs create conb/f
q zfs create conb/f/victim
echo dear >$D/mnt/conb/f/victim/file
q zfs snapshot conb/f/victim@dear
zfs send cona/f@one >$D/full
zfs send -i @one cona/f@two >$D/inc
zfs send -i @two cona/f@three >$D/inc3
zfs send -I @one cona/f@three >$D/chain
one=$(guid cona/f@one) two=$(guid cona/f@two) three=$(guid cona/f@three) dear=$(guid conb/f/victim@dear)
section forged beginnings
f edit $D/full $D/x name=other/fs@snap
r $D/x zfs receive -u conb/f/a1
t zfs list -H -t all -o name -r conb/f/a1
for name in other other@ @snap other@a@b other@a/b other/@a other#a@b "other@a b" "oth er@a" other@%a other%a@b 'other@a\0b' 'other\0@a' ''; do
    f edit $D/full $D/x "name=$name"
    r $D/x zfs receive -u conb/f/a2
    r $D/x zfs receive -u conb/f/a3@given
    t zfs list -H -t snapshot -o name -r conb/f
    zfs destroy -r conb/f/a2 2>/dev/null
    zfs destroy -r conb/f/a3 2>/dev/null
done
long=$(printf '%0240d' 0)
f edit $D/full $D/x "name=a@$long"
r $D/x zfs receive -u conb/f/a2
t zfs destroy -r conb/f/a2
for change in magic=1 record=1 record=5 header=0 header=2 header=3 version=0 version=1 version=2 type=0 type=1 type=4 type=9 payloadlen=8 payloadlen=4000000000 \
    addfeatures=0x1 addfeatures=0x2 addfeatures=0x8 addfeatures=0x8000 addfeatures=0x10000 addfeatures=0x20000 addfeatures=0x40000 addfeatures=0x80000 addfeatures=0x100000 \
    addfeatures=0x400000 addfeatures=0x800000 addfeatures=0x2000000 addfeatures=0x4000000 addfeatures=0x40000000 addfeatures=0x10000000000 \
    flags=0 addflags=2 addflags=0x100 addflags=0xfffffff0 to=0 to=1 creation=0 creation=1 creation=4000000000 from=1 from=$dear endguid=1; do
    f edit $D/full "$D/$change" "$change"
    r "$D/$change" zfs receive -u conb/f/a2
    t zfs list -H -t all -o name,guid -r conb/f/a2
    zfs destroy -r conb/f/a2 2>/dev/null
done
f edit $D/full $D/x addfeatures=0x1000000
r $D/x zfs receive -u conb/f/a2
f edit $D/full $D/x creation=4000000000
r $D/x zfs receive -u conb/f/a2
t zfs get -Hp -o value creation conb/f/a2@one
t zfs destroy -r conb/f/a2
f edit $D/inc $D/x creation=1
r $D/full zfs receive -u conb/f/a2
r $D/x zfs receive -u conb/f/a2
t zfs get -Hp -o value creation conb/f/a2@two
f edit $D/inc3 $D/x to=$two
r $D/x zfs receive -u conb/f/a2
f edit $D/inc3 $D/x to=$dear
r $D/x zfs receive -u conb/f/a2
t zfs list -H -t all -o name,guid -r conb/f/a2
t zfs destroy -r conb/f/a2
section forged ends and byte orders
f edit $D/full $D/x swap
r $D/x zfs receive -n -v conb/f/b1
f edit $D/full $D/x swap spoil=1
r $D/x zfs receive -u conb/f/b1
f edit $D/full $D/x spoil=1
r $D/x zfs receive -u conb/f/b1
f edit $D/full $D/x spoil=300
r $D/x zfs receive -u conb/f/b1
f edit $D/full $D/x spoil=280
r $D/x zfs receive -u conb/f/b1
f edit $D/full $D/x cut=1
r $D/x zfs receive -u conb/f/b1
f edit $D/full $D/x tail=trailing
t left $D/x zfs receive -u conb/f/b2
f edit $D/full $D/x end=1
t left $D/x zfs receive -u conb/f/b3
cat $D/full $D/inc >$D/x
t left $D/x zfs receive -u conb/f/b4
t zfs list -H -t all -o name -r conb/f
for name in b1 b2 b3 b4; do zfs destroy -r conb/f/$name 2>/dev/null; done
section forged clones
f edit $D/full $D/x addflags=1
r $D/x zfs receive -u conb/f/c1
f edit $D/full $D/x addflags=1 from=$dear
r $D/x zfs receive -u conb/f/c1
all conb/f
t zfs destroy conb/f/victim@dear
f edit $D/inc $D/x addflags=1 from=$dear to=4711
r $D/x zfs receive -u conb/f/c2
r $D/x zfs receive -u conb/f/victim
r $D/x zfs receive -uF conb/f/victim
f edit $D/full $D/x addflags=1 from=4711
r $D/x zfs receive -u conb/f/c3
q zfs create conb/f/c4
f edit $D/full $D/x addflags=1 from=$dear
r $D/x zfs receive -u conb/f/c4
r $D/x zfs receive -uF conb/f/c4
all conb/f
r $D/full zfs receive -u -o origin=conb/f/victim@dear conb/f/c5
r $D/full zfs receive -u -o origin=conb/f/victim@nope conb/f/c6
r $D/inc zfs receive -u -o origin=conb/f/victim@dear conb/f/c7
all conb/f
for name in c1 c2 c3 c4 c5 c6 c7; do zfs destroy -r conb/f/$name 2>/dev/null; done
section forged packages
f package $D/x cona/f@three '' $D/full
r $D/x zfs receive -u conb/f/p1
t zfs list -H -t all -o name -r conb/f/p1
f package $D/x cona/f@three '' $D/inc $D/inc3
t left $D/x zfs receive -u conb/f/p1
t zfs list -H -t all -o name -r conb/f/p1
t zfs destroy -r conb/f/p1
f package $D/x cona/f@three '' $D/full $D/inc
r $D/x zfs receive -u conb/f/p1
r $D/x zfs receive -u conb/f/p1
r $D/x zfs receive -u conb/f/p1@name
t zfs list -H -t all -o name -r conb/f/p1
t zfs destroy -r conb/f/p1
f edit $D/full $D/y "name=a#bcdefg2/evil@one"
f package $D/x "a#bcdefg@one" '' $D/y
q zfs create conb/f/root
q zfs create conb/f/root2
r $D/x zfs receive -u conb/f/root
all conb/f
f edit $D/full $D/y "name=abcd2@one"
f package $D/x "abcd@one" '' $D/y
r $D/x zfs receive -u conb/f/root
r $D/x zfs receive -uF conb/f/root
all conb/f
f edit $D/inc $D/y "name=abcd2@two"
f package $D/x "abcd@one" '' $D/y
r $D/x zfs receive -u conb/f/root
r $D/x zfs receive -uF conb/f/root
all conb/f
f edit $D/full $D/y "name=abcdefghijkl/evil2@one"
f package $D/x "abcd@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=ab@one"
f package $D/x "a@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=quite/other/evil3@one"
f package $D/x "quite@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f package $D/x "@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f package $D/x "quite" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=a@s\\0/evil4@one"
f package $D/x "a@s" '' $D/y
r $D/x zfs receive -u conb/f/root
f package $D/x "a@s\\0/evil4" '' $D/y
r $D/x zfs receive -u conb/f/root
f package $D/x "a@sabcdefghijkl" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=a@s\\0cdefghijkl/evil6@one"
f package $D/x "abcdefghijklmn@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=quite\\0/evil5@one"
f package $D/x "quite@one" '' $D/y
r $D/x zfs receive -u conb/f/root
f edit $D/full $D/y "name=pool/a/b@one"
f package $D/x "pool/a@one" '' $D/y
r $D/x zfs receive -u -d conb/f/root
r $D/x zfs receive -u -e conb/f/root
r $D/x zfs receive -u conb/f/root
all conb/f
t zfs destroy -r conb/f/root
t zfs destroy -r conb/f/root2
f package $D/y cona/f@three '' $D/full
f package $D/x cona/f@three '' $D/y
r $D/x zfs receive -u conb/f/p2
f package $D/x cona/f@three ''
r $D/x zfs receive -u conb/f/p2
f package $D/x cona/f@three '' $D/full
f edit $D/x $D/y spoil=1
t left $D/y zfs receive -u conb/f/p2
f edit $D/x $D/y cut=1
r $D/y zfs receive -u conb/f/p3
f edit $D/x $D/y end=3
t left $D/y zfs receive -u conb/f/p4
f edit $D/x $D/y addfeatures=0x40000000
r $D/y zfs receive -u conb/f/p5
f edit $D/x $D/y addfeatures=0x4000000
r $D/y zfs receive -u conb/f/p5
f edit $D/x $D/y swap
r $D/y zfs receive -u -n -v conb/f/p6
t zfs list -H -t all -o name -r conb/f
for name in p2 p3 p4 p5 p6; do zfs destroy -r conb/f/$name 2>/dev/null; done
section forged properties
# fs prints what a package says of the filesystem with the snapshot @one.
fs() { echo "\"fss\":{\"0x1\":{\"name\":\"cona/f\",\"parentfromsnap\":${2:-0},\"props\":{$1},\"snaps\":{\"one\":$one}${3:+,$3}}}"; }
package() {
    name=$1 text=$2
    shift 2
    f package $D/x "$name" "$text" "$@"
}
package cona/f@one "{\"tosnap\":\"one\",\"not_recursive\":null,$(fs '"user:a":"x","compression":2,"quota":10485760,"readonly":1,"canmount":0,"mountpoint":"none","recordsize":65536')}" $D/full
r $D/x zfs receive -u conb/f/s1
t zfs get -Hp -o property,value,received,source user:a,compression,quota,readonly,canmount,mountpoint,recordsize conb/f/s1
r $D/x zfs receive -u -x quota -x compression -o recordsize=32k conb/f/s2
t zfs get -Hp -o property,value,received,source user:a,compression,quota,readonly,recordsize conb/f/s2
package cona/f@one "{\"tosnap\":\"one\",\"not_recursive\":null,$(fs '"readonly":"on","atime":7,"nonsense":"x","quota":"1G","guid":5,"type":2,"user:a":5')}" $D/full
zfs receive -u conb/f/s3 <$D/x >/dev/null 2>&1 # libzfs aborts when all is done
t zfs get -Hp -o property,value,received,source user:a,readonly,atime,quota conb/f/s3
package cona/f@one "{\"tosnap\":\"one\",\"not_recursive\":null,$(fs '"user:a":"x"' 0 '"snapprops":{"one":{"user:s":"y"}},"snapholds":{"one":{"keepit":1}}')}" $D/full
r $D/x zfs receive -u conb/f/s4
t zfs get -H -o property,value,source user:s conb/f/s4@one
t zfs holds -H conb/f/s4@one
f edit $D/x $D/y addfeatures=0x4000000
r $D/y zfs receive -u conb/f/s5
t zfs get -H -o value userrefs conb/f/s5@one
for name in s1 s2 s3 s4; do zfs destroy -r conb/f/$name 2>/dev/null; done
t zfs release keepit conb/f/s5@one
t zfs destroy -r conb/f/s5
for text in '{}' '{"tosnap":"one"}' '{"fss":{}}' '{"tosnap":"one","not_recursive":1,"fss":{}}' '{"tosnap":"one","not_recursive":null,"fss":{}}'; do
    case $text in *fss*) ;; *) continue ;; esac
    package cona/f@one "$text" $D/full
    r $D/x zfs receive -u conb/f/s6
    r $D/x zfs receive -u conb/f/s7@given
    t zfs list -H -t all -o name -r conb/f
    zfs destroy -r conb/f/s6 2>/dev/null
    zfs destroy -r conb/f/s7 2>/dev/null
done
section forged replication
# History of a receiver: what is not listed is renamed or destroyed.
history() {
    zfs destroy -r conb/f/h >/dev/null 2>&1
    zfs receive -u conb/f/h <$D/full
    q zfs snapshot conb/f/h@mine
    q zfs create conb/f/h/below
    q zfs snapshot conb/f/h/below@mine
    q zfs create conb/f/h/empty
}
plain="\"not_recursive\":null,"
typed="\"not_recursive\":1,"
for mode in "$plain" "$typed" '"not_recursive":true,' ''; do
    for force in '' -F; do
        history
        package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",$mode$(fs '"user:a":"x"')}" $D/inc
        r $D/x zfs receive -u $force conb/f/h
        all conb/f/h
    done
done
history
package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",\"fss\":{\"0x1\":{\"name\":\"cona/f\",\"parentfromsnap\":0,\"props\":{},\"snaps\":{\"renamed\":$one}}}}" $D/inc
r $D/x zfs receive -u conb/f/h
all conb/f/h
history
q zfs snapshot conb/f@parent
parent=$(guid conb/f@parent)
q zfs rename conb/f/h conb/f/victim/h
package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",$(fs '' "$dear")}" $D/inc
r $D/x zfs receive -u conb/f/victim/h
all conb/f
q zfs destroy -r conb/f/victim/h
history
q zfs destroy -r conb/f/h/below
package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",\"fss\":{\"0x1\":{\"name\":\"cona/other\",\"parentfromsnap\":$dear,\"props\":{},\"snaps\":{\"one\":$one}}}}" $D/inc
r $D/x zfs receive -u conb/f/h
r $D/x zfs receive -uF conb/f/h
all conb/f
history
package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",\"cover:raw\":{\"fromsnap\":\"one\",\"tosnap\":\"two\",$(fs '')},\"not_recursive\":null,\"fss\":{\"x\":{}}}" $D/inc
r $D/x zfs receive -uF conb/f/h
all conb/f/h
history
package cona/f@two "{\"cover:not_recursive\":{\"fromsnap\":\"one\",\"tosnap\":\"two\",$(fs '')},\"fss\":{\"x\":{}}}" $D/inc
r $D/x zfs receive -uF conb/f/h
all conb/f/h
f edit $D/full $D/y "name=nowhere/new@one"
package nowhere@one "{\"tosnap\":\"one\",\"not_recursive\":null,$(fs '' "$dear")}" $D/y
r $D/x zfs receive -u conb/f/none/there
all conb/f/victim
r $D/x zfs receive -u nopool/none
section forged renames
# kin makes a receiver with two filesystems below, and packs what the sender says of one of them.
kin() {
    zfs destroy -r conb/f/h >/dev/null 2>&1
    zfs receive -u conb/f/h <$D/full
    q zfs create conb/f/h/kid
    q zfs create conb/f/h/other
    q zfs snapshot conb/f/h/kid@one
    q zfs snapshot conb/f/h/other@one
    kid=$(guid conb/f/h/kid@one) other=$(guid conb/f/h/other@one)
    package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",\"fss\":{\"0x1\":{\"name\":\"cona/f\",\"parentfromsnap\":0,\"props\":{},\"snaps\":{\"one\":$one,\"two\":$two}},\"0x2\":{\"name\":\"$1\",\"parentfromsnap\":$2,\"props\":{},\"snaps\":{\"$3\":$kid}}}}" $D/inc
}
kin cona/f/renamed $one one
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/kid $one moved
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/other $one one
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/kid $dear one
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/other/kid 4711 one
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/kid $one one
package cona/f@two "{\"fromsnap\":\"one\",\"tosnap\":\"two\",\"fss\":{\"0x1\":{\"name\":\"cona/f\",\"parentfromsnap\":0,\"props\":{},\"snaps\":{\"one\":$one}},\"0x2\":{\"name\":\"cona/f/other/kid\",\"parentfromsnap\":$other,\"props\":{},\"snaps\":{\"one\":$kid}}}}" $D/inc
r $D/x zfs receive -u conb/f/h
all conb/f/h
kin cona/f/kid $one one
q zfs hold keep conb/f/h/other@one
r $D/x zfs receive -uF conb/f/h
all conb/f/h
zfs list -H -t snapshot -o name -r conb/f | while read -r name; do zfs release keep $name; done >/dev/null 2>&1
q zfs destroy -r conb/f/h
