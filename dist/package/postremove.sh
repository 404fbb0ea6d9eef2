#!/bin/sh
# After a removal. A purge also removes what runs have noted. The configuration and its keys stay in
# /etc/zreplctl, and holds stay on the datasets: zreplctl abandon releases them, before a removal.
set -e
case ${1:-} in
purge) rm -rf "${DPKG_ROOT:-}/var/lib/zreplctl" "${DPKG_ROOT:-}/run/zreplctl" "${DPKG_ROOT:-}"/var/lib/systemd/timers/stamp-zreplctl@*.timer ;;
esac
if [ -d "${DPKG_ROOT:-}/run/systemd/system" ]; then
  systemctl daemon-reload || true
  # A unit that failed is remembered after its file is gone. An upgrade must not forget it.
  case ${1:-} in
  remove | purge | 0) systemctl reset-failed 'zreplctl*' 2>/dev/null || true ;;
  esac
fi
