section clone, promote, rename, rollback
q zfs create -p cona/c/kid
echo 1 >$D/mnt/cona/c/file
q zfs snapshot -r cona/c@one
echo 2 >$D/mnt/cona/c/file
q zfs snapshot -r cona/c@two
t zfs clone cona/c@one cona/clone
t zfs clone cona/c@one cona/clone
t zfs clone cona/c@nope cona/clone2
t zfs clone cona/c cona/clone2
t zfs clone cona/c@one conb/clone
t zfs clone cona/c@one cona/no/parent
t zfs clone -p cona/c@one cona/yes/parent
t zfs clone -o user:x=1 cona/c@two cona/clone2
t zfs clone cona/c@one
t zfs clone cona/c@one cona/a@b
t cat $D/mnt/cona/clone/file
t cat $D/mnt/cona/clone2/file
t zfs get -H -o name,value origin cona/clone cona/c
t zfs destroy cona/c@one
t zfs destroy cona/c@one,two
t zfs destroy -r cona/c
t zfs destroy -nv -R cona/c@one
t zfs destroy -R cona/c@one
t zfs list -H -o name -r -t all cona/c cona/yes
t zfs promote cona/clone2
t zfs list -H -o name,origin -r -t all cona/c cona/clone2
t zfs promote cona/clone2
t zfs promote cona/nope
t zfs promote cona/c@two
t zfs promote
t zfs promote cona/c
t zfs list -H -o name,origin -r -t all cona/c cona/clone2
t zfs destroy -d cona/c@two
t zfs get -H -o value defer_destroy cona/c@two
t zfs destroy cona/clone2
t zfs list -H -t snapshot -o name cona/c
t zfs snapshot -r cona/c@a
t zfs snapshot -r cona/c@b
t zfs rename cona/c@a cona/c@a2
t zfs rename cona/c@a2 @a3
t zfs rename cona/c@a3 cona/c@b
t zfs rename cona/c@nope cona/c@x
t zfs rename cona/c@b cona/d@b
t zfs rename -r cona/c@b cona/c@bb
t zfs list -H -t snapshot -o name -r cona/c
t zfs rename cona/c cona/renamed
t zfs list -H -o name,mounted -r cona/renamed
t cat $D/mnt/cona/renamed/file
t zfs rename cona/renamed cona/no/where
t zfs rename -p cona/renamed cona/no/where
t zfs rename cona/no/where cona/c
t zfs rename cona/c cona/no
t zfs rename cona/c conb/c
t zfs rename cona/c cona/c/below
t zfs rename cona/nope cona/x
t zfs rename cona/c
t zfs rename cona cona2
t zfs list -H -o name -r cona/c cona/no
t zfs rename -u cona/c cona/cc
t zfs rename cona/cc cona/c
echo 3 >$D/mnt/cona/c/file
t zfs rollback cona/c@bb
t cat $D/mnt/cona/c/file
t zfs rollback cona/c@a3
t zfs rollback -r cona/c@a3
t zfs list -H -t snapshot -o name cona/c
t zfs rollback cona/c@nope
t zfs rollback cona/c
t zfs rollback
q zfs snapshot cona/c@later
q zfs bookmark cona/c@later cona/c#later
t zfs rollback cona/c@a3
t zfs hold keep cona/c@later
t zfs rollback -r cona/c@a3
t zfs list -H -t all -o name -r cona/c
t zfs release keep cona/c@later
t zfs clone cona/c@later cona/cl
t zfs rollback -r cona/c@a3
t zfs rollback -R cona/c@a3
t zfs list -H -t all -o name -r cona/c cona/cl
