fresh_pools
section files of snapshots
q zfs create cona/f
echo one >$D/mnt/cona/f/file
q zfs snapshot cona/f@one
echo two >$D/mnt/cona/f/file
q zfs snapshot cona/f@two
zfs send -R cona/f@two >$D/both
r $D/both zfs receive -u -o canmount=noauto conb/f
t ls $D/mnt/cona/f/.zfs/snapshot
q mkdir $D/look
for snapshot in cona/f@one conb/f@one conb/f@two; do
    t mount -t zfs -o ro,nosuid,nodev,noexec $snapshot $D/look
    t cat $D/look/file
    t zfs get -H -o name,value mounted conb/f
    t umount $D/look
    t ls $D/look
done
t zfs get -H -o name,value canmount,readonly,mounted conb/f
