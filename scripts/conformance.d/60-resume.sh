section resumable receives
q zfs create -p cona/k/kid
q zfs create conb/k
dd if=/dev/urandom bs=1k count=2048 of=$D/mnt/cona/k/data 2>/dev/null
q zfs snapshot -r cona/k@one
dd if=/dev/urandom bs=1k count=2048 of=$D/mnt/cona/k/data2 2>/dev/null
q zfs snapshot -r cona/k@two
s $D/full zfs send cona/k@one
s $D/inc zfs send -i @one cona/k@two
cutfile $D/full $D/cut
cutfile $D/inc $D/cutinc
r $D/cut zfs receive -u conb/k/plain
t zfs list -H -o name conb/k/plain
r $D/cut zfs receive -s -u conb/k/a
t zfs list -H -t all -o name,mounted -r conb/k/a
t zfs get -H -o property,value,source receive_resume_token conb/k/a
t zfs send -nvt $(token conb/k/a)
t zfs send -nvPt $(token conb/k/a)
r $D/full zfs receive -s -u conb/k/a
r $D/full zfs receive -s -uF conb/k/a
r $D/inc zfs receive -s -u conb/k/a
t zfs snapshot conb/k/a@x
t zfs mount conb/k/a
t zfs create conb/k/a/below
t zfs rename conb/k/a conb/k/b
t zfs rename conb/k/b conb/k/a
s $D/rest zfs send -t $(token conb/k/a)
cutfile $D/rest $D/cutrest
r $D/rest zfs receive -s -u conb/k/nope
r $D/cutrest zfs receive -s -u conb/k/a
r $D/rest zfs receive -s -u conb/k/a
s $D/rest2 zfs send -t $(token conb/k/a)
r $D/rest2 zfs receive -s -u conb/k/a
t zfs list -H -t all -o name,guid -r conb/k/a
t zfs get -H guid cona/k@one
t zfs get -H -o value receive_resume_token conb/k/a
r $D/rest2 zfs receive -s -u conb/k/a
r $D/cutinc zfs receive -s -u conb/k/a
t zfs list -H -t all -o name -r conb/k/a
t zfs get -H -o value clones conb/k/a@one
t zfs destroy conb/k/a@one
t zfs list -H -t all -o name "conb/k/a/%recv"
r $D/inc zfs receive -s -u conb/k/a
t zfs send -nvt $(token conb/k/a)
t zfs receive -A conb/k/a
t zfs receive -A conb/k/a
t zfs receive -A conb/k/nope
t zfs receive -A
t zfs get -H -o value receive_resume_token conb/k/a
r $D/cutinc zfs receive -s -u conb/k/a
s $D/rest zfs send -t $(token conb/k/a)
r $D/rest zfs receive -u conb/k/a
t zfs list -H -t snapshot -o name conb/k/a
t zfs snapshot cona/k@three
s $D/null zfs send -p -t $(token conb/k/a)
r $D/cut zfs receive -s -u conb/k/c
T=$(token conb/k/c)
t zfs rename cona/k cona/k2
t zfs send -nvt $T
t zfs rename cona/k2 cona/k
t zfs destroy -r cona/k@one
t zfs send -nvt $T
s $D/null zfs send -t $T
t zfs receive -A conb/k/c
t zfs list -H -o name conb/k/c
t zfs destroy conb/k/a
t zfs create conb/k/place
r $D/cut zfs receive -s -u conb/k/place
r $D/cut zfs receive -s -uF conb/k/place
t zfs list -H -t all -o name -r conb/k/place
t zfs get -H -o value receive_resume_token conb/k/place
t zfs receive -A conb/k/place
t zfs list -H -t all -o name -r conb/k/place
r $D/cut zfs receive -s -u conb/k/gone
t zfs destroy conb/k/gone
t zfs list -H -o name conb/k/gone
