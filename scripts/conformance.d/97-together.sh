fresh_pools
section holds of whole subtrees, and what moves snapshots_changed
q zfs create -p cona/t/a
q zfs create cona/t/b
q zfs snapshot -r cona/t@x
q zfs hold t cona/t/b@x
t zfs hold -r t cona/t@x
t zfs holds -rH cona/t@x
t zfs release -r t cona/t@x
t zfs release -r t cona/t@x
t zfs hold -r t cona/t@nope
q zfs destroy cona/t@x
t zfs hold -r t cona/t@x
t zfs release -r t cona/t@x
# moved TEXT DATASET says whether the time is another one than after the last command.
last=
moved() {
    now=$(zfs get -Hp -o value snapshots_changed "$2")
    [ "$now" = "$last" ] && t echo "$1: the same" || t echo "$1: moved"
    last=$now
    sleep 1.1
}
q zfs create cona/t/m
t zfs get -H -o name,property,value,source snapshots_changed cona/t/m
q zfs snapshot cona/t/m@1
moved snapshot cona/t/m
q zfs bookmark cona/t/m@1 cona/t/m#b
moved bookmark cona/t/m
q zfs hold t cona/t/m@1
moved hold cona/t/m
q zfs destroy -d cona/t/m@1
moved "destroy -d" cona/t/m
q zfs release t cona/t/m@1
moved "the release that destroys" cona/t/m
q zfs snapshot cona/t/m@1
moved "another snapshot" cona/t/m
q zfs snapshot cona/t/m@2
moved "one more" cona/t/m
q zfs rename cona/t/m@2 @3
moved "rename of a snapshot" cona/t/m
q zfs rollback -r cona/t/m@1
moved "rollback -r" cona/t/m
q zfs rename cona/t/m cona/t/n
moved "rename" cona/t/n
q zfs clone cona/t/n@1 cona/t/c
moved "clone" cona/t/n
q zfs promote cona/t/c
moved "promote, the origin" cona/t/n
t zfs get -H -o name,property,value,source snapshots_changed cona/t/c
q zfs destroy cona/t/n
