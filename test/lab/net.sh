#!/bin/sh
# Two hosts (network namespaces <prefix>a and <prefix>b) on two cables: 10.77.0.0/24 and 10.78.0.0/24. Needs root and iproute2.
#   net.sh up <prefix> | down <prefix>
# down also ends what still runs in these namespaces, and touches nothing else.
set -eu
[ "$(id -u)" = 0 ] || { echo "net.sh: needs root (network namespaces)" >&2; exit 1; }
what=${1:?up or down} a=${2:?prefix}a b=${2}b
down() {
  for n in "$a" "$b"; do
    ip netns list | grep -qE "^$n( |\$)" || continue
    for p in $(ip netns pids "$n"); do kill -9 "$p" 2>/dev/null || true; done
    ip netns del "$n"
  done
}
dress() { # namespace, last byte
  ip -n "$1" link set lo up
  for i in 0 1; do
    ip -n "$1" addr add "10.7$((7 + i)).0.$2/24" dev "eth$i"
    ip -n "$1" link set "eth$i" up
  done
  ip -n "$1" route add default dev eth0
}
case $what in
up)
  down
  ip netns add "$a"; ip netns add "$b"
  for i in 0 1; do ip -n "$a" link add "eth$i" type veth peer name "eth$i" netns "$b"; done
  dress "$a" 1; dress "$b" 2 ;;
down) down ;;
*) sed -n '2,5p' "$0"; exit 2 ;;
esac
