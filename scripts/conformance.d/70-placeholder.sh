section placeholders
q zfs create -p cona/h/kid
echo a >$D/mnt/cona/h/file
q zfs snapshot -r cona/h@one
q zfs snapshot -r cona/h@two
q zfs create -o mountpoint=none -o canmount=off -o our:placeholder=on conb/h
q zfs create conb/h/kid
s $D/full zfs send cona/h@one
s $D/inc zfs send -i @one cona/h@two
s $D/compound zfs send -p cona/h@one
r $D/full zfs receive -u conb/h
r $D/full zfs receive -uF -x mountpoint -o readonly=on conb/h
t zfs list -H -t all -o name -r conb/h
t zfs get -H -o property,value,source our:placeholder,mountpoint,canmount,readonly conb/h
t zfs inherit our:placeholder conb/h
r $D/inc zfs receive -u conb/h
q zfs create conb/h2
r $D/compound zfs receive -uF conb/h2
t zfs list -H -t all -o name -r conb/h2
q zfs create -p conb/h3/kid
t zfs snapshot conb/h3@mine
r $D/full zfs receive -uF conb/h3
t zfs destroy -r conb/h3@mine
r $D/full zfs receive -uF conb/h3
q zfs create -V 8M conb/hv
r $D/full zfs receive -uF conb/hv
q zfs snapshot conb/h3/kid@x
q zfs clone conb/h3/kid@x conb/hc
r $D/full zfs receive -uF conb/hc
section large blocks
q zfs create -o recordsize=1M cona/l
dd if=/dev/urandom bs=1024k count=2 of=$D/mnt/cona/l/big 2>/dev/null
q zfs snapshot cona/l@one
dd if=/dev/urandom bs=1024k count=2 of=$D/mnt/cona/l/big2 2>/dev/null
q zfs snapshot cona/l@two
s $D/large zfs send -L cona/l@one
s $D/small zfs send cona/l@one
s $D/large2 zfs send -L -i @one cona/l@two
s $D/small2 zfs send -i @one cona/l@two
r $D/large zfs receive -u conb/large
r $D/small2 zfs receive -u conb/large
r $D/large2 zfs receive -u conb/large
r $D/small zfs receive -u conb/small
r $D/large2 zfs receive -u conb/small
r $D/small2 zfs receive -u conb/small
section many names
t zpool list -H -o name
t zpool list -H -o name,health,altroot cona
t zpool list nopool
t zpool list -H -o nonsense
t zpool get -H -o name,property,value,source readonly cona
t zpool get -H -o value altroot,health,listsnapshots cona
t zpool get nonsense cona
t zpool get readonly nopool
t zpool get
t zpool create cona $D/c.img
t zpool create 1bad $D/c.img
t zpool create mirror $D/c.img
t zpool create conc
t zpool create conc $D/missing.img
t zpool create conc $D/a.img
t zpool create
t zpool destroy nopool
t zpool destroy
t zpool export nopool
t zpool create -R $D/mnt -O canmount=off -O user:x=1 conc $D/c.img
t zfs get -H -o property,value,source canmount,user:x,mounted conc
t zpool export conc
t zfs list conc
t zpool import -d $D nopool
t zpool import -d $D -R $D/mnt conc
t zfs list -H -o name conc
t zpool import -d $D conc
t zpool destroy conc
t zpool list -H -o name conc
