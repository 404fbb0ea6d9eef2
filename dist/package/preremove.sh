#!/bin/sh
# Before a removal ("remove" of dpkg, 0 of rpm), not before an upgrade.
set -e
case ${1:-} in
remove | 0)
  if [ -d "${DPKG_ROOT:-}/run/systemd/system" ]; then
    # One-shot runs first: they would fail if the daemon that they asked went away.
    systemctl stop 'zreplctl@*.timer' || true
    systemctl stop 'zreplctl@*.service' || true
    systemctl disable --now zreplctl.socket zreplctl.service || true
  fi
  # The links that "systemctl enable" has made, also without systemd running.
  rm -f "${DPKG_ROOT:-}"/etc/systemd/system/multi-user.target.wants/zreplctl.service \
    "${DPKG_ROOT:-}"/etc/systemd/system/sockets.target.wants/zreplctl.socket \
    "${DPKG_ROOT:-}"/etc/systemd/system/timers.target.wants/zreplctl@*.timer
  ;;
esac
