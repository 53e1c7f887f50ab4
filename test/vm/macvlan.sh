#!/bin/bash
# macvlan where it depends on the kernel: before Linux 6.15 an interface of the host's seems to take the container's name.
. "$(dirname "$0")/tools.sh"

case_macvlan() {
  sandbox a b
  local config one two host
  ip netns add outside
  ip link add parent type veth peer name wire netns outside
  ip link set parent up
  ip -n outside link set wire up
  ip -n outside addr add 10.1.0.1/24 dev wire
  ip -n outside addr add fd00:1::1/64 dev wire nodad
  ip link add eth0 type veth peer name other
  host=$(ip -o link show eth0)
  config=$(network net macvlan ",\"master\":\"parent\",\"bcqueuelen\":500,$(ipam 10.1.0.0/24 fd00:1::/64)")
  cni STATUS macvlan a "$config" || fail "STATUS"
  one=$(cni ADD macvlan a "$config") || fail "$one"
  two=$(cni ADD macvlan b "$config") || fail "$two"
  for address in 10.1.0.1 10.1.0.3 fd00:1::1 fd00:1::3; do answers a $address || fail "no answer from $address"; done
  check macvlan a "$config" "$one" || fail "CHECK"
  [ "$(ip -o link show eth0)" = "$host" ] || fail "the host's eth0 was changed: $(ip -o link show eth0)"
  cni DEL macvlan a "$config" && cni DEL macvlan b "$config" || fail "DEL"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  [ "$(ip -o link show eth0)" = "$host" ] || fail "the host's eth0 was changed: $(ip -o link show eth0)"
  nothing_left parent eth0 other
}

thorough "macvlan, both families, lives and dies; the host's own of the same name is no conflict" case_macvlan
