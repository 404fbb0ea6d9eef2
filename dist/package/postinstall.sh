#!/bin/sh
# After an installation or an upgrade: it enables and creates nothing. A daemon that runs is restarted, and its
# next runs continue their streams.
set -e
if [ -d "${DPKG_ROOT:-}/run/systemd/system" ]; then
  systemctl daemon-reload || true
  systemctl try-restart zreplctl.service || true
fi
