#!/bin/sh
# After a removal. A purge also removes what runs have noted. The configuration and its keys stay in
# /etc/zreplctl, and holds stay on the datasets: zreplctl abandon releases them, before a removal.
set -e
case ${1:-} in
purge) rm -rf "${DPKG_ROOT:-}/var/lib/zreplctl" "${DPKG_ROOT:-}/run/zreplctl" "${DPKG_ROOT:-}"/var/lib/systemd/timers/stamp-zreplctl@*.timer ;;
esac
if [ -d "${DPKG_ROOT:-}/run/systemd/system" ]; then systemctl daemon-reload || true; fi
