section names too long
q zfs create -p cona/a
q zfs snapshot cona/a@one
x=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz
t zfs create cona/$x$x$x
t zfs create cona/$x$x${x%??????????????????????????????????????????????????????????}
t zfs snapshot cona/a@$x$x$x
t zfs bookmark cona/a@one cona/a#$x$x$x
t zfs list cona/$x$x$x
t zfs create cona/$x$x
t zfs snapshot cona/$x$x@$x
t zfs rename cona/a cona/$x$x$x
long=${x}${x}abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz
t zfs hold $long cona/a@one
t zfs release $long cona/a@one
section resumed over a placeholder
q zfs create -p cona/m
q zfs create conb/m
dd if=/dev/urandom bs=1k count=1024 of=$D/mnt/cona/m/data 2>/dev/null
q zfs snapshot cona/m@one
s $D/full zfs send cona/m@one
cutfile $D/full $D/cut
q zfs create -o mountpoint=none -o our:placeholder=on conb/m/p
q zfs create conb/m/p/kid
r $D/cut zfs receive -s -uF conb/m/p
t zfs list -H -t all -o name -r conb/m/p
s $D/rest zfs send -t $(token conb/m/p)
r $D/rest zfs receive -s -u conb/m/p
r $D/rest zfs receive -s -uF conb/m/p
t zfs list -H -t all -o name -r conb/m/p
t zfs get -H -o value our:placeholder conb/m/p
q zfs create conb/m/p2
r $D/cut zfs receive -s -uF conb/m/p2
t zfs snapshot conb/m/p2@x
t zfs destroy -r conb/m/p2
section renames and -R with -F
q zfs create -p cona/t/kid/sub
q zfs snapshot -r cona/t@one
s $D/tree zfs send -R cona/t@one
r $D/tree zfs receive -u conb/t
q zfs rename cona/t/kid cona/t/new
q zfs snapshot -r cona/t@two
s $D/tree2 zfs send -R -I @one cona/t@two
r $D/tree2 zfs receive -uF conb/t
t zfs list -H -t all -o name -r conb/t
q zfs rename -r cona/t@two cona/t@deux
q zfs destroy -r cona/t@one
q zfs snapshot -r cona/t@three
s $D/tree3 zfs send -R -I @deux cona/t@three
r $D/tree3 zfs receive -uF conb/t
t zfs list -H -t all -o name -r conb/t
r $D/tree3 zfs receive -u conb/t
q zfs destroy -r conb/t@three
r $D/tree3 zfs receive -u conb/t
t zfs list -H -t all -o name -r conb/t
section properties on the way
q zfs create -o user:a=1 -o compression=off cona/w
q zfs snapshot cona/w@one
q zfs snapshot cona/w@two
s $D/w zfs send -p cona/w@one
r $D/w zfs receive -u -o user:b=2 -x user:a conb/w
t zfs get -H -o property,value,received,source user:a,user:b,compression conb/w
s $D/w2 zfs send -i @one cona/w@two
r $D/w2 zfs receive -u -o user:b=3 -o user:c=4 conb/w
t zfs get -H -o property,value,received,source user:a,user:b,user:c conb/w
q zfs snapshot cona/w@three
q zfs set user:a=changed cona/w
s $D/w3 zfs send -p -i @two cona/w@three
r $D/w3 zfs receive -u conb/w
t zfs get -H -o property,value,received,source user:a,user:b,user:c conb/w
t zfs send -nvP -p -i @two cona/w@three
t zfs send -nv -R cona/w@nope
t zfs send -nv -w cona/w@three
t zfs send -nvP -c -e -L cona/w@three
section a full pool
truncate -s 64M $D/small.img
q zpool create -f -R $D/mnt cons $D/small.img
q zfs create cona/big
dd if=/dev/urandom bs=1024k count=80 of=$D/mnt/cona/big/data 2>/dev/null
q zfs snapshot cona/big@one
s $D/big zfs send cona/big@one
r $D/big zfs receive -u cons/big
t zfs list -H -o name cons/big
r $D/big zfs receive -s -u cons/big
q zpool destroy cons
q zfs create -o quota=20M conb/quota
r $D/big zfs receive -u conb/quota/big
t zfs list -H -o name -r conb/quota
section destroying trees
q zfs create -p cona/g/kid
q zfs snapshot -r cona/g@one
t zfs destroy -nvr cona/g
t zfs destroy -nvpr cona/g
t zfs destroy -vr cona/g@one
q zfs snapshot -r cona/g@two
t zfs destroy -vr cona/g
t zfs list -H -t all -o name -r cona/g
