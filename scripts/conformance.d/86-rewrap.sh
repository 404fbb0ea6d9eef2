section keys that a raw stream changes
printf 11111111111111111111111111111111 >$D/pass
printf 22222222222222222222222222222222 >$D/pass2
printf 33333333333333333333333333333333 >$D/pass3
E="-o encryption=aes-256-gcm -o keyformat=raw"
roots() { t zfs get -H -o name,property,value -r -t filesystem encryptionroot,keystatus,keylocation "$@"; }
snaps() { t zfs list -H -t snapshot -o name -r "$@"; }
q zfs create conb/w
q zfs create $E -o keylocation=file://$D/pass cona/w
q zfs create cona/w/a
q zfs snapshot -r cona/w@one
for name in two three four; do
    echo $name >$D/mnt/cona/w/a/file
    q zfs snapshot -r cona/w@$name
done
zfs send -w cona/w/a@one >$D/a-one
zfs send -w cona/w@one >$D/raw-one
for pair in one:two two:three three:four; do
    zfs send -w -i @${pair%:*} cona/w/a@${pair#*:} >$D/a-${pair%:*}-${pair#*:}
done
q zfs create $E -o keylocation=file://$D/pass2 conb/w/mine
r $D/a-one zfs receive -u conb/w/mine/a
r $D/raw-one zfs receive -u conb/w/mine/top
t zfs load-key -L file://$D/pass conb/w/mine/a
t zfs change-key -i conb/w/mine/a
roots conb/w/mine
t zfs mount conb/w/mine/a
t zfs unmount conb/w/mine/a
r $D/a-one-two zfs receive -uF conb/w/mine/a
roots conb/w/mine
t zfs mount conb/w/mine/a
t zfs unmount conb/w/mine/a
q zfs unmount -f conb/w/mine
t zfs unload-key conb/w/mine
t zfs load-key conb/w/mine
roots conb/w/mine
t zfs mount conb/w/mine/a
r $D/a-two-three zfs receive -uF conb/w/mine/a
snaps conb/w/mine/a
t zfs mount conb/w/mine/a
s $D/null zfs send conb/w/mine/a@two
s $D/null zfs send -w conb/w/mine/a@two
t zfs destroy -r conb/w/mine/a
