# sandbox.sh: two hosts' pools to try things on, zt_prod and zt_backup; read by the other scripts.
#
# "sandbox_open sim" makes them with zfs-sim, "sandbox_open real" with this machine's OpenZFS, on
# files (then it needs root). $bin holds the programs. Afterwards $work is a temporary folder, zfs
# and zpool are the right ones, and $work is gone with all that was made when the script ends.
# shellcheck shell=sh disable=SC2154

# arguments ARGUMENT… reads what these scripts are called with: -real, and -bin FOLDER with the built
# programs; without it they are built.
arguments() {
  kind=sim bin=
  while [ $# -gt 0 ]; do
    case $1 in
    -real) kind=real ;;
    -bin) bin=$(cd "${2:?}" && pwd) && shift || exit 2 ;;
    *) sed -n '4s/^# *//p' "$0" >&2; exit 2 ;;
    esac
    shift
  done
  [ -n "$bin" ] || build_programs || exit 1
}

# verdict STATUS TEXT counts one test, and finish says how many there were. A failure comes with what the
# last command said, if the script keeps that in $work/said.
passed=0 failed=0
verdict() {
  if [ "$1" = 0 ]; then
    passed=$((passed + 1))
    echo "ok    $2"
  else
    failed=$((failed + 1))
    echo "FAIL  $2"
    [ ! -s "${work-}/said" ] || tail -n 10 "$work/said" | cut -c 1-300 | sed 's/^/      /'
  fi
}
finish() {
  echo "$passed passed, $failed failed"
  [ $failed = 0 ]
  exit
}

# build_programs builds all programs into a folder of its own, $bin.
built=
build_programs() {
  built=$(mktemp -d "${TMPDIR:-/tmp}/zt-bin.XXXXXX") || return 1
  bin=$built
  (cd "$here" && go build -buildvcs=false -o "$built/" work) || { rm -rf "$built"; return 1; }
}

sandbox_open() {
  kind=$1
  work=$(mktemp -d "${TMPDIR:-/tmp}/zt.XXXXXX") || exit 1
  work=$(cd "$work" && pwd -P)
  trap sandbox_close EXIT
  trap 'exit 1' INT TERM HUP
  case $kind in
  sim)
    mkdir "$work/bin" "$work/sim"
    ln -s "$bin/zfs-sim" "$work/bin/zfs"
    ln -s "$bin/zfs-sim" "$work/bin/zpool"
    export ZFS_SIM_ROOT="$work/sim"
    PATH=$work/bin:$bin:$PATH
    ;;
  real)
    PATH=$bin:$PATH
    command -v zpool >/dev/null || { echo "cannot use real OpenZFS: there is no zpool(8) here" >&2; exit 1; }
    if zpool list -H -o name 2>/dev/null | grep -qx 'zt_prod\|zt_backup'; then
      echo "cannot make the pools zt_prod and zt_backup: they exist already" >&2
      exit 1
    fi
    ;;
  esac
  unset ZREPL_ZFS ZREPLCTL_CONFIG
  export PATH LC_ALL=C TZ=UTC
  make_pools
}

# make_pools makes them on files of $pool_mb MiB (1024), which are sparse.
make_pools() {
  for pool in zt_prod zt_backup; do
    dd if=/dev/null of="$work/$pool.img" bs=1048576 seek="${pool_mb:-1024}" 2>/dev/null
    zpool create -R "$work/mnt" $pool "$work/$pool.img" || exit 1
  done
}

sandbox_close() {
  status=$?
  trap - EXIT
  stop_daemon
  stop_sshd
  for pool in zt_prod zt_backup; do
    zpool list $pool >/dev/null 2>&1 && settled zpool destroy -f $pool
  done
  cd /
  rm -rf "$work" ${built:+"$built"}
  exit $status
}

# await SECONDS COMMAND… runs the command until it succeeds.
await() {
  until_second=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -le $until_second ] || return 1
    sleep 0.1
  done
}

