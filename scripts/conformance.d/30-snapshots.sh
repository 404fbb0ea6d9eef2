section snapshots, bookmarks, holds, destroy
q zfs create -p cona/s/kid
q zfs create -p cona/s2
echo one >$D/mnt/cona/s/file
t zfs snapshot cona/s@one
t zfs snapshot cona/s@one
u zfs snapshot -r cona/s@two
t zfs snapshot cona/s@three cona/s/kid@three cona/s2@three
t zfs snapshot cona/s@four cona/s/kid@three cona/s2@four
t zfs list -H -t snapshot -o name -r cona/s cona/s2
t zfs snapshot cona/s@five cona/s@six
t zfs snapshot conb@x cona/s@seven
t zfs snapshot cona/s@dup cona/s@dup
t zfs snapshot
t zfs snapshot cona/s
t zfs snapshot cona/nope@x
t zfs snapshot cona/s@
t zfs snapshot cona/s@a/b
t zfs snapshot cona/s@a@b
t zfs snapshot "cona/s@a%b"
t zfs snapshot -r cona/nope@x
u zfs snapshot -r cona/s@two
t zfs snapshot -o user:s=1 cona/s@prop
t zfs snapshot -o readonly=on cona/s@prop2
t zfs snapshot -o nonsense cona/s@prop2
t zfs get -H -o name,property,value,source user:s cona/s@prop
t zfs set user:t=2 cona/s@prop
t zfs get -H user:s,user:t cona/s@prop
t zfs inherit user:t cona/s@prop
t zfs get -H user:t cona/s@prop
t zfs set readonly=on cona/s@prop
t zfs set user:inh=yes cona/s
t zfs get -H user:inh cona/s@one
t zfs get -H type,userrefs,defer_destroy,clones,mountpoint cona/s@one
t zfs list -H -o name -t all -r cona/s
t zfs list -H -o name -t snapshot cona/s
t zfs list -H -o name -t snapshot -d 1 cona/s
t zfs list -H -o name -t snapshot -d 2 cona/s
t zfs list -H -o name cona/s@one
t zfs list -H -o name -t filesystem cona/s@one
t zfs list -H -o name -t snapshot -S createtxg cona/s
t zfs list -H -o name,used:x -t snapshot -s name cona/s
t zfs bookmark cona/s@one cona/s#one
t zfs bookmark cona/s@one cona/s#one
t zfs bookmark cona/s@two cona/s#one
t zfs bookmark cona/s@one cona/s#extra cona/s@two cona/s#more
t zfs bookmark cona/s#one cona/s#copy
t zfs bookmark "cona/s@two" "#short"
t zfs bookmark "@two" "cona/s#other"
t zfs bookmark cona/s@nope cona/s#nope
t zfs bookmark cona/s@one cona/s2#one
t zfs bookmark cona/s@one conb#one
t zfs bookmark cona/s@one cona/s@one
t zfs bookmark cona/s cona/s#x
t zfs bookmark cona/s@one
t zfs bookmark
t zfs bookmark cona/s@one "cona/s#a%b"
t zfs list -H -t bookmark -o name -r cona/s
t zfs list -H -t bookmark -o name cona/s
t zfs list -H -o name "cona/s#one"
t zfs list -H -t all -o name,type cona/s
t zfs list -Hp -t bookmark,snapshot -o name,guid cona/s
t zfs get -H type "cona/s#one"
t zfs get -H guid "cona/s#one" "cona/s#copy" cona/s@one
t zfs get -H user:x "cona/s#one"
t zfs set user:x=1 "cona/s#one"
t zfs hold keep cona/s@one
t zfs hold keep cona/s@one
t zfs hold keep cona/s@one cona/s@two
u zfs holds cona/s@one cona/s@two
u zfs holds -H cona/s@two
t zfs hold -r tree cona/s@two
u zfs holds -H -r cona/s@two
t zfs hold keep cona/s@nope cona/s@three
t zfs holds -H cona/s@three
t zfs hold keep cona/s
t zfs hold keep
t zfs hold
t zfs hold .dot cona/s@one
t zfs hold keep cona/nope@one
t zfs hold keep "cona/s#one"
t zfs hold 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 cona/s@one
t zfs holds cona/s
t zfs holds cona/s@nope
t zfs holds
t zfs get -H -o value userrefs cona/s@one
t zfs destroy cona/s@one
u zfs destroy cona/s@one,three
t zfs list -H -t snapshot -o name cona/s
t zfs destroy -d cona/s@one
t zfs get -H -o value defer_destroy cona/s@one
t zfs release nope cona/s@one
t zfs release keep cona/s@nope
t zfs release keep cona/nope@one
t zfs release
t zfs release keep cona/s@one
t zfs release -r tree cona/s@two
t zfs release keep cona/s@two cona/s@one cona/s@three
u zfs holds -H cona/s@two cona/s@three
t zfs destroy -nv cona/s@two,three,nope
t zfs destroy -nvp cona/s@two%prop
t zfs destroy -v cona/s@nope
t zfs destroy cona/s@nope,nada
t zfs destroy "cona/s@nope%prop"
t zfs destroy "cona/s@prop%two"
t zfs destroy -v cona/s@two,prop
t zfs list -H -t snapshot -o name -r cona/s
t zfs destroy "cona/s#one"
t zfs destroy "cona/s#one"
t zfs destroy -r "cona/s#copy"
t zfs destroy cona/s
t zfs destroy -r cona/s@three
t zfs list -H -t snapshot -o name -r cona/s
t zfs snapshot -r cona/s@last
t zfs hold keep cona/s/kid@last
u zfs destroy -r cona/s
t zfs list -H -t all -o name -r cona/s
t zfs release keep cona/s/kid@last
t zfs destroy -r cona/s@%
t zfs list -H -t all -o name -r cona/s
