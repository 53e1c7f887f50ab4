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

# A bond as parent: what it carries survives the loss of one of its cables.
case_bond() {
  sandbox a b
  local config one two
  ip netns add outside
  ip -n outside link add br0 type bridge
  ip -n outside link set br0 up
  ip -n outside addr add 10.1.0.1/24 dev br0
  modprobe bonding max_bonds=0 || fail "no bonding"
  ip link add bond0 type bond mode active-backup miimon 100
  for port in port0 port1; do
    ip link add $port type veth peer name wire-$port netns outside
    ip -n outside link set wire-$port up master br0
    ip link set $port master bond0
  done
  ip link set bond0 up
  config=$(network net macvlan ",\"master\":\"bond0\",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}]]}")
  one=$(cni ADD macvlan a "${config/\"bond0\"/\"port0\"}") && fail "took a port of a bond"
  grep -q 'is a port of bond bond0' <<<"$one" || fail "$one"
  one=$(cni ADD macvlan a "$config") || fail "$one"
  two=$(cni ADD vlan b "$(network net vlan ',"master":"bond0","vlanId":100')") || fail "$two"
  until answers a 10.1.0.1; do sleep 0.2; done
  ip -n outside link set wire-port0 down
  until answers a 10.1.0.1; do sleep 0.2; done
  check macvlan a "$config" "$one" || fail "CHECK"
  cni DEL macvlan a "$config" && cni DEL vlan b "$(network net vlan ',"master":"bond0","vlanId":100')" || fail "DEL"
  nothing_left bond0 port0 port1
}

thorough "macvlan, both families, lives and dies; the host's own of the same name is no conflict" case_macvlan
thorough "macvlan and vlan on a bond; a port of one is refused" case_bond
