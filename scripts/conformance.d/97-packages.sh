section properties and packages
q zfs create -p cona/i/kid
q zfs create conb/i
q zfs create cona/i/p
q zfs set quota=20M user:a=1 compression=gzip recordsize=32K atime=off cona/i/p
q zfs snapshot cona/i/p@one
q zfs set user:a=2 quota=30M cona/i/p
q zfs snapshot cona/i/p@two
q zfs inherit user:a cona/i/p
q zfs snapshot cona/i/p@three
X="-x quota -x user:a -x atime -x mountpoint"
vals() { t zfs get -Hp -o property,value,received,source quota,user:a,compression,recordsize,atime "$@"; }
zfs send -p cona/i/p@one >$D/p1
zfs send -p -i @one cona/i/p@two >$D/p2
zfs send -p -i @two cona/i/p@three >$D/p3
r $D/p1 zfs receive -u $X conb/i/p
vals conb/i/p
r $D/p2 zfs receive -u $X conb/i/p
vals conb/i/p
r $D/p3 zfs receive -u $X conb/i/p
vals conb/i/p
r $D/p1 zfs receive -u -o quota=10M -o user:a=9 -x mountpoint conb/i/p2
vals conb/i/p2
r $D/p2 zfs receive -u -x mountpoint conb/i/p2
vals conb/i/p2
r $D/p3 zfs receive -u -x mountpoint -x compression -o atime=on conb/i/p2
vals conb/i/p2
section volumes and reservations
t zfs create -V 8M cona/i/v1
t zfs create -s -V 8M cona/i/v2
t zfs create -V 8M -o refreservation=none cona/i/v3
t zfs create -V 8M -o volblocksize=4k cona/i/v4
t zfs get -H -o name,property,source refreservation cona/i/v1 cona/i/v2 cona/i/v3
t zfs get -Hp -o name,value volsize,volblocksize cona/i/v1 cona/i/v4
t sh -c "[ $(zfs get -Hp -o value refreservation cona/i/v1) -gt 8388608 ]"
t zfs get -Hp -o value refreservation cona/i/v2
t zfs get -Hp -o value refreservation cona/i/v3
t zfs set refreservation=auto cona/i/v2
t sh -c "[ $(zfs get -Hp -o value refreservation cona/i/v2) = $(zfs get -Hp -o value refreservation cona/i/v1) ]"
t zfs set refreservation=none cona/i/v2
t zfs set refreservation=4M cona/i/v2
t zfs get -Hp -o value refreservation cona/i/v2
t zfs set volsize=16M cona/i/v1
t sh -c "[ $(zfs get -Hp -o value refreservation cona/i/v1) -gt 16777216 ]"
t zfs set refreservation=auto cona/i/kid
section acltype
t zfs create -o acltype=posixacl cona/i/acl
t zfs get -H -o value,source acltype cona/i/acl
t zfs set acltype=posix cona/i/acl
t zfs get -H -o value,source acltype cona/i/acl
t zfs set acltype=noacl cona/i/acl
t zfs get -H -o value,source acltype cona/i/acl
t zfs set acltype=nfsv4 cona/i/acl
t zfs get -H -o value,source acltype cona/i/acl
t zfs set acltype=nonsense cona/i/acl
section holds of many
q zfs create -p cona/h/a/b
q zfs create cona/h/c
q zfs snapshot -r cona/h@one
q zfs snapshot -r cona/h@two
t zfs hold -r tag cona/h@one
t zfs holds -H cona/h@one cona/h/a@one cona/h/c@one cona/h/c@two >/dev/null
t sh -c "zfs holds -H cona/h@one cona/h/a@one cona/h/a/b@one cona/h/c@one cona/h@two | cut -f1,2"
t sh -c "zfs holds -rH cona/h@one | cut -f1,2 | sort"
t sh -c "zfs holds -rH cona/h@one cona/h@two | cut -f1,2 | sort"
t zfs holds -H cona/h@two
t zfs holds -H cona/h@nope
t zfs holds -H cona/nope@one
t sh -c "zfs holds -H cona/h@one cona/h@nope cona/h/c@one | cut -f1,2"
t zfs hold -r tag cona/h@one
t zfs hold -r tag cona/h@two cona/h@one
t sh -c "zfs holds -rH cona/h@two | cut -f1,2 | sort"
t zfs release tag cona/h/a@one
t zfs hold -r tag cona/h@one
t zfs release -r tag cona/h@one
t sh -c "zfs holds -rH cona/h@one | cut -f1,2 | sort"
t zfs release -r tag cona/h@one
t zfs release -r tag cona/h@nope
t zfs hold -r tag cona/h@nope
t zfs hold tag cona/h@one cona/h/a@one cona/h/nope@one cona/h/c@one
t sh -c "zfs holds -rH cona/h@one | cut -f1,2 | sort"
t zfs release tag cona/h@one cona/h/a/b@one cona/h/a@one cona/h/c@one
t sh -c "zfs holds -rH cona/h@one | cut -f1,2 | sort"
q zfs destroy cona/h/c@two
t zfs hold -r tag2 cona/h@two
t sh -c "zfs holds -rH cona/h@two | cut -f1,2 | sort"
t zfs destroy -d cona/h/a@two
t zfs get -H -o value defer_destroy cona/h/a@two
t zfs release -r tag2 cona/h@two
t zfs list -H -t snapshot -o name -r cona/h
section a full pool
q truncate -s 80M $D/s.img
q zpool create -R $D/mnt cons $D/s.img
q zfs create cona/i/big
dd if=/dev/urandom of=$D/mnt/cona/i/big/one bs=1M count=30 2>/dev/null
q zfs snapshot cona/i/big@one
dd if=/dev/urandom of=$D/mnt/cona/i/big/two bs=1M count=60 2>/dev/null
q zfs snapshot cona/i/big@two
zfs send cona/i/big@one >$D/big1
zfs send -i @one cona/i/big@two >$D/big2
r $D/big1 zfs receive -s -u cons/big
zfs receive -s -u cons/big <$D/big2 >$D/.full 2>&1
t sh -c "sed 's/zfs send -t .*//' $D/.full"
t sh -c "zfs get -H -o value receive_resume_token cons/big | cut -c1-2"
t zfs list -H -t all -o name -r cons
t zfs receive -A cons/big
t zfs get -H -o value receive_resume_token cons/big
t zfs list -H -t all -o name -r cons
r $D/big2 zfs receive -u cons/big
t zfs list -H -t all -o name -r cons
q zpool destroy cons
section two pools of one name
zfs list conb/i >/dev/null 2>&1 || q zfs create conb/i
t zpool export conb
t zpool create -R $D/mnt conb $D/c.img
t zpool export conb
t sh -c "zpool import -d $D | grep -c 'pool: conb'"
t zpool import -d $D -R $D/mnt conb
one=$(zpool import -d $D 2>/dev/null | awk '$1 == "id:" {print $2; exit}')
for id in $(zpool import -d $D 2>/dev/null | awk '$1 == "id:" {print $2}'); do
    q zpool import -d $D -R $D/mnt $id
    zfs list conb/i >/dev/null 2>&1 && break
    q zpool export conb
done
t zfs list -H -o name conb/i
t zpool create -R $D/mnt conb $D/c.img
t sh -c "zpool import -d $D -R $D/mnt $(zpool import -d $D 2>/dev/null | awk '$1 == "id:" {print $2; exit}') other"
t zfs list -H -o name other
t zpool destroy other
