section create, names, list
t zfs create cona/a
t zfs create cona/a
t zfs create cona/x/y
t zfs create -p cona/x/y
t zfs create -p cona/x/y
t zfs create nopool/x
t zfs create cona
t zfs create
t zfs create cona/a cona/b
t zfs create -o quota=10M -o user:tag=one cona/q
t zfs create -o quota=10M -o quota=20M cona/q2
t zfs create -o bogus=1 cona/q2
t zfs create -o quota cona/q2
t zfs create -o compression=nonsense cona/q2
t zfs create -o readonly=maybe cona/q2
t zfs create -o used=1 cona/q2
t zfs create -o mountpoint=relative cona/q2
t zfs create -o recordsize=3000 cona/q2
t zfs create -o User:Upper=1 cona/q2
t zfs create -V 8M cona/v
t zfs create -V nonsense cona/v2
t zfs create -V 0 cona/v2
t zfs create -V 8M -o recordsize=8K cona/v2
t zfs create -V 8M -b 4k cona/v4
t zfs create cona/v/below
t zfs create -u cona/unmounted
t zfs create -o canmount=off -o mountpoint=none cona/none
t zfs create -Z cona/z
t zfs create cona/a@b
t zfs create cona/a#b
t zfs create cona//b
t zfs create cona/b/
t zfs create /cona/b
t zfs create "cona/b%c"
t zfs create "cona/b!c"
t zfs create cona/.
t zfs create cona/..
t zfs create cona/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
t zfs create -p cona/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d
t zfs create "cona/with space"
t zfs list -H -o name,type,mounted -r cona
t zfs list -o name,type -r cona/x
t zfs list -H -o name cona/nope
t zfs list -H -o name cona/a cona/nope cona/q
t zfs list -H -o name nopool
t zfs list -H -o nonsense
t zfs list -t nonsense
t zfs list -H -o name -d 1 cona
t zfs list -H -o name -d x cona
t zfs list -H -o name -r -t volume cona
t zfs list -H -o name -S name -r cona/x
t zfs list -H -o name -s used:x cona/x
t zfs list -H -o name -t snapshot
t zfs list -H -o name -t snapshot cona/a
t zfs list -Hp -o name,mountpoint,canmount -r cona/none cona/x
t zfs list -Q
t zfs frobnicate
t zfs
t zpool frobnicate
t zfs list cona/a/
t zfs list cona/a@
t zfs list cona/a@nope
t zfs list "cona/a#nope"
t zfs list cona@a@b
t zfs destroy cona/none
t zfs destroy cona/none
t zfs destroy cona/x
t zfs destroy -nv -r cona/x
t zfs destroy -nvp -r cona/x
t zfs destroy -v -r cona/x
t zfs destroy cona
t zfs destroy
t zfs destroy cona/a cona/q
t zfs destroy -r cona/nope
t zfs destroy cona/v
t zfs destroy -d cona/a
