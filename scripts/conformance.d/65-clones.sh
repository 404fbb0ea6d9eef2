fresh_pools
section streams of clones
q zfs create -p cona/g/o
dd if=/dev/urandom bs=1k count=1024 of=$D/mnt/cona/g/o/data 2>/dev/null
q zfs snapshot cona/g/o@s
q zfs clone cona/g/o@s cona/g/c
dd if=/dev/urandom bs=1k count=2048 of=$D/mnt/cona/g/c/more 2>/dev/null
q zfs snapshot cona/g/c@one
echo two >$D/mnt/cona/g/c/file
q zfs snapshot cona/g/c@two
q zfs create -V 8M cona/g/v
q zfs snapshot cona/g/v@s
q zfs clone cona/g/v@s cona/g/w
q zfs snapshot cona/g/w@one
q zfs create conb/g
origins() { t zfs list -H -t all -o name,origin -r "$@"; }
t zfs list -H -o name,origin,origin cona/g/c cona/g/o
s $D/full zfs send cona/g/o@s
s $D/cl zfs send -i cona/g/o@s cona/g/c@one
s $D/cl2 zfs send -i cona/g/o@s cona/g/c@two
s $D/inc zfs send -i @one cona/g/c@two
t zfs send -i cona/g/o@s cona/g/v@s
t zfs send -i cona/g/c@one cona/g/o@s
r $D/full zfs receive -u -s conb/g/o
r $D/full zfs receive -u -s conb/g/again
q zfs snapshot conb/g/o@other
t zfs get -H -o value origin conb/g/o
r $D/cl zfs receive -u -s -o readonly=on -o canmount=noauto -o com.example:a=b -x mountpoint -x sharenfs -o origin=conb/g/o@s conb/g/c@one
origins conb/g
t zfs get -H -o property,value,source readonly,canmount,com.example:a,mountpoint conb/g/c
r $D/inc zfs receive -u -s conb/g/c@two
r $D/cl2 zfs receive -u -s -x encryption -o origin=conb/g/again@s conb/g/c2@two
r $D/cl zfs receive -u -s -o origin=conb/g/o@other conb/g/c3@one
r $D/cl zfs receive -u -s -o origin=conb/g/o@nope conb/g/c3@one
r $D/cl zfs receive -u -s -o origin=conb/g/o@s conb/g/c@three
r $D/cl zfs receive -u -s -F -o origin=conb/g/o@s conb/g/again@three
q zfs create -o mountpoint=none -o canmount=off conb/g/place
r $D/cl zfs receive -u -s -F -o origin=conb/g/o@s conb/g/place@one
origins conb/g
t zfs destroy conb/g/o@s
t zfs destroy conb/g/o
t zfs rename conb/g/o conb/g/o2
origins conb/g
t zfs rename conb/g/o2 conb/g/o
cutfile $D/cl $D/cut
r $D/cut zfs receive -u -s -o readonly=on -o origin=conb/g/o@s conb/g/d@one
origins conb/g/d
t zfs get -H -o value receive_resume_token conb/g/d
u sh -c "zfs get -H -o value clones conb/g/o@s | tr , ' ' | xargs -n 1"
t zfs destroy conb/g/o@s
t zfs send -nvt $(token conb/g/d)
s $D/rest zfs send -t $(token conb/g/d)
q zfs-forge edit $D/rest $D/flags addflags=1
t cmp $D/rest $D/flags
r $D/rest zfs receive -u -s -o readonly=on -o origin=conb/g/o@s conb/g/d@one
origins conb/g/d
r $D/inc zfs receive -u -s conb/g/d@two
r $D/cut zfs receive -u -s -o origin=conb/g/o@s conb/g/e@one
t zfs receive -A conb/g/e
u sh -c "zfs get -H -o value clones conb/g/o@s | tr , ' ' | xargs -n 1"
origins conb/g/e
s $D/vfull zfs send cona/g/v@s
s $D/vcl zfs send -i cona/g/v@s cona/g/w@one
r $D/vfull zfs receive -u -s -o volmode=none conb/g/v
r $D/vcl zfs receive -u -s -o volmode=none -o snapdev=hidden -x snapdev -o origin=conb/g/v@s conb/g/w@one
r $D/vcl zfs receive -u -s -o volmode=none -o snapdev=hidden -o origin=conb/g/v@s conb/g/w@one
origins conb/g/v conb/g/w
q zfs promote cona/g/c
s $D/cl3 zfs send -i cona/g/c@s cona/g/c@two
r $D/cl3 zfs receive -u -s -o origin=conb/g/o@s conb/g/p@two
origins conb/g/p
fresh_pools # the sections to come list trees, whose order is a hash table's: none of these may be in them