# new_volume COMMAND… runs a command that makes a volume, its last argument, and sets $device to where
# that can be read and written. Without udev the kernel's own name is the only one: the device that
# was not there before.
new_volume() {
  { echo none; ls /dev/zd* 2>/dev/null; } >"$work/devices"
  "$@" || return 1
  for device; do :; done
  device=${ZFS_SIM_ROOT-}/dev/zvol/$device
  [ "$kind" = sim ] && return
  await 10 appeared || return 1
  device=$(appeared)
}
appeared() { ls /dev/zd* | grep -vxF -f "$work/devices" | grep 'zd[0-9]*$'; }

# contents SNAPSHOT prints the sha256 of every file in it, or of the volume that it is of.
contents() {
  look=${1%%[/@]*}/look
  if [ "$(zfs get -H -o value type "${1%@*}")" = volume ]; then
    new_volume zfs clone -o readonly=on "$1" "$look" || return 1
    hash <"$device"
  else
    zfs clone -o mountpoint=/look -o readonly=on "$1" "$look" || return 1
    (cd "$work/mnt/look" && find . -type f | sort | while read -r file; do echo "$(hash <"$file")  $file"; done)
  fi
  settled zfs destroy "$look"
}
hash() { sha256sum | cut -d ' ' -f 1; }

# settled COMMAND… tries for ten seconds: a device or a mount may still be busy.
settled() {
  await 10 "$@" || "$@"
}

# populate fills zt_prod with what a machine might hold: 9 MB in several file systems, and a volume.
populate() {
  zfs create zt_prod/db && zfs create zt_prod/home && zfs create zt_prod/home/alice && zfs create zt_prod/secret &&
    new_volume zfs create -V 8M zt_prod/vol || return 1
  volume=$device
  noise 2 >"$volume"
  noise 6 >"$work/mnt/zt_prod/db/table"
  noise 1 >"$work/mnt/zt_prod/home/alice/letters"
  mkdir "$work/mnt/zt_prod/home/alice/a folder" && echo hello >"$work/mnt/zt_prod/home/alice/a folder/a file"
  echo nobody sees this >"$work/mnt/zt_prod/secret/key"
}

noise() { dd if=/dev/urandom bs=65536 count=$(($1 * 16)) 2>/dev/null; } # noise MEGABYTES

# change alters some of it and adds some.
change() {
  noise 1 | dd of="$work/mnt/zt_prod/db/table" bs=65536 seek=16 conv=notrunc 2>/dev/null
  noise 1 | dd of="$volume" bs=65536 seek=16 conv=notrunc 2>/dev/null
  echo "entry $1" >>"$work/mnt/zt_prod/home/alice/diary"
}

