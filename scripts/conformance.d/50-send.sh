section send and receive
q zfs create -p cona/r/kid
dd if=/dev/zero bs=1k count=600 2>/dev/null | tr '\0' 'x' >$D/mnt/cona/r/data
q zfs snapshot -r cona/r@one
echo two >$D/mnt/cona/r/two
q zfs snapshot -r cona/r@two
rm $D/mnt/cona/r/data
q zfs snapshot -r cona/r@three
q zfs bookmark cona/r@one cona/r#one
q zfs bookmark cona/r@two cona/r#two
q zfs create conb/r
s $D/full zfs send cona/r@one
s $D/inc zfs send -i @one cona/r@two
s $D/inc3 zfs send -i cona/r@two cona/r@three
s $D/inc13 zfs send -i one cona/r@three
s $D/mark zfs send -i "#one" cona/r@two
s $D/null zfs send -i @two cona/r@one
s $D/null zfs send -i @one cona/r@one
s $D/null zfs send -i @nope cona/r@two
s $D/null zfs send -i "#nope" cona/r@two
s $D/null zfs send -i cona/r/kid@one cona/r@two
s $D/null zfs send -I "#one" cona/r@two
s $D/null zfs send -I @two cona/r@one
s $D/null zfs send -I @nope cona/r@two
s $D/null zfs send -R -i "#one" cona/r@two
s $D/null zfs send cona/r@nope
s $D/null zfs send cona/nope@one
s $D/null zfs send "cona/r#one"
s $D/null zfs send
s $D/null zfs send cona/r@one cona/r@two
s $D/null zfs send -Q cona/r@one
s $D/null zfs send -i @one -I @one cona/r@two
s $D/null zfs send -t nonsense
s $D/null zfs send -t 1-2-3-4
s $D/null zfs send -t 2-2-3-44
t zfs send -nv cona/r@one
t zfs send -nvP cona/r@one
t zfs send -nP cona/r@one
t zfs send -n cona/r@one
t zfs send -nv -i @one cona/r@two
t zfs send -nvP -i @one cona/r@two
t zfs send -nvP -i "#one" cona/r@two
t zfs send -nvP -I @one cona/r@three
t zfs send -nv -R cona/r@three
t zfs send -nvP -R -i @one cona/r@three
r $D/full zfs receive -u conb/r/a
r $D/full zfs receive -u conb/r/a
r $D/full zfs receive -uF conb/r/a
r $D/inc zfs receive -u conb/r/a
r $D/inc zfs receive -u conb/r/a
r $D/inc13 zfs receive -u conb/r/a
r $D/inc zfs receive -u conb/r/nope
r $D/full zfs receive -u conb/none/a
r $D/full zfs receive -u nopool/a
r $D/full zfs receive -u conb/r
r $D/full zfs receive
r $D/full zfs receive conb/a conb/b
r $D/full zfs receive -Q conb/a
r $D/full zfs receive -u "conb/r/b%c"
r $D/full zfs receive -u conb/r//b
r /dev/null zfs receive -u conb/r/b
echo nonsense >$D/nonsense
r $D/nonsense zfs receive -u conb/r/b
dd if=/dev/zero bs=1k count=1 of=$D/zeros 2>/dev/null
r $D/zeros zfs receive -u conb/r/b
t zfs list -H -t all -o name,guid -r conb/r
t zfs get -H -o value guid cona/r@one cona/r@two
r $D/full zfs receive -n -v conb/r/n
r $D/inc3 zfs receive -nv conb/r/a
r $D/full zfs receive -v -u conb/r/v@named
t zfs list -H -t all -o name -r conb/r/v
r $D/full zfs receive -u -d conb/r
r $D/full zfs receive -u -e conb/r
t zfs list -H -o name -r conb/r
r $D/full zfs receive -u -d -e conb/r
r $D/full zfs receive -u -d conb/nope
t zfs destroy -r conb/r/r
r $D/full zfs receive -u -o user:x=1 -o readonly=on -x compression conb/r/o
t zfs get -H -o property,value,received,source user:x,readonly,compression conb/r/o
r $D/full zfs receive -u -o nonsense=1 conb/r/o2
r $D/full zfs receive -u -x nonsense conb/r/o2
r $D/full zfs receive -u -o quota=1 -x quota conb/r/o2
r $D/full zfs receive -u -o quota=10M -o quota=20M conb/r/o2
r $D/full zfs receive -u -o type=volume conb/r/o2
r $D/full zfs receive -u -o canmount=noauto -x mountpoint -x sharenfs -x sharesmb -x canmount conb/r/o3
r $D/full zfs receive -u -x mountpoint -x canmount -x sharenfs -x sharesmb -o readonly=on conb/r/o4
t zfs get -H -o property,value,source mountpoint,canmount,readonly,sharenfs,mounted conb/r/o4
t zfs set user:p=1 cona/r
s $D/withprops zfs send -p cona/r@one
r $D/withprops zfs receive -u -x mountpoint conb/r/p
t zfs get -H -o property,value,received,source user:p conb/r/p
t zfs set user:p=mine conb/r/p
t zfs get -H -o property,value,received,source user:p conb/r/p
t zfs inherit -S user:p conb/r/p
t zfs get -H -o property,value,received,source user:p conb/r/p
t zfs inherit user:p conb/r/p
t zfs get -H -o property,value,received,source user:p conb/r/p
s $D/many zfs send -I @one cona/r@three
r $D/many zfs receive -u conb/r/p
t zfs list -H -t snapshot -o name conb/r/p
r $D/many zfs receive -u conb/r/p
r $D/many zfs receive -u conb/r/v
r $D/many zfs receive -uF conb/r/o
t zfs list -H -t snapshot -o name conb/r/o
s $D/tree zfs send -R cona/r@two
r $D/tree zfs receive -u conb/r/tree
t zfs list -H -t all -o name -r conb/r/tree
s $D/treeinc zfs send -R -i @two cona/r@three
q zfs snapshot conb/r/tree@mine
r $D/treeinc zfs receive -uF conb/r/tree
t zfs list -H -t all -o name -r conb/r/tree
q zfs snapshot cona/r@four
q zfs destroy -r cona/r/kid
s $D/treegone zfs send -R -I @three cona/r@four
r $D/treegone zfs receive -uF conb/r/tree
t zfs list -H -t all -o name -r conb/r/tree
section receiving onto changed destinations
r $D/full zfs receive conb/r/m
t zfs get -H -o value mounted conb/r/m
echo dirt >$D/mnt/conb/r/m/dirt
r $D/inc zfs receive conb/r/m
r $D/inc zfs receive -F conb/r/m
t ls $D/mnt/conb/r/m
t zfs unmount conb/r/m
t zfs rollback conb/r/m@two
t zfs get -H -o value written conb/r/m
t zfs snapshot conb/r/m@foreign
t zfs get -Hp -o value written,written@two conb/r/m
r $D/inc3 zfs receive -u conb/r/m
t zfs list -H -t snapshot -o name conb/r/m
t zfs mount conb/r/m
echo dirt >$D/mnt/conb/r/m/dirt
q zfs snapshot conb/r/m@dirty
s $D/four zfs send -i @three cona/r@four
r $D/four zfs receive conb/r/m
q zfs hold keep conb/r/m@dirty
r $D/four zfs receive -F conb/r/m
t zfs list -H -t snapshot -o name conb/r/m
q zfs release keep conb/r/m@dirty
r $D/four zfs receive -F conb/r/m
t zfs list -H -t snapshot -o name conb/r/m
t zfs rename conb/r/m@four conb/r/m@other
r $D/four zfs receive -F conb/r/m
t zfs list -H -t snapshot -o name conb/r/m
t zfs rollback -r conb/r/m@three
t zfs unmount conb/r/m
t zfs rollback conb/r/m@three
t zfs snapshot conb/r/m@four
r $D/four zfs receive -u conb/r/m
r $D/four zfs receive -uF conb/r/m
t zfs list -H -t snapshot -o name conb/r/m
section corrupt streams
head -c 100000 $D/full >$D/part
r $D/part zfs receive -u conb/r/part
{ head -c 100000 $D/full; printf XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX; tail -c +100033 $D/full; } >$D/corrupt
r $D/corrupt zfs receive -u conb/r/corrupt
r $D/corrupt zfs receive -s -u conb/r/corrupt
t zfs list -H -o name conb/r/corrupt
t zfs receive -A conb/r/corrupt
head -c 300 $D/full >$D/part
r $D/part zfs receive -u conb/r/part
head -c 312 $D/full >$D/part
r $D/part zfs receive -u conb/r/part
r $D/part zfs receive -s -u conb/r/part
t zfs destroy -r conb/r/part
head -c 50000 $D/tree >$D/part
r $D/part zfs receive -u conb/r/part
section volumes
q zfs create -V 8M cona/vol
q zfs snapshot cona/vol@one
s $D/vol zfs send cona/vol@one
r $D/vol zfs receive -u conb/r/vol
t zfs get -H -o value type,volsize conb/r/vol
r $D/vol zfs receive -u -x mountpoint conb/r/vol2
r $D/vol zfs receive -u -o mountpoint=none conb/r/vol3
q zfs create -p conb/only/kid
r $D/vol zfs receive -F conb/only
r $D/full zfs receive -u conb/r/vol/below
