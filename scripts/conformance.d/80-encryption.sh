section encryption
q zfs create cona/unenc
echo password1 >$D/pass
echo password2 >$D/pass2
echo short >$D/passshort
K="-o encryption=aes-256-gcm -o keyformat=passphrase -o pbkdf2iters=100000"
t zfs create $K -o keylocation=file://$D/pass cona/e
t zfs create -o encryption=on cona/e2
t zfs create -o keyformat=passphrase cona/e2
t zfs create -o encryption=off -o keyformat=passphrase cona/e2
t zfs create $K -o keylocation=file://$D/nope cona/e2
t zfs create $K -o keylocation=file://$D/passshort cona/e2
t zfs create cona/e/kid
t zfs create -o encryption=off cona/e/plain
t zfs get -H -o name,property,value encryption,keyformat,keystatus,encryptionroot cona/e cona/e/kid cona/e/plain
echo secret >$D/mnt/cona/e/file
q zfs snapshot -r cona/e@one
echo secret2 >$D/mnt/cona/e/file
q zfs snapshot -r cona/e@two
q zfs create conb/e
s $D/raw zfs send -w cona/e@one
s $D/rawinc zfs send -w -i @one cona/e@two
s $D/plain zfs send cona/e@one
s $D/plaininc zfs send -i @one cona/e@two
s $D/null zfs send -p cona/e@one
s $D/null zfs send -R cona/e@one
t zfs unload-key cona/e
t zfs unmount cona/e
t zfs unload-key cona/e
t zfs unload-key cona/e
t zfs get -H -o name,value keystatus cona/e cona/e/kid
t zfs mount cona/e
t zfs create cona/e/new
s $D/null zfs send cona/e@one
s $D/raw zfs send -w cona/e@one
t zfs snapshot cona/e@locked
t zfs destroy cona/e@locked
r $D/pass2 zfs load-key -L prompt cona/e
t zfs load-key cona/e/kid
t zfs load-key cona/e
t zfs load-key cona/e
t zfs load-key cona/nope
t zfs load-key cona/unenc
t zfs get -H -o value keystatus cona/e
r $D/raw zfs receive -u conb/e/raw
t zfs get -H -o property,value encryption,keystatus,keylocation,keyformat conb/e/raw
t zfs get -H -o value encryptionroot conb/e/raw
r $D/rawinc zfs receive -u conb/e/raw
r $D/plaininc zfs receive -u conb/e/raw
t zfs mount conb/e/raw
r $D/pass zfs load-key conb/e/raw
t zfs get -H -o value keystatus conb/e/raw
r $D/plain zfs receive -u conb/e/plain
t zfs get -H -o value encryption conb/e/plain
r $D/rawinc zfs receive -u conb/e/plain
r $D/raw zfs receive -u -x encryption conb/e/raw2
q zfs create conb/e/over
r $D/raw zfs receive -uF conb/e/over
q zfs create $K -o keylocation=file://$D/pass conb/enc
r $D/plain zfs receive -u conb/enc/child
t zfs get -H -o value encryption,encryptionroot conb/enc/child
q zfs create conb/enc/over
r $D/plain zfs receive -uF conb/enc/over
r $D/raw zfs receive -uF conb/enc/over
t zfs destroy conb/e/raw@two
q zfs unload-key conb/e/raw
r $D/plaininc zfs receive -u conb/e/raw
q zfs unmount -f conb/enc
t zfs unload-key -r conb/enc
r $D/plain zfs receive -u conb/enc/locked
r $D/raw zfs receive -u conb/enc/rawlocked
r $D/plain zfs receive -u -o encryption=off conb/enc/off
t zfs change-key -o keyformat=passphrase cona/unenc
t zfs load-key
t zfs unload-key cona/nope
section allow
t zfs allow everyone send,hold cona/e
t zfs allow cona/e
t zfs allow -u root create,mount cona/e
t zfs allow cona/e
t zfs unallow everyone hold cona/e
t zfs allow cona/e
t zfs allow everyone nonsense cona/e
t zfs allow everyone send cona/nope
t zfs unallow everyone cona/e
t zfs unallow -u root cona/e
t zfs allow cona/e
