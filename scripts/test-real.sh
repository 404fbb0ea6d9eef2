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
  pages=$(find . -name '*.[1578]' -not -path './.git/*')
  # shellcheck disable=SC2086
  mandoc -T lint $pages 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db' >"$work/lint"
  cat "$work/lint"
  echo "$pages" | wc -l
  [ ! -s "$work/lint" ]
}

# same_as_sim VERSION runs e2e on real OpenZFS and compares what it prints with what zfs-sim made of it.
same_as_sim() {
  scripts/on-zfs -V "$1" -t 900 -bin "$bin" e2e >"$work/e2e-$1" 2>&1
  status=$?
  diff "$work/e2e-sim" "$work/e2e-$1" || status=1
  tail -n 1 "$work/e2e-$1"
  return $status
}

real() {
  step "install what is missing" install_programs
  step "build without cgo" env CGO_ENABLED=0 go build -o "$bin/" work
  step "manual pages" manual_pages
  counted "completion in bash, zsh and fish" scripts/completion-test -bin "$bin"
  for version in 2.3 2.1; do step "the machine with OpenZFS $version" scripts/zfsvm build $version; done
  counted "frames, against another implementation" scripts/interop -bin "$bin"
  counted "e2e on zfs-sim" scripts/e2e -bin "$bin"
  cp "$work/log" "$work/e2e-sim"
  for version in 2.3 2.1; do
    counted "e2e on OpenZFS $version, as on zfs-sim" same_as_sim $version
    shown "snapshots and pruning on OpenZFS $version" scripts/on-zfs -V $version -t 900 -bin "$bin" e2e-prune
    shown "pulls through sshd on OpenZFS $version" scripts/on-zfs -V $version -t 900 -bin "$bin" e2e-ssh
  done
  shown "who touches the stream's bytes" scripts/on-zfs -V 2.3 -t 900 -bin "$bin" e2e-bytes
  shown "parts of a pull killed" scripts/on-zfs -V 2.3 -t 900 -bin "$bin" e2e-kill
}
real
