fresh_pools
section encryption roots
# Raw keys cost no derivation, which takes seconds where the machine is emulated.
printf 11111111111111111111111111111111 >$D/pass
printf 22222222222222222222222222222222 >$D/pass2
printf 33333333333333333333333333333333 >$D/pass3
printf 4444 >$D/short
P="-o keyformat=raw"
E="-o encryption=aes-256-gcm $P"
roots() { t zfs get -H -o name,property,value -r encryptionroot,keystatus,keylocation "$@"; }
snaps() { t zfs list -H -t snapshot -o name -r "$@"; }
q zfs create conb/k
q zfs create $E -o keylocation=file://$D/pass cona/k
q zfs create cona/k/a
q zfs create cona/k/a/b
t zfs create $E -o keylocation=file://$D/pass2 cona/k/own
q zfs create cona/k/own/kid
t zfs create -o encryption=off cona/k/plain
t zfs create -o encryption=aes-128-ccm cona/k/other
t zfs create -o encryption=aes-128-ccm -o keyformat=raw cona/k/none
t zfs create $E -o keylocation=prompt cona/k/none
t zfs create -o keylocation=file://$D/pass cona/k/none
t zfs create $P cona/k/none
t zfs create $E -o keylocation=file://$D/short cona/k/none
t zfs create -o encryption=on -o keyformat=hex -o keylocation=file://$D/pass cona/k/none
t zfs create -o encryption=on -o keyformat=passphrase -o pbkdf2iters=1 -o keylocation=file://$D/pass cona/k/none
t zfs create -o encryption=on -o keyformat=raw -o pbkdf2iters=100000 -o keylocation=file://$D/pass cona/k/none
t zfs create -V 4M cona/k/vol
roots cona/k
t zfs get -H -o name,property,value,source encryption,keyformat,pbkdf2iters cona/k cona/k/a cona/k/own cona/k/other cona/k/plain
t zfs set keylocation=file://$D/pass3 cona/k/a
t zfs set keylocation=prompt cona/k/own
t zfs get -H -o value,source keylocation cona/k/own
t zfs set keylocation=file://$D/pass2 cona/k/own
t zfs set keylocation=nonsense cona/k/own
t zfs set keylocation=none cona/k/own
t zfs set keylocation=file://$D/pass cona/k/plain
t zfs set encryption=off cona/k/a
t zfs set keyformat=raw cona/k/a
t zfs inherit encryption cona/k/a
t zfs inherit keylocation cona/k/own
t zfs snapshot -r cona/k@one
t zfs get -H -o property,value encryption,keystatus,encryptionroot,keylocation cona/k@one
section key changes
r $D/pass3 zfs change-key -o keylocation=prompt cona/k/own
t zfs get -H -o value keylocation cona/k/own
t zfs change-key -o keylocation=file://$D/pass2 cona/k/own
t zfs change-key -l cona/k/own
t zfs change-key -i cona/k/own
roots cona/k/own
t zfs change-key -i cona/k/own
t zfs change-key -i cona/k
t zfs change-key -i cona/k/plain
t zfs change-key -i cona/nope
t zfs change-key cona/k/plain
t zfs change-key -o encryption=off cona/k/a
t zfs change-key -o keylocation=file://$D/pass3 cona/k/a
t zfs change-key -o keyformat=raw -o keylocation=file://$D/pass3 cona/k/a
roots cona/k/a
t zfs change-key -o keyformat=hex cona/k/a
t zfs change-key -o keylocation=file://$D/short cona/k/a
t zfs change-key -o keyformat=nonsense cona/k/a
t zfs change-key -o pbkdf2iters=1 cona/k/a
t zfs change-key -o nonsense=1 cona/k/a
t zfs change-key -i -o keyformat=raw cona/k/a
t zfs change-key -o keylocation=file://$D/nope cona/k/a
t zfs change-key
t zfs change-key cona/k/a cona/k
t zfs change-key cona/k@one
t zfs change-key -i cona/k/a/b
t zfs change-key -i cona/k/a
roots cona/k
q zfs unmount -f cona/k
t zfs unload-key cona/k
t zfs change-key -i cona/k/a
t zfs change-key -o keyformat=raw -o keylocation=file://$D/pass3 cona/k/a
t zfs change-key -l cona/k
roots cona/k
q zfs mount -a
section loading keys
q zfs unmount -f cona/k
t zfs load-key -n cona/k
t zfs load-key -n -L file://$D/pass2 cona/k
t zfs load-key -L file://$D/nope cona/k
t zfs unload-key -r cona/k
t zfs load-key -L file://$D/pass2 cona/k
t zfs load-key -n cona/k
t zfs get -H -o value keystatus cona/k
t zfs load-key -r cona/k
t zfs load-key -a
t zfs unload-key cona/k/a
t zfs load-key cona/k/plain
t zfs load-key cona/k@one
t zfs unload-key -a
t zfs mount cona/k
t zfs mount -l cona/k
t zfs get -H -o value mounted,keystatus cona/k
t zfs mount cona/k/a
t zfs unmount cona/k/a
t zfs unload-key cona/k
q zfs unmount -f cona/k
t zfs unload-key cona/k
t zfs mount -a
t zfs snapshot cona/k@locked
t zfs rename cona/k@locked cona/k@shut
t zfs destroy cona/k@shut
t zfs create cona/k/new
t zfs create $E -o keylocation=file://$D/pass cona/k/new
t zfs create -o encryption=off cona/k/new
t zfs clone cona/k@one cona/k/clone
t zfs clone cona/k@one cona/clone
t zfs rollback cona/k@one
t zfs set compression=off cona/k
t zfs set mountpoint=none cona/k/a/b
t zfs rename cona/k/a/b cona/k/b
t zfs rename cona/k/b cona/b
t zfs destroy cona/k/b
q zfs destroy -r cona/k/new
q zfs destroy -r cona/k/clone
q zfs destroy -r cona/clone
t zfs load-key cona/k
q zfs mount -a
section renames and roots
t zfs rename cona/k/a cona/a
t zfs rename cona/k/own cona/own
t zfs change-key -o keyformat=raw -o keylocation=file://$D/pass2 cona/k/own
t zfs rename cona/k/own cona/own
t zfs change-key -i cona/own
t zfs rename cona/own cona/k/own
t zfs change-key -i cona/k/own
t zfs clone cona/k/a@one cona/k/clone
t zfs clone cona/k/a@one cona/clone
roots cona/k/clone
t zfs promote cona/k/clone
roots cona/k/clone
t zfs change-key -o keyformat=raw -o keylocation=file://$D/pass2 cona/k/a
roots cona/k/a cona/k/clone
t zfs change-key -i cona/k/a
q zfs promote cona/k/a
q zfs destroy -r cona/clone
t zfs destroy -r cona/k/clone
section raw copies
echo more >$D/mnt/cona/k/more
q zfs snapshot -r cona/k@two
echo again >$D/mnt/cona/k/more
q zfs snapshot -r cona/k@three
q zfs snapshot -r cona/k@four
q zfs snapshot -r cona/k@five
for pair in one:two two:three three:four four:five one:three; do
    zfs send -w -i @${pair%:*} cona/k@${pair#*:} >$D/raw-${pair%:*}-${pair#*:}
    zfs send -w -i @${pair%:*} cona/k/a@${pair#*:} >$D/a-${pair%:*}-${pair#*:}
done
zfs send -w cona/k@one >$D/raw-one
zfs send -w cona/k/a@one >$D/a-one
zfs send -w -R cona/k@two >$D/tree
zfs send -w -R -I @two cona/k@three >$D/tree-three
r $D/raw-one zfs receive -u conb/k/top
r $D/a-one zfs receive -u conb/k/top/a
r $D/a-one zfs receive -u conb/k/alone
roots conb/k
t zfs get -H -o name,property,value,source encryption,keyformat,pbkdf2iters,keylocation conb/k/top conb/k/top/a
r $D/raw-one-three zfs receive -u conb/k/top
snaps conb/k/top
r $D/a-one-two zfs receive -u conb/k/top/a
t zfs snapshot conb/k/top/a@foreign
t zfs get -Hp -o value written,written@two conb/k/top/a
r $D/a-two-three zfs receive -u conb/k/top/a
r $D/a-two-three zfs receive -uF conb/k/top/a
snaps conb/k/top/a
t zfs load-key conb/k/top
t zfs load-key -L file://$D/pass2 conb/k/top
t zfs load-key -L file://$D/pass conb/k/top
t zfs change-key -i conb/k/top/a
t zfs load-key -L file://$D/pass conb/k/top/a
t zfs change-key -i conb/k/top/a
roots conb/k/top
r $D/a-three-four zfs receive -u conb/k/top/a
roots conb/k/top
snaps conb/k/top/a
t zfs mount conb/k/top/a
t ls $D/mnt/conb/k/top/a
t zfs unmount conb/k/top/a
t zfs unload-key conb/k/top
t zfs load-key -L file://$D/pass conb/k/top
t zfs mount conb/k/top/a
q zfs unmount conb/k/top/a
r $D/a-four-five zfs receive -u conb/k/top/a
roots conb/k/top
t zfs unload-key conb/k/top
t zfs load-key -L file://$D/pass conb/k/top/a
r $D/a-one-two zfs receive -u conb/k/alone
t zfs load-key -L file://$D/pass conb/k/alone
t zfs change-key -o keylocation=file://$D/pass2 conb/k/alone
r $D/a-two-three zfs receive -u conb/k/alone
roots conb/k/alone
t zfs unload-key conb/k/alone
t zfs load-key -L file://$D/pass2 conb/k/alone
t zfs load-key -L file://$D/pass conb/k/alone
section raw trees
r $D/tree zfs receive -u conb/k/tree
roots conb/k/tree
snaps conb/k/tree
r $D/tree-three zfs receive -u conb/k/tree
roots conb/k/tree
t zfs load-key -r conb/k/tree
t zfs load-key -L file://$D/pass conb/k/tree
t zfs get -H -o name,value -r keystatus conb/k/tree
r $D/tree zfs receive -u -d conb/k
t zfs list -H -o name -r conb/k
section plain streams and encryption
t zfs load-key -r cona/k
zfs send cona/k/a@one >$D/plain
zfs send -i @one cona/k/a@two >$D/plain-two
s $D/null zfs send -e cona/k/a@one
s $D/null zfs send -c cona/k/a@one
s $D/null zfs send -p cona/k/a@one
s $D/null zfs send -w -p cona/k/a@one
s $D/null zfs send -R cona/k@one
s $D/null zfs send -w -t 1-2-3-4
q zfs create $E -o keylocation=file://$D/pass2 conb/k/box
r $D/plain zfs receive -u conb/k/box/in
roots conb/k/box
r $D/plain-two zfs receive -u conb/k/box/in
r $D/plain zfs receive -u -x encryption conb/k/box/x
r $D/plain zfs receive -u -o encryption=off conb/k/box/off
r $D/plain zfs receive -u -o encryption=on conb/k/box/on
r $D/plain zfs receive -u $E -o keylocation=file://$D/pass conb/k/new
r $D/plain zfs receive -u -o encryption=on conb/k/new2
r $D/plain zfs receive -u -o keylocation=file://$D/pass conb/k/new3
r $D/plain-two zfs receive -u -o encryption=off conb/k/new
r $D/plain-two zfs receive -u -x encryption conb/k/new
roots conb/k/box conb/k/new
t zfs unload-key conb/k/box
r $D/plain zfs receive -u conb/k/box/shut
r $D/plain zfs receive -u -x encryption conb/k/box/shut
r $D/plain zfs receive -u -o encryption=off conb/k/box/off2
r $D/a-one zfs receive -u conb/k/box/raw
r $D/a-one-two zfs receive -u conb/k/box/raw
r $D/a-one zfs receive -u -o encryption=off conb/k/box/raw2
r $D/a-one zfs receive -u -x encryption conb/k/box/raw2
r $D/a-one zfs receive -u -x keylocation conb/k/box/raw2
r $D/a-one zfs receive -u -o keylocation=file://$D/pass conb/k/box/raw2
r $D/plain-two zfs receive -u conb/k/box/raw
r $D/a-one-two zfs receive -u conb/k/box/off
r $D/a-one-two zfs receive -u conb/k/box/in
roots conb/k/box
section partial raw copies
cutfile $D/a-one-two $D/part
r $D/a-one zfs receive -u conb/k/part
r $D/part zfs receive -s -u conb/k/part
t zfs get -H -o value receive_resume_token conb/k/part
t zfs change-key -i conb/k/part
t zfs receive -A conb/k/part
