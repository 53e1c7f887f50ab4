#!/bin/bash
# bridge with `vlan` and `vlanTrunk`: which VLANs a port is in, and who hears whom.
. "$(dirname "$0")/tools.sh"

# RESULT: the host's end
port_of() { grep -o 'veth[0-9a-f]\{8\}' <<<"$1" | head -n1; }

# PORT LINE…: its VLANs are just these
vlans_are() {
  local port=$1 have; shift
  have=$(bridge vlan show dev "$port" | tail -n +2 | sed "s/^$port//" | awk '{ $1 = $1 } NF')
  [ "$have" = "$(printf '%s\n' "$@")" ] || fail "VLANs of $port are:" $'\n'"$have"
}

trunk() { seq -f '%g' "$1" "$2"; }

case_vlan() {
  sandbox a b
  local config one two
  config=$(network n100 bridge ',"vlan":100')
  one=$(cni ADD bridge a "$config") || fail "$one"
  two=$(cni ADD bridge b "$config") || fail "$two"
  vlans_are "$(port_of "$one")" "100 PVID Egress Untagged"
  ip -n a addr add 10.100.0.1/24 dev eth0; ip -n b addr add 10.100.0.2/24 dev eth0
  answers a 10.100.0.2 || fail "two of one VLAN do not meet"
  check bridge a "$config" "$one" || fail "CHECK"
  bridge vlan delete dev "$(port_of "$one")" vid 100
  check bridge a "$config" "$one" | grep -q 'not in VLAN 100' || fail "CHECK does not miss the VLAN"
  cni DEL bridge a "$config" && cni DEL bridge b "$config" || fail "DEL"
  nothing_left
}

case_trunk_only() {
  sandbox a
  local config result
  config=$(network trunk bridge ',"vlanTrunk":[{"id":101},{"minID":200,"maxID":210}]')
  result=$(cni ADD bridge a "$config") || fail "$result"
  vlans_are "$(port_of "$result")" "1 PVID Egress Untagged" 101 $(trunk 200 210)
  check bridge a "$config" "$result" || fail "CHECK"
}

case_vlan_and_trunk() {
  sandbox a
  local config result
  config=$(network both bridge ',"vlan":100,"vlanTrunk":[{"id":101},{"minID":200,"maxID":210}]')
  result=$(cni ADD bridge a "$config") || fail "$result"
  vlans_are "$(port_of "$result")" "100 PVID Egress Untagged" 101 $(trunk 200 210)
}

case_keeps_default_vlan() {
  sandbox a
  local config result
  config=$(network keep bridge ',"vlan":100,"vlanTrunk":[{"id":300}],"preserveDefaultVlan":true')
  result=$(cni ADD bridge a "$config") || fail "$result"
  vlans_are "$(port_of "$result")" "1 Egress Untagged" "100 PVID Egress Untagged" 300
}

case_vlan_gateway() {
  sandbox a b
  local config one two gateway
  config=$(network gate bridge ",\"vlan\":100,\"isDefaultGateway\":true,\"ipMasq\":true,$(ipam 10.5.0.0/24 fd00:5::/64)")
  both_live bridge "$config" 10.5.0.1 fd00:5::1 10.5.0.3
  grep -q '"name": "cni0.100"' <<<"$one" || fail "the result lacks the gateway's interface: $one"
  gateway=$(ip -o link show cni0.100 | grep -o '@veth[0-9a-f]*' | tr -d @)
  vlans_are "$gateway" "100 PVID Egress Untagged"
  [ "$(cat /proc/sys/net/ipv6/conf/cni0.100/accept_ra)" = 0 ] || fail "the gateway believes router advertisements"
  ip addr delete 10.5.0.1/24 dev cni0.100
  check bridge a "$config" "$one" | grep -q '10.5.0.1/24 is missing on cni0.100' || fail "CHECK does not miss the gateway's address"
  cni DEL bridge a "$config" && cni DEL bridge b "$config" || fail "DEL"
  [ "$(ip -o link show type veth | grep -vc -e cni0.100 -e "$gateway")" = 0 ] || fail "left: $(ip -o link)"
}

