#!/bin/bash
# ipvlan: what passes in each mode, both families; the addresses of the plugin before; and what of it is refused, checked and removed.
. "$(dirname "$0")/tools.sh"

# The parent, and a host at the other end of its wire.
wire() {
  ip netns add outside
  ip link add parent type veth peer name wire netns outside
  ip link set parent up
  ip -n outside link set wire up
  ip -n outside addr add 10.1.0.1/24 dev wire
  ip -n outside addr add fd00:1::1/64 dev wire nodad
}

# MORE: a configuration on the parent, with addresses that the outside reaches; MORE is empty or begins with a comma
on_parent() { network net ipvlan ",\"master\":\"parent\",$(ipam 10.1.0.0/24 fd00:1::/64)$1"; }

# CODE PATTERN ANSWER: an error of that code whose words match
error_is() {
  [[ $3 == *"\"code\": $1,"* ]] || fail "expected code $1: $3"
  grep -Eq "$2" <<<"$3" || fail "expected '$2': $3"
}

reservations() { ls "$data/net" 2>/dev/null | grep -c '[0-9a-f][.:]' ; }

case_l2() {
  wire; sandbox a b
  local one two frames mac
  ip link add eth0 type veth peer name other
  ip netns exec outside tcpdump -lnU -i wire -w "$data/wire" 2>"$data/wire.log" & local capture=$!
  until grep -q listening "$data/wire.log"; do sleep 0.2; done
  cni STATUS ipvlan a "$(on_parent)" || fail "STATUS"
  one=$(cni ADD ipvlan a "$(on_parent)") || fail "$one"
  two=$(cni ADD ipvlan b "$(on_parent)") || fail "$two"
  for address in 10.1.0.1 10.1.0.3 fd00:1::1 fd00:1::3; do answers a $address || fail "no answer from $address"; done
  for address in 10.1.0.2 fd00:1::3; do answers outside $address || fail "outside: no answer from $address"; done
  mac=$(cat /sys/class/net/parent/address)
  grep -q "\"mac\": \"$mac\"" <<<"$one" || fail "the hardware address is not the parent's: $one"
  grep -q '"mtu": 1500' <<<"$one" || fail "no mtu in the result: $one"
  check ipvlan a "$(on_parent)" "$one" || fail "CHECK"
  sleep 0.5; kill -INT $capture; wait $capture
  frames=$(tcpdump -enr "$data/wire" 2>/dev/null)
  grep -Eq "$mac > .*(Request who-has|Announcement) 10.1.0.2" <<<"$frames" || fail "the address was not announced: $frames"
  grep -Eq "$mac > .*neighbor advertisement, tgt is fd00:1::2" <<<"$frames" || fail "the IPv6 address was not announced: $frames"
  cni DEL ipvlan a "$(on_parent)" && cni DEL ipvlan a "$(on_parent)" || fail "DEL"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  answers b 10.1.0.1 || fail "DEL of the one disturbed the other"
  ip netns delete b
  cni DEL ipvlan b "$(on_parent)" || fail "DEL without namespace"
  [ "$(reservations)" = 0 ] || fail "an address is left"
  nothing_left parent eth0 other
}

