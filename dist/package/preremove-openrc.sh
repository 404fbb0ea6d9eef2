#!/bin/sh
# Before a removal with apk.
rc-service --ifstarted zreplctl stop || true
rc-update -q del zreplctl || true