# agree SOURCE TARGET SNAPSHOT says whether a snapshot of a subtree is the same on both sides: guids
# and contents. It prints what there is, and with $hashes set also the sha256 of all of it.
hashes=
agree() {
  differ=0 compared=0
  for there in $(zfs list -H -r -t snapshot -o name "$2" | grep "@$3\$"); do
    from=$1${there#"$2"}
    if [ "$(zfs get -H -o value guid "$from")" != "$(zfs get -H -o value guid "$there")" ]; then
      echo "$there: another guid than $from"
      differ=1
    fi
    contents "$from" >"$work/here" && contents "$there" >"$work/there" || differ=1
    cmp -s "$work/here" "$work/there" || { echo "$there: other contents than $from"; differ=1; }
    echo "$there: $(wc -l <"$work/there" | tr -d ' ') contents as in $from"
    [ -z "$hashes" ] || sed 's/^/  source /' "$work/here"
    [ -z "$hashes" ] || sed 's/^/  target /' "$work/there"
    compared=$((compared + 1))
  done
  [ $differ = 0 ] && [ $compared != 0 ]
}

# guids DATASET prints "@NAME guid" of a subtree's snapshots, without the part of the names that
# the two sides do not share.
guids() { zfs list -Hp -r -t snapshot -o name,guid "$1" | sed "s|^$1||" | sort; }

# hosts writes both hosts' configurations: prod offers its pool to the identity prod1's clients, and
# backup pulls it over the connection that the arguments give.
prod_config=unset backup_config=unset
write_prod() {
  prod_config=$work/prod.yml
  cat >"$prod_config" <<YML
global:
  rundir: $work/prod
  control: {sockpath: $work/prod/control}
  serve: {stdinserver: {sockdir: $work/prod/stdinserver}}
jobs:
- name: offer
  type: source
  serve: {type: stdinserver, client_identity: prod1}
  datasets: {"zt_prod<": ok, "zt_prod/secret<": "!"}
  snapshot_prefix: zrepl_
YML
}
write_backup() { # write_backup CONNECT
  backup_config=$work/backup.yml
  cat >"$backup_config" <<YML
global:
  rundir: $work/backup
  control: {sockpath: $work/backup/control}
  serve: {stdinserver: {sockdir: $work/backup/stdinserver}}
jobs:
- name: pull_prod1
  type: pull
  connect: $1
  interval: 10m
  mapping: {"zt_prod<": zt_backup/prod1}
  initial_repl_policy: most_recent
  snapshot_prefix: zrepl_
  prune: {policy: grid, grid: "1x1h(keep=all) | 24x1h | 35x1d"}
YML
}

# start_daemon [TRACER…] starts the source's daemon and waits until it can be called.
daemon=
start_daemon() {
  "$@" zreplctl -config "$prod_config" daemon >"$work/daemon.log" 2>&1 &
  daemon=$!
  await 20 test -S "$work/prod/stdinserver/prod1" || { cat "$work/daemon.log" >&2; return 1; }
}
stop_daemon() {
  [ -n "$daemon" ] || return 0
  kill "$daemon" 2>/dev/null
  wait "$daemon" 2>/dev/null
  daemon=
}

# sshd_usable says whether this machine has an sshd that lets the caller in. It does not let in an
# account that is locked or has no shell.
sshd_usable() {
  [ -x "$(sshd_path)" ] && command -v ssh-keygen >/dev/null || return 1
  start_sshd true && ssh -F none -i "$work/ssh/key" -p "$port" -o UserKnownHostsFile="$work/ssh/known_hosts" \
    -o BatchMode=yes 127.0.0.1 </dev/null >/dev/null 2>&1 && return
  stop_sshd
  return 1
}
sshd_path() { command -v sshd || echo /usr/sbin/sshd; }

# start_sshd COMMAND starts a private sshd on the loopback whose only key is forced to COMMAND.
sshd='' port=''
start_sshd() {
  ssh=$work/ssh
  mkdir -p -m 700 "$ssh" /run/sshd 2>/dev/null
  [ -f "$ssh/host" ] || ssh-keygen -q -t ed25519 -N '' -f "$ssh/host"
  [ -f "$ssh/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$ssh/key"
  printf 'command="%s",restrict %s\n' "$1" "$(cat "$ssh/key.pub")" >"$ssh/authorized_keys"
  [ -n "$sshd" ] && return
  port=$((20000 + $$ % 20000))
  cat >"$ssh/sshd_config" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $ssh/host
AuthorizedKeysFile $ssh/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=$PATH${ZFS_SIM_ROOT:+ ZFS_SIM_ROOT=$ZFS_SIM_ROOT}
CONF
  "$(sshd_path)" -D -e -f "$ssh/sshd_config" 2>"$work/sshd.log" &
  sshd=$!
  printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$ssh/host.pub")" >"$ssh/known_hosts"
  await 10 grep -q 'listening on' "$work/sshd.log" || { cat "$work/sshd.log" >&2; return 1; }
}
stop_sshd() {
  [ -n "$sshd" ] || return 0
  kill "$sshd" 2>/dev/null
  wait "$sshd" 2>/dev/null
  sshd=
}
ssh_connect() {
  echo "{type: ssh+stdinserver, host: 127.0.0.1, user: $(id -un), port: $port, identity_file: $work/ssh/key, options: [UserKnownHostsFile=$work/ssh/known_hosts]}"
}