# Routed: every container may be in a subnet of its own.
routed() { # MODE
  wire; sandbox a b
  local first second one two
  first=$(network "one-$1" ipvlan ",\"master\":\"parent\",\"mode\":\"$1\",$(ipam 10.2.0.0/24 fd00:2::/64)")
  second=$(network "two-$1" ipvlan ",\"master\":\"parent\",\"mode\":\"$1\",$(ipam 10.3.0.0/24 fd00:3::/64)")
  first=${first/\"ranges\"/\"routes\":[{\"dst\":\"0.0.0.0\/0\",\"scope\":253\},{\"dst\":\"::\/0\",\"scope\":253\}],\"ranges\"}
  second=${second/\"ranges\"/\"routes\":[{\"dst\":\"0.0.0.0\/0\",\"scope\":253\},{\"dst\":\"::\/0\",\"scope\":253\}],\"ranges\"}
  one=$(cni ADD ipvlan a "$first") || fail "$one"
  two=$(cni ADD ipvlan b "$second") || fail "$two"
  ip -d -n a link show eth0 | grep -q "mode $1 " || fail "another mode: $(ip -d -n a link show eth0)"
  for address in 10.3.0.2 fd00:3::2; do answers a $address || fail "no answer from $address, of another subnet"; done
  check ipvlan a "$first" "$one" && check ipvlan b "$second" "$two" || fail "CHECK"
  check ipvlan a "${first/\"mode\":\"$1\"/\"mode\":\"l2\"}" "$one" | grep -q "mode $1 does not match expected value: l2" || fail "CHECK does not miss the mode"
  cni DEL ipvlan a "$first" && cni DEL ipvlan b "$second" || fail "DEL"
  nothing_left parent
}
case_l3() { routed l3; }
case_l3s() { routed l3s; }

case_chained() {
  wire; sandbox a
  local config before result
  config='{"cniVersion":"1.1.0","name":"net","type":"ipvlan","dns":{"domain":"example.net"}'
  before='{"cniVersion":"1.1.0","interfaces":[{"name":"parent"}],"ips":[{"address":"10.1.0.9/24","interface":0},{"address":"fd00:1::9/64"}],"routes":[{"dst":"10.9.0.0/16","gw":"10.1.0.1"}],"dns":{"nameservers":["192.0.2.53"]}}'
  result=$(cni ADD ipvlan a "$config,\"prevResult\":$before}") || fail "$result"
  [ "$(grep -c '"name"' <<<"$result")" = 1 ] || fail "more than the one interface: $result"
  grep -q '"domain": "example.net"' <<<"$result" || fail "no dns: $result"
  for address in 10.1.0.1 fd00:1::1; do answers a $address || fail "no answer from $address"; done
  ip -n a route | grep -q '10.9.0.0/16 via 10.1.0.1' || fail "the route is missing: $(ip -n a route)"
  check ipvlan a "$config}" "$result" || fail "CHECK"
  # With more interfaces than ADD would take.
  cni DEL ipvlan a "$config,\"prevResult\":${result/\"interfaces\": [/\"interfaces\": [{\"name\":\"other\"\},}}" || fail "DEL"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  result=$(cni ADD ipvlan a "${config/,\"dns\":{\"domain\":\"example.net\"\}/},\"prevResult\":$before}") || fail "$result"
  grep -q 192.0.2.53 <<<"$result" || fail "the dns of the plugin before is lost: $result"
  cni DEL ipvlan a "$config}" || fail "DEL without prevResult"
  result=$(cni ADD ipvlan a "$config,\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"parent\"},{\"name\":\"lo\"}],\"ips\":[{\"address\":\"10.1.0.9/24\"}]}}") && fail "took one of two interfaces"
  error_is 7 'PrevResult lacks a single named interface' "$result"
}

# No master and no default route, no parent, nothing that can be read: what the reference's DEL fails on.
case_del() {
  wire; sandbox a b
  local config answer
  config=$(network net ipvlan ",$(ipam 10.1.0.0/24 fd00:1::/64)")
  answer=$(cni ADD ipvlan a "$config") && fail "ADD without a default route"
  error_is 7 'no default route interface found' "$answer"
  error_is 7 'could be the parent: .*parent' "$answer"
  cni STATUS ipvlan a "$config" || fail "STATUS takes a plugin of a chain for one that stands alone"
  answer=$(cni STATUS ipvlan a "$(network net ipvlan ',"master":"nowhere"')") && fail "STATUS without parent"
  error_is 50 'nowhere' "$answer"
  cni DEL ipvlan a "$config" || fail "DEL of what was not added"
  ip addr add 10.1.0.254/24 dev parent
  ip route add default via 10.1.0.1
  answer=$(cni ADD ipvlan a "$config") || fail "$answer"
  answers a 10.1.0.1 || fail "no answer"
  check ipvlan a "$config" "$answer" || fail "CHECK without master"
  ip route delete default
  check ipvlan a "$config" "$answer" || fail "CHECK without master and default route"
  cni DEL ipvlan a "${config%\}},\"prevResult\":{\"cniVersion\":\"7\",\"ips\":5}}" || fail "DEL with a result that nobody can read"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  answer=$(cni ADD ipvlan b "$(on_parent)") || fail "$answer"
  ip link delete parent
  check ipvlan b "$(on_parent)" "$answer" | grep -q 'interface eth0 is missing' || fail "CHECK does not miss the parent"
  cni DEL ipvlan b "$(on_parent)" || fail "DEL without parent"
  [ "$(reservations)" = 0 ] || fail "an address is left"
}

case_refused() {
  wire; sandbox a b
  local answer
  answer=$(cni ADD ipvlan a "$(on_parent ',"mode":"l4"')") && fail "took mode l4"
  error_is 7 'mode: .*l4.* is not one of l2, l3, l3s' "$answer"
  answer=$(cni ADD ipvlan a "$(on_parent ',"mtu":9000')") && fail "took an MTU beyond the parent's"
  error_is 7 'invalid MTU 9000' "$answer"
  answer=$(cni ADD ipvlan a "$(network n ipvlan ',"master":"lo"')") && fail "took lo"
  error_is 7 loopback "$answer"
  ip -n a link add eth0 type veth peer name eth1
  answer=$(cni ADD ipvlan a "$(on_parent)") && fail "took a name that is taken"
  error_is 101 'eth0.*already exists' "$answer"
  cni DEL ipvlan a "$(on_parent)" || fail "DEL"
  ip -n a link show eth0 >/dev/null || fail "DEL removed an interface that is no ipvlan"
  ip link add upper link parent type macvlan mode bridge
  answer=$(cni ADD ipvlan b "$(on_parent)") && fail "shares its parent with a macvlan"
  error_is 5 'macvlan and ipvlan share no parent' "$answer"
  ip -n b link show eth0 2>/dev/null && fail "a failed ADD left the interface"
  [ "$(reservations)" = 0 ] || fail "a failed ADD left an address"
}

# An address that cannot be configured: the reference leaves interface and reservation.
case_undo() {
  wire; sandbox a
  local config answer
  config=$(on_parent)
  config=${config/\"ranges\"/\"routes\":[{\"dst\":\"10.9.0.0\/16\",\"gw\":\"10.99.0.1\"\}],\"ranges\"}
  answer=$(cni ADD ipvlan a "$config") && fail "took an unreachable gateway"
  error_is 5 'add route 10.9.0.0/16 via 10.99.0.1' "$answer"
  ip -n a link show eth0 2>/dev/null && fail "a failed ADD left the interface"
  [ "$(reservations)" = 0 ] || fail "a failed ADD left an address"
}

case_without_ipam() {
  wire; sandbox a
  local config result
  config=$(network net ipvlan ',"master":"parent","mtu":1400')
  result=$(cni ADD ipvlan a "$config") || fail "$result"
  grep -q '"mtu": 1400' <<<"$result" || fail "no mtu in the result: $result"
  ip -n a addr add 10.1.0.7/24 dev eth0
  answers a 10.1.0.1 || fail "no answer"
  check ipvlan a "$config" "$result" || fail "CHECK"
  cni DEL ipvlan a "$config" || fail "DEL"
  nothing_left parent
}

case_in_container() {
  wire; sandbox a
  local config result
  ip link set parent netns a; ip -n a link set parent up
  config=$(on_parent ',"linkInContainer":true')
  cni STATUS ipvlan a "$config" || fail "STATUS"
  result=$(cni ADD ipvlan a "$config") || fail "$result"
  answers a 10.1.0.1 || fail "no answer"
  check ipvlan a "$config" "$result" || fail "CHECK"
  check ipvlan a "$(on_parent)" "$result" | grep -q 'parent parent of eth0 is missing' || fail "CHECK takes a parent in the container for one on the host"
  cni DEL ipvlan a "$config" || fail "DEL"
  ip -n a link show parent >/dev/null || fail "the parent is gone"
  result=$(cni ADD ipvlan a "${config/\"master\":\"parent\",/}") && fail "no default route, and no master"
  error_is 7 'no default route interface found in the container .linkInContainer.' "$result"
  ip -n a link add upper link parent type macvlan mode bridge
  result=$(cni ADD ipvlan a "$config") && fail "shares its parent with a macvlan"
  ip -n a link show eth0 2>/dev/null && fail "a failed ADD left the interface"
  error_is 5 'Cannot create ipvlan on parent' "$result"
  error_is 5 'macvlan and ipvlan share no parent' "$result"
}

case_six_and_dns() {
  wire; sandbox a b
  local four result
  four="\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.1.0.9/24\"}],\"dns\":{\"nameservers\":[\"192.0.2.53\"]}}"
  result=$(cni ADD ipvlan a "$(network net ipvlan ",\"master\":\"parent\",$four")") || fail "$result"
  grep -q 192.0.2.53 <<<"$result" || fail "IPAM's dns is lost: $result"
  [ "$(ip netns exec a cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 1 ] || fail "IPv6 is on"
  [ -z "$(ip -n a -6 addr show dev eth0)" ] || fail "it has an IPv6 address"
  result=$(cni ADD ipvlan b "$(network net ipvlan ",\"master\":\"parent\",\"ipv6\":\"automatic\",${four/0.9\//0.10\/}")") || fail "$result"
  [ "$(ip netns exec b cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 0 ] || fail "IPv6 is off"
}

report "ipvlan l2, both families: containers meet, are announced, live and die; the host's own of the same name is no conflict" case_l2
thorough "ipvlan l3: containers of different subnets meet" case_l3
thorough "ipvlan l3s: containers of different subnets meet" case_l3s
report "ipvlan chained: on the interface and with the addresses of the plugin before" case_chained
report "ipvlan: DEL needs neither master, default route, parent, namespace nor a result" case_del
thorough "ipvlan: bad mode, MTU, parent and a taken name are refused; DEL removes only ipvlans" case_refused
thorough "ipvlan: an ADD that fails late leaves neither interface nor address" case_undo
thorough "ipvlan without ipam is a layer-2 network" case_without_ipam
thorough "ipvlan with the parent in the container" case_in_container
thorough "ipvlan: IPv6 stays off where no address of it is given, unless it is to be automatic; IPAM's dns is kept" case_six_and_dns
