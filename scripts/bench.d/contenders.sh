# contenders.sh: who takes part in scripts/bench.d/peers, and the pools they start from; read by it.
#
# The copies are of zt_prod/data. A pull has a copy of its own, as it has other holds than a local job.
# shellcheck shell=sh disable=SC2154,SC2034

root=zt_prod/data
target() { # target CONTENDER
  case $1 in
  pull) echo zt_backup/pull ;;
  *) echo zt_backup/copy ;;
  esac
}

# write_jobs writes the configurations of our jobs. What they know of earlier runs is below $work/state.
write_jobs() {
  for n in 1 4; do
    cat >"$work/local$n.yml" <<YML
global: {rundir: $work/run, statedir: $work/state/local}
jobs:
- {name: mirror, type: local, mapping: {"$root<": $(target local$n)}, snapshot_prefix: zrepl_, parallel: $n}
YML
  done
  prod_config=$work/prod.yml
  cat >"$prod_config" <<YML
global:
  rundir: $work/prod
  statedir: $work/state/prod
  control: {sockpath: $work/prod/control}
  serve: {stdinserver: {sockdir: $work/prod/stdinserver}}
jobs:
- {name: offer, type: source, serve: {type: stdinserver, client_identity: prod1}, datasets: {"$root<": ok}, snapshot_prefix: zrepl_}
YML
  takes_part pull || return 0
  sshd_usable || { echo "cannot use sshd: it is not here, or this account is locked" >&2; exit 1; }
  cat >"$work/pull.yml" <<YML
global: {rundir: $work/backup, statedir: $work/state/backup, control: {sockpath: $work/backup/control}}
jobs:
- name: pull
  type: pull
  connect: $(ssh_connect)
  mapping: {"$root<": $(target pull)}
  snapshot_prefix: zrepl_
  parallel: 4
YML
}

# ready CONTENDER starts what its copy needs, and leave ends it. With $over=ssh the source is at the other end of an ssh.
over=local
ready() {
  case $1 in
  pull)
    start_sshd "$bin/zstdinserver -sockdir $work/prod/stdinserver prod1"
    start_daemon || exit 1
    ;;
  *)
    [ $over = local ] || start_sshd "$(anything)"
    ;;
  esac
}
leave() { stop_daemon; }

# anything prints a forced command that runs whatever the client wants.
anything() {
  printf '#!/bin/sh\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n' >"$work/anything"
  chmod +x "$work/anything"
  echo "$work/anything"
}
far() { ssh -F none -i "$work/ssh/key" -p "$port" -o UserKnownHostsFile="$work/ssh/known_hosts" -o BatchMode=yes "$(id -un)@127.0.0.1" "$@"; }

# copy CONTENDER brings its copy up to date.
copy() {
  case $1 in
  local*) zreplctl -config "$work/$1.yml" local -skip snapshot,prune mirror ;;
  pull) zreplctl -config "$work/pull.yml" pull -skip prune pull ;;
  syncoid) with_syncoid ;;
  syncoid_r) with_syncoid --no-sync-snap ;;
  esac
}
with_syncoid() {
  case $over in
  local) syncoid -q -r --no-privilege-elevation --recvoptions=u "$@" $root "$(target syncoid)" ;;
  ssh)
    syncoid -q -r --no-privilege-elevation --recvoptions=u --sshport="$port" --sshkey="$work/ssh/key" \
      --sshoption=UserKnownHostsFile="$work/ssh/known_hosts" "$@" "$(id -un)@127.0.0.1:$root" "$(target syncoid)"
    ;;
  esac
}

# The bare loop, by rows of the table.
there() { echo "$(target loop)${1#"$root"}"; }
loop_first() {
  while read -r ds; do zfs send "$ds@zrepl_0" </dev/null | zfs recv -u "$(there "$ds")" || return 1; done <"$work/names"
}
loop_one() {
  while read -r ds; do zfs send -i @zrepl_0 "$ds@zrepl_1" </dev/null | zfs recv -u "$(there "$ds")" || return 1; done <"$work/names"
}
loop_chain() { zfs send -I @zrepl_0 "$root@zrepl_$chain" | zfs recv -u "$(there $root)"; }
loop_stream() { far zfs send $root@zrepl_0 | zfs recv -u "$(there $root)"; }
loop_nothing() {
  zfs list -Hp -r -t snapshot,bookmark -o name,guid,createtxg $root >"$work/here" &&
    zfs list -Hp -r -t snapshot,bookmark -o name,guid,createtxg "$(there $root)" >"$work/there" &&
    awk -F '[@\t]' 'NR == FNR { have[$3]; next } !($3 in have) { print $1, last, $2 } { last = $2 }' "$work/there" "$work/here" >"$work/lacks"
}
loop_idle() { loop_nothing; }
loop_many() {
  loop_nothing || return 1
  while read -r ds from to; do zfs send -i "@$from" "$ds@$to" </dev/null | zfs recv -u "$(there "$ds")" || return 1; done <"$work/lacks"
}

# fresh_pools makes both pools anew, and forgets what our jobs know of them.
fresh_pools() {
  for pool in zt_prod zt_backup; do settled zpool destroy -f $pool; rm -f "$work/$pool.img"; done
  make_pools
  rm -rf "$work/state"
  mkdir "$work/state"
}

# mark keeps the state of the pools, and of what our jobs know; rewind goes back to it.
mark() {
  cp -R "$work/state" "$work/state.kept.new" && rm -rf "$work/state.kept" && mv "$work/state.kept.new" "$work/state.kept"
  case $kind in
  sim) rm -rf "$work/sim.kept" && cp -R "$work/sim" "$work/sim.kept" ;;
  real) zpool checkpoint zt_prod && zpool checkpoint zt_backup ;;
  esac
}
rewind() {
  rm -rf "$work/state" && cp -R "$work/state.kept" "$work/state" || exit 1
  case $kind in
  sim) rm -rf "$work/sim" && cp -R "$work/sim.kept" "$work/sim" || exit 1 ;;
  real)
    for pool in zt_prod zt_backup; do
      settled zpool export $pool &&
        zpool import -N -R "$work/mnt" -d "$work/$pool.img" --rewind-to-checkpoint $pool && zpool checkpoint $pool || exit 1
    done
    ;;
  esac
}
