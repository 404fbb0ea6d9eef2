# parts.sh: the parts of e2e-systemd, in their order; read by inside.
# shellcheck shell=sh disable=SC2154

# part NAME runs one of them, and says how long it took.
part() {
  began=$(date +%s)
  : >$work/said
  "$1"
  echo "      $1: $(($(date +%s) - began)) s"
}
# wait_for SECONDS COMMAND… looks every second: each look is slow where the processor is emulated.
wait_for() {
  until_second=$(($(date +%s) + $1))
  shift
  until "$@" >$work/said 2>&1; do
    [ "$(date +%s)" -le $until_second ] || return 1
    sleep 1
  done
}
property() { systemctl show -p "$2" --value "$1"; }
main_pid() { property zreplctl.service MainPID; }
active() { [ "$(systemctl is-active zreplctl.service)" = active ]; }
# runs_of JOB counts the runs that have ended, and well JOB MANY says whether so many ended well.
runs_of() { zreplctl log "$1" | grep -c .; }
well() { [ "$(zreplctl log "$1" | cut -f 4 | grep -c '^ok')" -ge "$2" ]; }
# same PREFIX SOURCE TARGET compares their newest snapshots of a job.
newest() { zfs list -Hp -o name,guid -t snapshot -d 1 -S createtxg "$2" 2>/dev/null | grep "@$1" | cut -f 2 | head -n 1; }
same() { [ -n "$(newest "$1" "$2")" ] && [ "$(newest "$1" "$2")" = "$(newest "$1" "$3")" ]; }
# where_it_is COMMAND… sees the mounts that the daemon sees.
where_it_is() { nsenter -t "$(main_pid)" -m "$@"; }
find_files() { find / -xdev \( -path /var/log -o -path /var/tmp -o -path /pool -o -path /etc/zfs -o -path /root -o -path /var/lib/systemd \) -prune -o ! -type d -print | sort; }
explain() { # explain says what the journal has, if something failed
  [ "$failed" = "${seen_failed:-0}" ] || journalctl -u 'zreplctl*' -n 40 --no-pager -o cat | sed 's/^/      /'
  seen_failed=$failed
}

install_it() {
  dpkg -i old.deb >$work/said 2>&1 && ! systemctl is-enabled zreplctl.service >/dev/null && ! active
  verdict $? "dpkg -i: nothing is enabled, and nothing runs"
  systemctl start zreplctl.service 2>$work/said && ! active && [ "$(property zreplctl.service Result)" = success ]
  verdict $? "without a configuration it does not start, and that is no failure"
}

# pools has two pools on files. Of tank/data a part is mounted, and a part is a volume.
pools() {
  mkdir /pool
  for pool in tank storage; do
    truncate -s 700M /pool/$pool && zpool create $pool /pool/$pool || return 1
  done
  zfs create tank/data && zfs create -V 8M tank/data/vol && zfs create tank/big && zfs create tank/often &&
    cp /usr/bin/dpkg /tank/data/file && zfs snapshot tank/data@old_1 && sleep 2 && zfs snapshot tank/data@old_2
}
# connections has a key in root's home, and this host knows itself.
connections() {
  mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/fetch || return 1
  echo "command=\"zstdinserver fetcher\",restrict $(cat /root/.ssh/fetch.pub)" >/root/.ssh/authorized_keys
  for key in /etc/ssh/ssh_host_*_key.pub; do echo "127.0.0.1 $(cut -d ' ' -f 1,2 $key)"; done >/root/.ssh/known_hosts
}
first_start() {
  { pools && connections && cp zreplctl.yml /etc/zreplctl/; } >$work/said 2>&1 || { verdict 1 "pools and keys"; return; }
  cp hook /usr/local/bin/hook
  zreplctl check >$work/said 2>&1
  verdict $? "zreplctl check"
  mkdir -p /etc/systemd/system/zreplctl.service.d
  # Two minutes would be long to wait for.
  printf '[Service]\nWatchdogSec=20s\n' >/etc/systemd/system/zreplctl.service.d/e2e.conf
  systemctl daemon-reload
  systemctl enable --now zreplctl.socket zreplctl.service 2>$work/said
  verdict $? "systemctl enable --now"
  active && [ -S /run/zreplctl/stdinserver/fetcher ] && [ -S /run/zreplctl/stdinserver/pusher ]
  verdict $? "it is active when its sockets are there: $(property zreplctl.service StatusText)"
}

