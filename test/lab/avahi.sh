#!/bin/sh
# avahi with a message bus of its own, in a private /run, in the foreground of the namespace it is started in.
#   avahi.sh publish <name> <port> [txt ...]   |   avahi.sh browse
# publish: until its input ends. browse: prints what avahi-browse resolves, a round at a time, until its input ends.
set -eu
if [ "${IN_PRIVATE_RUN:-}" != 1 ]; then IN_PRIVATE_RUN=1 exec unshare -m "$0" "$@"; fi
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
chown avahi /run/avahi-daemon
# Nothing but the bus of this script: the machine's own one is not seen here.
dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 &
bus=$!
trap 'kill $helper $avahi $bus 2>/dev/null || true' EXIT
helper=
avahi=
k=0; while [ ! -S /run/dbus/system_bus_socket ] && [ $k -lt 100 ]; do sleep 0.05; k=$((k + 1)); done
avahi-daemon --no-drop-root --no-chroot --no-rlimits >/dev/null 2>&1 &
avahi=$!
k=0; until avahi-browse -at >/dev/null 2>&1 || [ $k -ge 100 ]; do sleep 0.1; k=$((k + 1)); done
case $1 in
publish) shift; name=$1 port=$2; shift 2; avahi-publish -s "$name" _handfast._udp "$port" "$@" >/dev/null 2>&1 & helper=$! ;;
browse) avahi-browse -rp _handfast._udp 2>/dev/null & helper=$! ;;
esac
cat >/dev/null