case_gateway_is_taken_back() {
  sandbox a b
  local good failing
  good=$(network gate bridge ",\"vlan\":100,\"isGateway\":true,$(ipam 10.8.0.0/24 fd00:8::/64)")
  # Fails once all is there: the gateway of its route is on no link.
  failing=${good/\"ranges\"/\"routes\":[{\"dst\":\"198.51.100.0/24\",\"gw\":\"203.0.113.1\"\}],\"ranges\"}
  cni ADD bridge a "$failing" && fail "the ADD did not fail"
  [ -z "$(ls /sys/class/net | grep -e cni0 -e veth)" ] || fail "left: $(ip -o link)"
  cni ADD bridge b "$good" >/dev/null || fail "ADD"
  cni ADD bridge a "$failing" && fail "the ADD did not fail"
  answers b 10.8.0.1 || fail "the gateway in use is gone: $(ip -o address)"
  cni ADD bridge a "${failing/100/200}" && fail "the ADD did not fail"
  [ ! -e /sys/class/net/cni0.200 ] || fail "the gateway of a VLAN without ports is left: $(ip -o link)"
}

case_half_made_gateway() {
  sandbox a
  local config result
  ip link add cni0.100 type veth peer name half
  config=$(network gate bridge ",\"vlan\":100,\"isGateway\":true,$(ipam 10.6.0.0/24 fd00:6::/64)")
  result=$(cni ADD bridge a "$config") || fail "$result"
  answers a 10.6.0.1 || fail "no answer"
  vlans_are half "100 PVID Egress Untagged"
}

case_other_vlans_are_not_heard() {
  sandbox a b c
  local tagged plain heard witness
  tagged=$(network n100 bridge ',"vlan":100')
  plain=$(network n1 bridge '')
  cni ADD bridge a "$tagged" >/dev/null && cni ADD bridge b "$plain" >/dev/null && cni ADD bridge c "$plain" >/dev/null || fail "ADD"
  # c shows that what b sends can be heard at all.
  ip netns exec a tcpdump -lnU -i eth0 -w "$data/a" arp 2>"$data/a.log" & local first=$!
  ip netns exec c tcpdump -lnU -i eth0 -w "$data/c" arp 2>"$data/c.log" & local second=$!
  until grep -q listening "$data/a.log" && grep -q listening "$data/c.log"; do sleep 0.2; done
  ip -n b addr add 10.7.0.1/24 dev eth0
  answers b 10.7.0.9 && fail "somebody answered"
  sleep 0.5
  kill -INT $first $second; wait $first $second
  witness=$(tcpdump -nr "$data/c" 2>/dev/null | grep -c 'who-has 10.7.0.9')
  heard=$(tcpdump -nr "$data/a" 2>/dev/null | grep -c 'who-has 10.7.0.9')
  [ "$witness" -gt 0 ] || fail "the witness heard nothing"
  [ "$heard" = 0 ] || fail "VLAN 100 heard $heard frames of VLAN 1"
}

case_existing_bridge_is_switched() {
  sandbox a b
  local plain tagged one two
  plain=$(network n1 bridge '')
  tagged=$(network n100 bridge ',"vlan":100')
  ip link add cni0 type bridge
  one=$(cni ADD bridge b "$plain") || fail "$one"
  ip -d link show cni0 | grep -q 'vlan_filtering 0' || fail "it filters already"
  two=$(cni ADD bridge a "$tagged") || fail "$two"
  ip -d link show cni0 | grep -q 'vlan_filtering 1' || fail "it does not filter"
  vlans_are "$(port_of "$two")" "100 PVID Egress Untagged"
  vlans_are "$(port_of "$one")" "1 PVID Egress Untagged"
}

report "vlan: the port is in that VLAN alone, and CHECK sees to it" case_vlan
thorough "vlanTrunk alone: untagged frames stay in VLAN 1" case_trunk_only
thorough "vlan with vlanTrunk: one untagged, the others tagged" case_vlan_and_trunk
thorough "preserveDefaultVlan keeps VLAN 1 beside the others" case_keeps_default_vlan
report "vlan with isGateway: the gateway is an interface of that VLAN, and answers" case_vlan_gateway
thorough "an ADD that fails takes back its VLAN's gateway, and none that others use" case_gateway_is_taken_back
thorough "a VLAN's gateway that a killed ADD left half made is completed" case_half_made_gateway
report "a container in VLAN 100 hears no frame of VLAN 1" case_other_vlans_are_not_heard
thorough "an existing bridge that does not filter VLANs is switched to it" case_existing_bridge_is_switched
