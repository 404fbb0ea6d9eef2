# test-real.sh: what scripts/test -real does; read by it.
# shellcheck shell=sh disable=SC2154

install_programs() {
  missing=
  for pair in mandoc:mandoc zsh:zsh fish:fish strace:strace python3:python3 qemu-system-x86_64:qemu-system-x86 /usr/sbin/sshd:openssh-server ssh:openssh-client; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
  done
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
  scripts/on-zfs -V "$1" -t 1500 -bin "$bin" e2e >"$work/e2e-real-$1" 2>&1 || real_status=$?
  diff "$work/e2e-sim" "$work/e2e-real-$1" || real_status=1
  tail -n 1 "$work/e2e-real-$1"
  return $real_status
}

# conforms VERSION compares zfs-sim, as that version, with the real one, command by command.
conforms() {
  # Forged streams take a quarter of an hour by themselves where the machine is emulated.
  sections=$(cd scripts/conformance.d && ls [0-9]*.sh | sed 's/\.sh$//')
  [ -n "${ZT_HEAVY-}" ] || sections=$(echo "$sections" | grep -v forged)
  # These have been compared with 2.3 only.
  [ "$1" != 2.1 ] || sections=$(echo "$sections" | grep -v 'keys\|inert\|forged\|together')
  sections=$(echo $sections)
  mkdir -p "$work/sim" "$work/conformance-$1/bin" || return 1
  for name in zfs zpool; do ln -sf "$bin/zfs-sim" "$work/sim/$name"; done
  PATH=$work/sim:$bin:$PATH ZFS_SIM_ROOT="$work/sim-$1" ZFS_SIM_VERSION=$1 scripts/conformance $sections >"$work/transcript-sim-$1" || return 1
  cp "$bin/zfs-forge" "$work/conformance-$1/bin/" || return 1
  rm -rf "$work/conformance-$1/scripts" && cp -R scripts "$work/conformance-$1/" || return 1
  # Standard error would come out between the lines, as the machine has one console.
  cat >"$work/conformance-$1/run" <<RUN
#!/bin/sh
./scripts/conformance $sections >/tmp/transcript 2>/tmp/said || status=\$?
cat /tmp/transcript
sed 's/^/# /' /tmp/said
exit \${status:-0}
RUN
  chmod +x "$work/conformance-$1/run"
  scripts/zfsvm run -V "$1" -t 1500 "$work/conformance-$1" >"$work/transcript-$1" || { tail -n 20 "$work/transcript-$1"; return 1; }
  scripts/conformance -compare "$work/transcript-sim-$1" "$work/transcript-$1"
}

# on VERSION COMMAND… keeps what a command says, how it ends and how long it takes, for told; the
# machines of both versions run at the same time.
on() {
  kept=$work/$1.$2
  version=$1 begin=$(date +%s) ended=0
  shift
  "$@" "$version" >"$kept" 2>&1 </dev/null || ended=$?
  echo "$ended $(($(date +%s) - begin))" >"$kept.ended"
}
script() { scripts/on-zfs -V "$2" -t 1500 -bin "$bin" "$1"; }
e2e_ssh() { script e2e-ssh "$1"; }
e2e_prune() { script e2e-prune "$1"; }
e2e_expect() { script e2e-expect "$1"; }
e2e_bytes() { script e2e-bytes "$1"; }
e2e_engine() { script e2e-engine "$1"; }
e2e_resume() { scripts/on-zfs -V "$1" -t 1500 -bin "$bin" MB=$resume_mb e2e-resume; }
e2e_conflicts() { script e2e-conflicts "$1"; }
e2e_takes() { script e2e-takes "$1"; }
e2e_recovery() { script e2e-recovery "$1"; }
e2e_user() { scripts/on-zfs -V "$1" -t 1500 -bin "$bin" BRIEFLY=$briefly e2e-user; }
e2e_hostile() { script e2e-hostile "$1"; }
e2e_inert() { script e2e-inert "$1"; }
e2e_chain() { script e2e-chain "$1"; }
e2e_txgs() { script e2e-txgs "$1"; }
e2e_readme() { script e2e-readme "$1"; }
e2e_crash() { scripts/on-zfs -V "$1" -t 3000 -bin "$bin" e2e-crash -points "${ZT_CRASH_POINTS:-20}"; }
told() { # told VERSION FUNCTION
  read -r ended took <"$work/$1.$2.ended" || return 1
  cat "$work/$1.$2"
  return "$ended"
}

