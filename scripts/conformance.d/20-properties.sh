section properties
q zfs create -p cona/p/kid/sub
q zfs create -V 8M cona/p/vol
t zfs set user:tag=one cona/p
t zfs get -H -o name,property,value,source user:tag cona/p cona/p/kid cona/p/kid/sub
t zfs get user:tag cona/p
t zfs get -r user:tag cona/p
t zfs set user:tag=two user:other=x cona/p/kid
t zfs get -Hr -o name,property,value,source user:tag,user:other cona/p
t zfs get -H -s local -r user:tag cona/p
t zfs get -H -s inherited -r user:tag cona/p
t zfs get -s nonsense user:tag cona/p
t zfs get -o nonsense user:tag cona/p
t zfs inherit user:tag cona/p/kid
t zfs get -H user:tag cona/p/kid
t zfs inherit -r user:tag cona/p
t zfs get -Hr user:tag cona/p
t zfs get -H nonsense cona/p
t zfs get -H user:none cona/p
t zfs get
t zfs get -H type,readonly,compression,canmount cona/p/kid
t zfs get -H volsize,quota cona/p/vol
t zfs get -Hp volsize cona/p/vol
t zfs get -Hp -o value quota,reservation,recordsize cona/p/kid
t zfs get -H -o value quota,reservation,recordsize cona/p/kid
t zfs set readonly=on cona/p
t zfs get -Hr readonly cona/p
t zfs set readonly=banana cona/p
t zfs set quota=100M cona/p
t zfs get -H quota cona/p
t zfs set quota=none cona/p
t zfs set quota=1 cona/p
t zfs set quota=banana cona/p
t zfs set quota=-5 cona/p
t zfs set nonsense=1 cona/p
t zfs set used=1 cona/p
t zfs set type=volume cona/p
t zfs set volsize=1M cona/p
t zfs set recordsize=4k cona/p/vol
t zfs set volsize=16M cona/p/vol
t zfs get -H -o value volsize cona/p/vol
t zfs set user:tag=x cona/nope
t zfs set user:tag=x
t zfs set cona/p
t zfs set
t zfs set user:tag=x user:tag=y cona/p
t zfs set Bad:Name=x cona/p
t zfs set casesensitivity=mixed cona/p
t zfs set reservation=100G cona/p
t zfs inherit
t zfs inherit quota cona/p
t zfs inherit nonsense cona/p
t zfs inherit used cona/p
t zfs inherit user:tag
t zfs inherit user:tag cona/nope
t zfs inherit readonly cona/p
t zfs get -H readonly cona/p/kid
t zfs set canmount=noauto cona/p/kid
t zfs get -H canmount,mounted cona/p/kid cona/p/kid/sub
t zfs inherit canmount cona/p/kid
t zfs set mountpoint=none cona/p/kid
t zfs get -Hr -o name,value,source mountpoint cona/p
t zfs get -Hr -o name,value mounted cona/p
t zfs set mountpoint=/elsewhere cona/p/kid
t zfs get -Hr -o name,value,source mountpoint cona/p
t zfs get -Hr -o name,value mounted cona/p
t zfs inherit mountpoint cona/p/kid
t zfs get -Hr -o name,value,source mountpoint cona/p
t zfs get -Hp -o value guid cona/p cona/p
t zfs get -H -t snapshot name cona/p
t zfs get -H -o property,value,source mountpoint,mounted,origin,encryption,keystatus,encryptionroot,receive_resume_token cona/p
t zfs set user:long= cona/p
t zfs get -H user:long cona/p
t zfs list -H -o name,user:long,user:none cona/p
t zfs mount cona/p
t zfs unmount cona/p/kid/sub
t zfs unmount cona/p/kid/sub
t zfs get -H -o value mounted cona/p/kid/sub
t zfs mount cona/p/kid/sub
t zfs mount cona/p/vol
t zfs mount cona/nope
t zfs unmount cona/nope
t zfs set canmount=off cona/p/kid/sub
t zfs mount cona/p/kid/sub
t zfs get -H -o value mounted cona/p/kid/sub
t zfs unmount cona/p
t zfs get -Hr -o name,value mounted cona/p
t zfs mount -a
t zfs get -Hr -o name,value mounted cona/p
