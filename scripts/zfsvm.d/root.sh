# root.sh: "zfsvm root", a disk with Debian and systemd for the machine; read by scripts/zfsvm.
# shellcheck shell=bash disable=SC2154

# What a run does not look at is not started: each unit takes a second where the processor is emulated. The initrd has
# loaded all modules that there are.
not_started="serial-getty@ttyS0.service getty@tty1.service systemd-logind.service systemd-modules-load.service
  systemd-pstore.service systemd-random-seed.service dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount apt-daily.timer apt-daily-upgrade.timer
  dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service zfs-share.service zfs-volume-wait.service"

# root makes the disk if it is missing or made by another version of this file, and prints where it is. One with more
# packages is beside the one without.
root() {
  local recipe image tree
  build "$version"
  image=$folder/root${packages:+-$packages}.img
  recipe=$(cat "${BASH_SOURCE[0]}" "$folder/base/kernel" | sha256sum)
  exec 9>"$folder/lock"
  flock 9
  if [[ ! -s $image || $(cat "$image.recipe" 2>/dev/null) != "$recipe" ]]; then
    : "${libraries_of:=bookworm}"
    prepare_apt
    say "OpenZFS $version: a disk with Debian $libraries_of (about 2 minutes)"
    tree=$work/tree
    debian "$tree"
    with_zfs "$tree"
    starts_job "$tree"
    rm -f "$image" "$image.new"
    truncate -s 3G "$image.new"
    quietly mke2fs -q -F -t ext4 -m 0 -d "$tree" "$image.new"
    mv "$image.new" "$image"
    echo "$recipe" >"$image.recipe"
  fi
  exec 9>&-
  echo "$image"
}

debian() {
  local option options=()
  for option in path-exclude={/usr/share/doc/*,/usr/share/man/*,/usr/share/locale/*} force-unsafe-io; do
    options+=(--dpkgopt="$option")
  done
  apt_get install -y --no-install-recommends mmdebstrap e2fsprogs
  quietly mmdebstrap --mode=root --variant=essential "${options[@]}" --aptopt='APT::Install-Recommends "false"' \
    --include="systemd,systemd-sysv,dbus,procps,openssh-server,openssh-client,libtirpc3${packages:+,$packages}" \
    "$libraries_of" "$1" "$work/$libraries_of.list"
}

# with_zfs adds the programs that the machine's kernel module fits, and Debian's units for them.
with_zfs() {
  local lib wanted
  (cd "$work/debs" && quietly apt_from "$libraries_of" apt-get -t "$release" download zfsutils-linux)
  # not dpkg-deb -x: it makes a folder of the link /sbin where a package has files in it, as Debian 12's have
  dpkg-deb --fsys-tarfile "$work"/debs/zfsutils-linux_*.deb | tar -x --keep-directory-symlink -C "$1"
  cp "$folder"/base/sbin/* "$1/usr/sbin/"
  for lib in "$folder"/base/lib/lib{zfs,zpool,nvpair,uutil}*; do cp -a "$lib" "$1/usr/lib/x86_64-linux-gnu/"; done
  wanted=$(chroot "$1" ldd /usr/sbin/zfs /usr/sbin/zpool) || die "cannot find which libraries zfs needs on Debian $libraries_of"
  wanted=$(grep 'not found' <<<"$wanted" || true)
  [[ -z $wanted ]] || die "Debian $libraries_of has not what OpenZFS $version needs: $wanted"
  systemctl --root="$1" --quiet enable zfs.target zfs-import.target zfs-import-cache.service zfs-mount.service 2>/dev/null
}

# starts_job lets systemd start /job/run when all else is there, and end the machine after it.
starts_job() {
  local unit units=$1/etc/systemd/system
  mkdir -p "$1/job"
  rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" # what is installed later is installed whole
  echo zfsvm >"$1/etc/hostname"
  [[ -e $1/usr/sbin/modprobe ]] || ln -s ../bin/true "$1/usr/sbin/modprobe"
  for unit in $not_started; do ln -sf /dev/null "$units/$unit"; done
  cat >"$units/zfsvm.target" <<'UNIT'
[Unit]
Description=The job of zfsvm
Requires=multi-user.target
After=multi-user.target
Wants=zfsvm.service
AllowIsolate=yes
UNIT
  cat >"$units/zfsvm.service" <<'UNIT'
[Unit]
Description=The job of zfsvm
After=multi-user.target
[Service]
Environment=HOME=/root LC_ALL=C
WorkingDirectory=/job
StandardOutput=file:/dev/ttyS0
StandardError=file:/dev/ttyS0
ExecStart=/bin/sh -c 'echo; echo ZFSVM-UP; ./run; echo "ZFSVM-EXIT $$?"; systemctl poweroff --force'
UNIT
  ln -sf zfsvm.target "$units/default.target"
}
