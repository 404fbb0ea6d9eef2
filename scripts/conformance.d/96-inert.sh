fresh_pools
section properties of copies
q zfs create -p cona/i/kid
q zfs create -V 4M cona/i/vol
echo data >$D/mnt/cona/i/file
q zfs snapshot -r cona/i@one
q zfs create conb/i
zfs send cona/i@one >$D/fs
zfs send cona/i/vol@one >$D/vol
I="-o readonly=on -o canmount=noauto -o setuid=off -o devices=off -o exec=off"
t zfs get -H -o name,property,value,source snapdev,volmode,setuid,devices,exec,canmount,readonly cona/i cona/i/vol
for p in setuid=off devices=off exec=off canmount=noauto snapdir=visible atime=off acltype=posixacl; do t zfs set $p cona/i/vol; done
for p in volmode=none snapdev=visible volsize=8M volblocksize=8k refreservation=none; do t zfs set $p cona/i/kid; done
t zfs get -H -o property,value,source volmode,snapdev cona/i/kid cona/i/vol
t zfs set volmode=nonsense cona/i/vol
t zfs set snapdev=nonsense cona/i/vol
t zfs set canmount=nonsense cona/i/kid
t zfs set setuid=nonsense cona/i/kid
t zfs inherit canmount cona/i/kid
t zfs inherit volmode cona/i/kid
t zfs inherit snapdev cona/i/kid
t zfs set volmode=none cona/i
t zfs set snapdev=visible cona/i
t zfs set exec=off cona/i
t zfs get -H -o name,property,value,source -r snapdev,volmode,setuid,devices,exec,canmount cona/i
t zfs inherit -r snapdev cona/i
r $D/fs zfs receive -u $I conb/i/fs
t zfs get -H -o property,value,received,source canmount,setuid,devices,exec,readonly,mounted conb/i/fs
r $D/fs zfs receive $I conb/i/mounts
t zfs get -H -o value mounted conb/i/mounts
r $D/vol zfs receive -u -o volmode=none -o snapdev=hidden -o readonly=on conb/i/vol
t zfs get -H -o property,value,source volmode,snapdev,readonly,volsize,refreservation conb/i/vol
r $D/vol zfs receive -u -o canmount=noauto conb/i/vol2
r $D/vol zfs receive -u -o exec=off conb/i/vol2
r $D/vol zfs receive -u -x canmount -x exec conb/i/vol2
r $D/fs zfs receive -u -o volmode=none -o snapdev=hidden conb/i/fs2
r $D/fs zfs receive -u -o volblocksize=8k conb/i/fs3
r $D/fs zfs receive -u -o canmount=nonsense conb/i/fs4
r $D/fs zfs receive -u -o recordsize=5 conb/i/fs4
t zfs list -H -o name -r conb/i
t zfs mount -a
t zfs get -H -o name,value -r mounted conb/i
t zfs mount conb/i/fs
t zfs get -H -o value mounted conb/i/fs
t ls $D/mnt/conb/i/fs
t zfs create conb/i/fs/below
t zfs get -H -o value mounted conb/i/fs/below
t zfs create -u conb/i/fs/below2
t zfs mount conb/i/fs/below2
t zfs create -p conb/i/fs/below3/deep
r $D/fs zfs receive conb/i/fs/below4
t zfs list -H -o name,mounted -r conb/i/fs
t zfs destroy -r conb/i/fs/below
t zfs destroy -r conb/i/fs/below2
t zfs destroy -r conb/i/fs/below3
t zfs destroy -r conb/i/fs/below4
t zfs unmount conb/i/fs
t zfs mount conb/i/mounts
t zpool export conb
t zpool import -d $D -R $D/mnt conb
t zfs get -H -o name,value -r mounted conb/i
t zfs mount -a
t zfs get -H -o name,value -r mounted conb/i
t zfs get -H -o name,property,value,source canmount,readonly,volmode conb/i/fs conb/i/vol
section pools that are read-only
t zpool export conb
t zpool import -d $D -R $D/mnt -o readonly=on conb
t zpool get -H -o value readonly conb
t zfs create conb/i/new
t zfs snapshot conb/i@new
t zfs destroy conb/i/fs2
t zfs set atime=off conb/i
t zfs inherit atime conb/i
t zfs hold tag conb/i/fs@one
t zfs bookmark conb/i/fs@one conb/i/fs#mark
t zfs rename conb/i/fs2 conb/i/fs9
t zfs rollback conb/i/fs@one
t zfs clone conb/i/fs@one conb/i/clone
r $D/fs zfs receive -u conb/i/fs9
t zfs get -H -o property,value,source readonly conb/i conb/i/fs2
t zfs list -H -o name -r conb/i
t zpool export conb
t zpool import -d $D -R $D/mnt conb
