# real.sh: what scripts/test -real does; read by it.
# shellcheck shell=sh disable=SC2154

install_programs() {
  missing=
  for pair in mandoc:mandoc zsh:zsh fish:fish strace:strace python3:python3 qemu-system-x86_64:qemu-system-x86 promtool:prometheus chromium-headless-shell:chromium-headless-shell zstd:zstd /usr/sbin/sshd:openssh-server ssh:openssh-client; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
  done
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
  [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server"
  [ -z "$missing" ] && return
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  apt-get update && apt-get install -y --no-install-recommends $missing
}

# manual_pages lets mandoc judge all of them. It cannot know manuals that are not installed.
manual_pages() {
  pages=$(find . -type f -name '*.[1578]' -not -path './.git/*')
  # shellcheck disable=SC2086
  mandoc -T lint $pages >"$work/said" 2>"$work/lint"
  grep -v 'outdated mandoc.db' "$work/lint" >"$work/complaints"
  grep -v 'referenced manual not found' "$work/said" >>"$work/complaints"
  cat "$work/complaints"
  echo "$pages" | wc -l
  [ ! -s "$work/complaints" ]
}

# same_as_sim VERSION runs e2e on real OpenZFS and compares what it prints with what zfs-sim made of it.
same_as_sim() {
  real_status=0
  scripts/on-zfs -V "$1" -t 2400 -bin "$bin" e2e >"$work/e2e-real-$1" 2>&1 || real_status=$?
  diff "$work/e2e-sim" "$work/e2e-real-$1" || real_status=1
  tail -n 1 "$work/e2e-real-$1"
  return $real_status
}

# conforms VERSION compares zfs-sim, as that version, with the real one, command by command.
conforms() {
  # Forged streams take a quarter of an hour by themselves where the machine is emulated.
  sections=$(cd scripts/conformance.d && ls [0-9]*.sh | sed 's/\.sh$//')
  [ -n "${ZT_HEAVY-}" ] || sections=$(echo "$sections" | grep -v forged)
  # Forged streams have not been compared with 2.1.
  [ "$1" != 2.1 ] || sections=$(echo "$sections" | grep -v forged)
  sections=$(echo $sections)
  mkdir -p "$work/sim" || return 1
  for name in zfs zpool mount umount; do ln -sf "$bin/zfs-sim" "$work/sim/$name"; done
  PATH=$work/sim:$bin:$PATH ZFS_SIM_ROOT="$work/sim-$1" ZFS_SIM_VERSION=$1 scripts/conformance $sections >"$work/transcript-sim-$1" || return 1
  known "$1" || return 1
  [ -n "${ZT_HEAVY-}" ] || [ ! -s "$answer" ] || {
    echo "what OpenZFS $1 says is known: this image was asked the same before"
    scripts/conformance -compare "$work/transcript-sim-$1" "$answer"
    return
  }
  # A busy machine's console has lost a line once: what differs is asked once more.
  ask "$1" || return 1
  scripts/conformance -compare "$work/transcript-sim-$1" "$work/transcript-$1" >"$work/differences-$1" ||
    { cat "$work/differences-$1"; echo "asking again"; ask "$1" && scripts/conformance -compare "$work/transcript-sim-$1" "$work/transcript-$1" >"$work/differences-$1"; }
  same=$?
  cat "$work/differences-$1"
  [ $same = 0 ] || return 1
  rm -f "$folder"/transcript-*
  cp "$work/transcript-$1" "$answer.new" && mv "$answer.new" "$answer"
}

# known VERSION sets answer to the file for what the real one says, beside its image. A machine says the same each time it
# is asked the same, so its name has the sums of both. With ZT_HEAVY it is asked again.
known() {
  folder=$(scripts/zfsvm build "$1" 2>/dev/null) || return 1
  sum=$(cat "$folder/vmlinuz" "$folder/initrd.gz" scripts/conformance scripts/conformance.d/*.sh scripts/conformance.d/normalise.awk lib/cmd/zfs-forge/*.go | cksum | tr ' ' -)
  answer=$folder/transcript-$sum-$(echo "$sections" | cksum | cut -d ' ' -f 1)
}

# ask VERSION runs the commands in the machine.
ask() {
  mkdir -p "$work/conformance-$1/bin" && cp "$bin/zfs-forge" "$work/conformance-$1/bin/" || return 1
  rm -rf "$work/conformance-$1/scripts" && cp -R scripts "$work/conformance-$1/" || return 1
  # Standard error would come out between the lines, as the machine has one console.
  cat >"$work/conformance-$1/run" <<RUN
#!/bin/sh
echo 1 >/proc/sys/kernel/printk # no message of the kernel between the lines
./scripts/conformance $sections >/tmp/transcript 2>/tmp/said || status=\$?
cat /tmp/transcript
sed 's/^/# /' /tmp/said
exit \${status:-0}
RUN
  chmod +x "$work/conformance-$1/run"
  scripts/zfsvm run -V "$1" -t 2400 "$work/conformance-$1" >"$work/transcript-$1" || { tail -n 20 "$work/transcript-$1"; return 1; }
}

# parts are what runs on real OpenZFS, a line each: its script or function, the versions, how it is shown, and
# what it is about. With "heavy" a version does it only with ZT_HEAVY: scripts/test has run the same on zfs-sim, and
# ZFS decides little of it. They take minutes each where the machine is emulated, so the newest and the oldest version
# share them; both=2.4 and 2.1. With ZT_HEAVY there is 2.3, too, and each version does all of it, 2.1 but what is heavy.
parts='
conforms       both       shown_step  zfs-sim conforms
same_as_sim    2.1        counted     e2e, as on zfs-sim,
e2e-ssh        2.1        shown       pulls through sshd
e2e-prune      2.4        counted     snapshots and pruning
e2e-expect     2.1        counted     what is let pass of zfs send,
e2e-engine     2.4        counted     a tree in three ways
e2e-conflicts  2.4        counted     reasons not to move
e2e-aside      heavy      counted     copies that are set aside
e2e-clones     heavy      counted     clones that stay clones
e2e-vanished   heavy      counted     copies whose sources are gone
e2e-inert      2.4        counted     copies that stay inert,
e2e-user       2.4        counted     users who are not root,
e2e-resume     2.1        shown       links cut and resumed
e2e-restore    2.4        counted     copies that come back as datasets,
e2e-restore-remote heavy    counted     copies that come back over a connection,
e2e-find       heavy      counted     files that come back,
e2e-seed       2.1        counted     first copies carried by a file,
e2e-select     heavy      counted     datasets that a property chooses,
e2e-hostile    2.1        counted     hostile peers
e2e-systemd    heavy      shown       the deb under systemd,
e2e-verify     heavy      counted     copies that are compared with their sources
e2e-compress   heavy      counted     streams that zstd compresses
e2e-takes      heavy      counted     what a receiver cannot take,
e2e-recovery   heavy      counted     recovery by the manual
e2e-readme     heavy      counted     the crontab of README
e2e-hooks      heavy      counted     hooks
e2e-databases  heavy      counted     databases that are written to,
e2e-digest     2.4        counted     one number for a snapshot and its copies
e2e-timeleft   heavy      shown       the time left that a run shows
e2e-bytes      heavy      shown       who touches the bytes of a stream
e2e-crash      heavy      shown       crashes at random
e2e-chain      heavy      shown       honest streams, and what a chain costs,
e2e-txgs       heavy      shown       transaction groups of a run
'
# parts_of VERSION lists its parts.
parts_of() {
  echo "$parts" | while read -r part where _; do
    case $part,$where,${ZT_HEAVY:+heavy},$1 in
    ,*) ;;
    *,both,*,* | *,"$1",*,*) echo "$part" ;;
    *,heavy,,* | *,heavy,heavy,2.1) ;;
    *,heavy,heavy,* | *,*,heavy,*) echo "$part" ;;
    esac
  done
}

# run_part VERSION PART keeps what a part says, how it ends and how long it takes, for told.
run_part() {
  kept=$work/$1.$2 begin=$(date +%s) ended=0
  case $2 in
  conforms | same_as_sim) "$2" "$1" ;;
  e2e-crash) scripts/on-zfs -V "$1" -t 3000 -bin "$bin" e2e-crash -points "${ZT_CRASH_POINTS:-20}" ;;
  e2e-databases) scripts/on-zfs -V "$1" -t 2400 -p postgresql,mariadb-server -bin "$bin" e2e-databases ;;
  e2e-systemd) ZFSVM_VERSION=$1 scripts/test.d/e2e-systemd ;;
  *) scripts/on-zfs -V "$1" -t 2400 -bin "$bin" MB=$resume_mb BRIEFLY=$briefly "$2" ;;
  esac >"$kept" 2>&1 </dev/null || ended=$?
  echo "$ended $(($(date +%s) - begin))" >"$kept.ended"
}
told() { # told VERSION PART
  read -r ended took <"$work/$1.$2.ended" || return 1
  cat "$work/$1.$2"
  return "$ended"
}
# show_parts VERSION reports its parts in their order.
show_parts() {
  for part in $(parts_of "$1"); do
    line=$(echo "$parts" | grep "^$part ")
    # shellcheck disable=SC2086
    set -- "$1" $line
    version=$1 how=$4
    shift 4
    $how "$* on OpenZFS $version" told "$version" "$part"
    set -- "$version"
  done
}

real() {
  resume_mb=150 briefly=1 soak=20
  [ -z "${ZT_HEAVY-}" ] || resume_mb=300 briefly='' soak=600
  step "install what is missing" install_programs
  step "build without cgo" env CGO_ENABLED=0 go build -o "$bin/" work
  step "build tests that run in the machine" env CGO_ENABLED=0 go test -c -o "$bin/" ./zreplctl/internal/crash ./zreplctl/internal/job
  step "manual pages" manual_pages
  counted "completion in bash, zsh and fish" scripts/test.d/completion-test -bin "$bin"
  counted "metrics and alert rules as promtool sees them" scripts/test.d/e2e-metrics -bin "$bin"
  counted "the report in a browser" scripts/test.d/e2e-report -bin "$bin"
  counted "frames of another implementation" scripts/test.d/interop -bin "$bin"
  counted "databases that are written to" scripts/test.d/e2e-databases -bin "$bin"
  shown "20 jobs while everything fails" env DURATION=$soak scripts/test.d/e2e-soak -bin "$bin"
  counted "packages" scripts/test.d/e2e-packages -bin "$bin"
  # It compiles everything for three systems twice, without a cache.
  [ -z "${ZT_HEAVY-}" ] || counted "packages of two builds" scripts/test.d/reproducible
  versions="2.4 2.1"
  [ -z "${ZT_HEAVY-}" ] || versions="2.4 2.3 2.1"
  for version in $versions; do step "the machine with OpenZFS $version" scripts/zfsvm build $version; done
  counted "e2e on zfs-sim" scripts/test.d/e2e -bin "$bin"
  cp "$work/log" "$work/e2e-sim"
  # Two machines of one processor each are half as fast again as two of two on two processors.
  [ "$(nproc)" -ge 4 ] || export ZFSVM_CPUS=1
  (for part in $(parts_of 2.4); do run_part 2.4 "$part"; done) 3>&- &
  (for part in $(parts_of 2.1); do run_part 2.1 "$part"; done) 3>&- &
  wait
  [ -z "${ZT_HEAVY-}" ] || for part in $(parts_of 2.3); do run_part 2.3 "$part"; done 3>&-
  for version in $versions; do show_parts "$version"; done
  shown "who touches the stream's bytes" scripts/test.d/e2e-bytes -bin "$bin"
  # On zfs-sim: in a machine without hardware support the streams are over before they can be hit.
  shown "parts of a pull killed" scripts/test.d/e2e-kill -bin "$bin"
}
real
