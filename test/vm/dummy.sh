#!/bin/bash
# dummy: what it is, and what of it is refused, checked and removed.
. "$(dirname "$0")/tools.sh"

dummy_config() { network net dummy ",$(ipam 10.30.0.0/24 fd00:30::/64)$1"; }

reservations() { ls "$data/net" 2>/dev/null | grep -c '[0-9a-f][.:]' ; }

case_life() {
  sandbox a b
  local config one two
  config=$(dummy_config)
  cni STATUS dummy a "$config" || fail "STATUS"
  # The host's own of the same name is no conflict.
  ip link add eth0 type dummy
  one=$(cni ADD dummy a "$config") || fail "$one"
  two=$(cni ADD dummy b "$config") || fail "$two"
  grep -q '"mtu": 1500' <<<"$one" || fail "no mtu in the result: $one"
  ip -n a link set lo up; ip -n b link set lo up # by which a host talks to itself
  for address in 10.30.0.2 fd00:30::2; do answers a $address || fail "no answer from $address"; done
  [ "$(ip -n a -d -o link show eth0 | grep -c dummy)" = 1 ] || fail "it is no dummy"
  check dummy a "$config" "$one" || fail "CHECK"
  cni DEL dummy a "$config" || fail "DEL"
  cni DEL dummy a "$config" || fail "second DEL"
  answers b 10.30.0.3 || fail "DEL of one disturbed the other"
  ip netns delete b
  cni DEL dummy b "$config" || fail "DEL without sandbox"
  [ "$(reservations)" = 0 ] || fail "an address is left"
  nothing_left eth0
}

case_refused() {
  sandbox a b
  local answer config
  config=$(dummy_config)
  for verb in ADD STATUS CHECK; do
    answer=$(cni $verb dummy a "$(network net dummy '')") && fail "$verb without ipam"
    grep -q 'dummy interface requires an IPAM configuration' <<<"$answer" || fail "$answer"
  done
  ip -n a link add eth0 type dummy; ip -n a link set eth0 up
  answer=$(cni ADD dummy a "$config") && fail "took the name of a dummy in use"
  grep -q '"code": 101' <<<"$answer" || fail "$answer"
  ip -n b link add eth0 type veth peer name eth1
  answer=$(cni ADD dummy b "$config") && fail "took a name that is taken"
  grep -q '"code": 101' <<<"$answer" || fail "$answer"
  cni DEL dummy b "$config" || fail "DEL"
  ip -n b link show eth0 >/dev/null || fail "DEL removed an interface that is no dummy"
}

case_without_ipam_del() {
  sandbox a
  local config
  config=$(dummy_config)
  cni ADD dummy a "$config" >/dev/null || fail "ADD"
  cni DEL dummy a "$(network net dummy '')" || fail "DEL"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  cni DEL dummy a "$config" || fail "DEL with ipam"
  [ "$(reservations)" = 0 ] || fail "an address is left"
}

case_check() {
  sandbox a
  local config result
  config=$(network net dummy ",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"10.30.0.0/24\"}]],\"routes\":[{\"dst\":\"10.31.0.0/16\"}]}")
  result=$(cni ADD dummy a "$config") || fail "$result"
  check dummy a "$config" "$result" || fail "CHECK"
  ip -n a route delete 10.31.0.0/16
  check dummy a "$config" "$result" | grep -q 'route 10.31.0.0/16.* is missing' || fail "CHECK does not miss the route"
  ip -n a link set eth0 down
  check dummy a "$config" "$result" | grep -q 'missing\|Interface eth0 is down' || fail "CHECK does not miss that it is down"
  cni DEL dummy a "$config" || fail "DEL"
  result=$(cni ADD dummy a "$(dummy_config)") || fail "$result"
  ip -n a link set eth0 address 02:00:00:00:00:09
  check dummy a "$(dummy_config)" "$result" | grep -q 'hardware address 02:00:00:00:00:09' || fail "CHECK does not miss the hardware address"
}

case_dns_and_six() {
  sandbox a b
  local four config result
  four="\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.30.0.9/24\"}],\"dns\":{\"nameservers\":[\"192.0.2.53\"]}}"
  result=$(cni ADD dummy a "$(network net dummy ",$four,\"dns\":{\"nameservers\":[\"192.0.2.54\"]}")") || fail "$result"
  grep -q 192.0.2.54 <<<"$result" || fail "the configuration's dns is not in the result: $result"
  [ "$(ip netns exec a cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 1 ] || fail "IPv6 is on"
  result=$(cni ADD dummy b "$(network net dummy ",\"ipv6\":\"automatic\",$four")") || fail "$result"
  [ "$(ip netns exec b cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 0 ] || fail "IPv6 is off though it is to be automatic"
  grep -q 192.0.2.53 <<<"$result" || fail "IPAM's dns is not in the result: $result"
}

report "dummy, both families, lives and dies; the host's own of the same name is no conflict" case_life
thorough "dummy: no ipam and a taken name are refused; DEL removes only dummies" case_refused
thorough "dummy: DEL without ipam removes the interface" case_without_ipam_del
thorough "dummy: CHECK misses address, route, hardware address and that it is down" case_check
thorough "dummy: dns of the configuration replaces IPAM's; IPv6 stays off where none is given, unless it is to be automatic" case_dns_and_six