real() {
  step "install what is missing" install_programs
  step "build without cgo" env CGO_ENABLED=0 go build -o "$bin/" work
  step "build tests that run in the machine" env CGO_ENABLED=0 go test -c -o "$bin/" ./zreplctl/internal/crash ./zreplctl/internal/job
  step "manual pages" manual_pages
  counted "completion in bash, zsh and fish" scripts/completion-test -bin "$bin"
  counted "frames of another implementation" scripts/interop -bin "$bin"
  for version in 2.3 2.1; do step "the machine with OpenZFS $version" scripts/zfsvm build $version; done
  counted "e2e on zfs-sim" scripts/e2e -bin "$bin"
  cp "$work/log" "$work/e2e-sim"
  # What follows these takes minutes each, in a machine without hardware support: the versions share it,
  # and with ZT_HEAVY each does all of it, and what crashes and who touches the bytes is seen there, too.
  both="conforms same_as_sim e2e_ssh e2e_prune e2e_expect"
  parts_of_2_3="$both e2e_engine e2e_conflicts e2e_inert e2e_user"
  parts_of_2_1="$both e2e_resume e2e_takes e2e_recovery e2e_hostile e2e_readme"
  resume_mb=150 briefly=1
  if [ -n "${ZT_HEAVY-}" ]; then
    parts_of_2_1="$both e2e_engine e2e_resume e2e_conflicts e2e_takes e2e_recovery e2e_hostile e2e_inert e2e_user e2e_readme"
    parts_of_2_3="$parts_of_2_1 e2e_bytes e2e_crash e2e_chain e2e_txgs"
    resume_mb=300 briefly=
  fi
  # Two machines of one processor each are half as fast again as two of two on two processors.
  [ "$(nproc)" -ge 4 ] || export ZFSVM_CPUS=1
  (for part in $parts_of_2_3; do on 2.3 "$part"; done) &
  (for part in $parts_of_2_1; do on 2.1 "$part"; done) &
  wait
  parts=$parts_of_2_3
  for version in 2.3 2.1; do
    for part in $parts; do
      case $part in
      conforms) shown_step "zfs-sim conforms to OpenZFS $version" told $version conforms ;;
      same_as_sim) counted "e2e on OpenZFS $version, as on zfs-sim" told $version same_as_sim ;;
      e2e_ssh) shown "pulls through sshd on OpenZFS $version" told $version e2e_ssh ;;
      e2e_prune) counted "snapshots and pruning on OpenZFS $version" told $version e2e_prune ;;
      e2e_expect) counted "what is let pass of zfs send, on OpenZFS $version" told $version e2e_expect ;;
      e2e_engine) counted "a tree in three ways on OpenZFS $version" told $version e2e_engine ;;
      e2e_resume) shown "links cut and resumed on OpenZFS $version" told $version e2e_resume ;;
      e2e_conflicts) counted "reasons not to move on OpenZFS $version" told $version e2e_conflicts ;;
      e2e_takes) counted "what a receiver cannot take, on OpenZFS $version" told $version e2e_takes ;;
      e2e_user) counted "users who are not root, on OpenZFS $version" told $version e2e_user ;;
      e2e_recovery) counted "recovery by the manual on OpenZFS $version" told $version e2e_recovery ;;
      e2e_readme) counted "README's crontab on OpenZFS $version" told $version e2e_readme ;;
      e2e_inert) counted "copies that stay inert, on OpenZFS $version" told $version e2e_inert ;;
      e2e_hostile) counted "hostile peers on OpenZFS $version" told $version e2e_hostile ;;
      e2e_chain) shown "honest streams, and what a chain costs, on OpenZFS $version" told $version e2e_chain ;;
      e2e_txgs) shown "transaction groups of a run on OpenZFS $version" told $version e2e_txgs ;;
      e2e_bytes) shown "who touches the stream's bytes on OpenZFS $version" told $version e2e_bytes ;;
      e2e_crash) shown "crashes at random on OpenZFS $version" told $version e2e_crash ;;
      esac
    done
    parts=$parts_of_2_1
  done
  shown "who touches the stream's bytes" scripts/e2e-bytes -bin "$bin"
  # On zfs-sim: in a machine without hardware support the streams are over before they can be hit.
  shown "parts of a pull killed" scripts/e2e-kill -bin "$bin"
}
real