each_type_of_job() {
  patience=300
  for job in offer send copy slow thin often; do
    wait_for $patience well $job 1 || { patience=5; false; }
    verdict $? "$job ended well: $(zreplctl log $job | tail -n 1 | tr '\t' ' ' | cut -c 1-150)"
  done
  zreplctl pull fetch >$work/said 2>&1
  verdict $? "fetch ended well, through ssh with a key in /root/.ssh"
  for copy in zlocal_:data:mirror zlocal_:data/vol:mirror/vol zrepl_:data:pulled zrepl_:data/vol:pulled/vol zpush_:data:pushed/tank/data zslow_:big:big; do
    to=${copy##*:} from=${copy#*:}
    same ${copy%%:*} tank/${from%:*} storage/$to
    verdict $? "storage/$to is as tank/${from%:*}"
  done
  zfs holds -r $(zfs list -H -o name -t snapshot -r tank/data storage) >$work/said && grep -q zreplctl_source $work/said && grep -q zreplctl_push $work/said && grep -q zreplctl_last_fetch $work/said
  verdict $? "it holds snapshots"
  [ -n "$(zfs list -H -o name -t bookmark -r tank/data)" ]
  verdict $? "it makes bookmarks: $(zfs list -H -o name -t bookmark -r tank/data | head -n 1)"
  [ "$(zfs list -H -o name -t snapshot -d 1 tank/data | grep -c @old_)" = 1 ]
  verdict $? "it prunes: $(zfs list -H -o name -t snapshot -d 1 tank/data | grep @old_ | tr '\n' ' ')"
  sort -u /var/log/hook >$work/said
  [ "$(cut -d ' ' -f 1,2 $work/said | tr '\n' ,)" = "0 after,0 after_snapshot,0 before,0 before_snapshot," ] && grep -q '^0 after_snapshot file' $work/said
  verdict $? "hooks run as root, and read .zfs/snapshot: $(tr '\n' , <$work/said)"
  ! grep -q disk $work/said
  verdict $? "hooks open no disk: DevicePolicy is in force"
  zfs get -H -o name,property,value readonly,canmount,mounted storage/mirror storage/pulled storage/pushed/tank/data >$work/said
  [ "$(cut -f 2,3 $work/said | sort -u | tr '\t\n' '=,')" = "canmount=noauto,mounted=no,readonly=on," ]
  verdict $? "copies are inert"
  explain
}

its_mounts() {
  ! where_it_is sh -c 'touch /usr/x || touch /etc/x || touch /boot/x || echo 1 >/proc/sys/kernel/sysrq' 2>$work/said
  verdict $? "it cannot write to /usr, /etc, /boot and /proc/sys"
  [ "$(zfs get -H -o value mounted tank/data)" = yes ] && where_it_is mountpoint -q /tank/data
  verdict $? "the source is still mounted, for both"
  zreplctl activate storage/mirror >$work/said 2>&1 && cmp /tank/data/file /storage/mirror/file && where_it_is cmp /tank/data/file /storage/mirror/file
  verdict $? "what a person activates is mounted, for both"
  zreplctl activate -inert storage/mirror >$work/said 2>&1 && ! mountpoint -q /storage/mirror && ! where_it_is mountpoint -q /storage/mirror
  verdict $? "what a person makes inert again is unmounted, for both"
  zfs rollback "$(zfs list -H -o name -t snapshot -d 1 -s createtxg storage/mirror | tail -n 1)" # a mount changes it
  zpool export storage >$work/said 2>&1 && zpool import -d /pool storage >>$work/said 2>&1 && where_it_is mountpoint -q /storage
  verdict $? "a person exports and imports a pool meanwhile"
  explain
}

reload_it() {
  pid=$(main_pid)
  sed 's/^/# /; s/^# jobs:/jobs:\n- {name: more, type: autosnap, datasets: {tank: ok}, snapshot_prefix: more_}/; s/^# //' /etc/zreplctl/zreplctl.yml >$work/more.yml
  cp $work/more.yml /etc/zreplctl/zreplctl.yml
  systemctl reload zreplctl.service 2>$work/said && { zreplctl status >$work/said || :; } && grep -q '^more	job' $work/said && [ "$(main_pid)" = "$pid" ]
  verdict $? "systemctl reload: it knows a new job"
  echo 'wrong: yes' >>/etc/zreplctl/zreplctl.yml
  ! systemctl reload zreplctl.service 2>$work/said && active && [ "$(main_pid)" = "$pid" ] && journalctl -u zreplctl.service -n 20 -o cat --no-pager | grep -q 'zreplctl.yml:.*wrong'
  verdict $? "systemctl reload: it refuses a wrong configuration, says why, and goes on"
  cp zreplctl.yml /etc/zreplctl/ && systemctl reload zreplctl.service 2>$work/said
  verdict $? "systemctl reload: it takes the right one again"
  explain
}

# begin_to_send has the job slow send 16 MB, and returns while it does. ended says whether all came.
begin_to_send() {
  count=$(runs_of slow)
  noise 16 >/tank/big/noise
  zreplctl local slow >$work/slow 2>&1 &
  wait_for 180 pgrep -f 'zfs rec[a-z]* .*storage/big' && sleep 4
}
ended() { [ "$(runs_of slow)" -gt "$count" ] && [ "$(zreplctl log slow | tail -n 1 | cut -f 4)" = ok ] && same zslow_ tank/big storage/big; }
cut_off() { ! pgrep -f 'zfs rec[a-z]* .*storage/big' && [ "$(zfs get -H -o value receive_resume_token storage/big)" != - ]; }
how_slow() { zreplctl log slow | tail -n 2 | cut -f 4,6 | tr '\t\n' ' ,'; }

kill_it() {
  begin_to_send
  verdict $? "a stream is under way"
  pid=$(main_pid)
  kill -9 "$pid"
  wait_for 8 cut_off
  verdict $? "kill -9: the stream is cut, and can be resumed"
  wait_for 60 active && [ "$(main_pid)" != "$pid" ] && [ "$(property zreplctl.service NRestarts)" = 1 ]
  verdict $? "kill -9: it is started again"
  wait_for 120 ended
  verdict $? "kill -9: what was cut is resumed: $(how_slow)"
  explain
}

starve_its_watchdog() {
  since=$(($(property zreplctl.service ActiveEnterTimestampMonotonic) / 1000000))
  lived=$(($(cut -d . -f 1 /proc/uptime) - since))
  [ $lived -ge 25 ] || sleep $((25 - lived))
  pid=$(main_pid)
  active && [ "$(property zreplctl.service NRestarts)" = 1 ]
  verdict $? "it feeds its watchdog of 20 s"
  kill -STOP "$pid"
  wait_for 60 sh -c '[ "$(systemctl show -p NRestarts --value zreplctl.service)" = 2 ]' && wait_for 30 active && journalctl -u zreplctl.service -o cat --no-pager | grep -qi "watchdog timeout"
  verdict $? "if it hangs it is started again"
  explain
}

reboot_while_it_sends() {
  begin_to_send
  verdict $? "a stream is under way"
  for job in offer fetch send copy thin often; do runs_of $job >$work/runs.$job; done
  echo $count >$work/runs.slow
  rm /etc/systemd/system/zreplctl.service.d/e2e.conf
  sync
  systemctl start --no-block --job-mode=replace-irreversibly reboot.target # logind, whom "systemctl reboot" asks, is not there
  sleep 300
  verdict 1 "the machine is rebooted"
}

after_the_reboot() {
  [ "$(zpool list -H -o health tank storage | sort -u)" = ONLINE ] && mountpoint -q /tank/data
  verdict $? "after the reboot: the pools are there"
  active
  verdict $? "after the reboot: it is active"
  [ "$(property zfs-mount.service ExecMainExitTimestampMonotonic)" -le "$(property zreplctl.service ExecMainStartTimestampMonotonic)" ]
  verdict $? "after the reboot: it started when ZFS was there"
  count=$(cat $work/runs.slow)
  wait_for 120 ended
  verdict $? "after the reboot: what was cut is resumed: $(how_slow)"
  often=$(cat $work/runs.often)
  wait_for 120 sh -c "[ \"\$(zreplctl log often | grep -c .)\" -gt $often ]"
  verdict $? "after the reboot: what is due runs"
  for job in offer fetch send copy thin; do
    [ "$(runs_of $job)" = "$(cat $work/runs.$job)" ]
    verdict $? "after the reboot: $job is not due and does not run"
  done
  explain
}

upgrade_it() {
  begin_to_send
  verdict $? "a stream is under way"
  pid=$(main_pid)
  dpkg -i new.deb >$work/said 2>&1 && dpkg-query -W -f '${Version}' zrepl-tools | grep -q newer
  verdict $? "dpkg -i of a newer deb"
  active && [ "$(main_pid)" != "$pid" ] && [ "$(systemctl is-enabled zreplctl.service)" = enabled ]
  verdict $? "it was restarted"
  wait_for 120 ended
  verdict $? "what was cut is resumed: $(how_slow)"
  explain
}

one_shot() {
  systemctl stop zreplctl.socket zreplctl.service
  [ "$(property zreplctl.service Result)" = success ]
  verdict $? "systemctl stop is no failure"
  mkdir -p /etc/systemd/system/zreplctl@copy.timer.d
  printf '[Timer]\nOnCalendar=\nOnCalendar=*-*-* *:*:00/5\nRandomizedDelaySec=0\nAccuracySec=1s\n' >/etc/systemd/system/zreplctl@copy.timer.d/often.conf
  systemctl daemon-reload
  many=$(runs_of copy)
  systemctl enable --now zreplctl@copy.timer >$work/said 2>&1 && wait_for 120 well copy $((many + 1)) && same zlocal_ tank/data storage/mirror
  verdict $? "zreplctl@copy.timer runs the job: $(zreplctl log copy | tail -n 1 | tr '\t' ' ')"
  [ "$(property zreplctl@copy.service Result)" = success ]
  verdict $? "zreplctl@copy.service succeeds"
  systemctl stop zreplctl@copy.timer
  wait_for 60 sh -c '! systemctl is-active zreplctl@copy.service'
  explain
}

# as_a_user follows zrepl-security(7) and README.
as_a_user() {
  root_level=$(level)
  share=/usr/share/doc/zrepl-tools
  { mkdir -p /etc/sysusers.d /etc/systemd/system/zreplctl.service.d && cp $share/examples/sysusers.conf /etc/sysusers.d/zreplctl.conf && systemd-sysusers && cp $share/examples/user.conf /etc/systemd/system/zreplctl.service.d/ &&
    cp user.yml /etc/zreplctl/zreplctl.yml && chmod 666 /dev/zfs && zfs create storage/user; } >$work/said 2>&1 || { verdict 1 "a user"; return; }
  allowed() { sed -n "s|^zfs allow -u zrepl \([a-z,]*\) $1\$|\1|p" $share/README.md; }
  zfs allow -u zreplctl "$(allowed tank/data),snapshot,destroy,mount" tank/data && zfs allow -u zreplctl "$(allowed storage/backups)" storage/user
  systemctl daemon-reload
  keys=/var/lib/zreplctl-user/.ssh
  mkdir -p -m 700 $keys && ssh-keygen -q -t ed25519 -N '' -f $keys/id && cp /root/.ssh/known_hosts $keys/ && chown -R zreplctl: $keys &&
    echo "command=\"/usr/sbin/zstdinserver -sockdir /run/zreplctl/stdinserver me\",restrict $(cat $keys/id.pub)" >$keys/authorized_keys
  systemctl restart zreplctl.service 2>$work/said && [ "$(ps -o user= -p "$(main_pid)")" = zreplctl ]
  verdict $? "it starts as a user"
  for target in storage/user/copy storage/user/fetched storage/user/copy/vol; do
    wait_for 200 sh -c "zfs list -H -o name -t snapshot -d 1 $target | grep -q @"
    verdict $? "as a user: $target"
  done
  as_root=$root_level as_user=$(level)
  [ -n "$as_user" ] && [ -n "$as_root" ] && [ "$(echo "$as_root" | tr -d .)" -le 40 ] && [ "$(echo "$as_user" | tr -d .)" -lt "$(echo "$as_root" | tr -d .)" ]
  verdict $? "systemd-analyze security: $as_root as root, $as_user as a user"
  explain
  systemctl stop zreplctl.service
  rm -r /etc/systemd/system/zreplctl.service.d /etc/sysusers.d/zreplctl.conf
  cp zreplctl.yml /etc/zreplctl/
  systemctl daemon-reload
}
# level prints the exposure of the unit as it is.
level() { systemd-analyze security --no-pager zreplctl.service | sed -n 's/.*exposure level for zreplctl.service: \([0-9.]*\).*/\1/p'; }

remove_it() {
  systemctl start zreplctl.service zreplctl.socket zreplctl@copy.timer
  dpkg -r zrepl-tools >$work/said 2>&1
  verdict $? "dpkg -r while it runs"
  ! pgrep -fl 'zreplctl|zstdinserver|z[a-z]+-frame' >$work/said && [ -z "$(systemctl list-units --all --plain --no-legend 'zreplctl*' | tee -a $work/said)" ] && [ -z "$(find /etc/systemd -type l -name 'zreplctl*' | tee -a $work/said)" ]
  verdict $? "after dpkg -r: no process, no unit, no link"
  rm -r /etc/systemd/system/zreplctl@copy.timer.d /usr/local/bin/hook
  rm -r /var/lib/zreplctl-user # of a person, who had it run as a user
  dpkg -P zrepl-tools >$work/said 2>&1
  verdict $? "dpkg -P"
  find_files >$work/after
  left=$(comm -13 $work/before $work/after | tr '\n' ' ')$(ls -d /run/zreplctl /run/systemd/*/zreplctl* 2>/dev/null)$(find /var/lib/systemd -name '*zreplctl*')
  [ "$left" = "/etc/zreplctl/zreplctl.yml " ]
  verdict $? "after dpkg -P there is only the configuration: $left"
}
