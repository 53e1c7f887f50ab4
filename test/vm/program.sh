#!/bin/bash
# What the plugins do under the kernel that this runs on, as TAP: a line "ok - NAME" or "not ok - NAME" for each case below, with
# what went wrong behind it. Run as root in a machine of its own (test/vm/vmrun):
#
#   program.sh PLUGINS            all cases but the last
#   program.sh PLUGINS no-ipv6    the case of a kernel booted with ipv6.disable=1
set -u
plugins=$1
part=${2-all}
export CNI_PATH=$plugins
data=$(mktemp -d)
mkdir -p /run/netns

# --- Tools of the cases: each ends its case when something is not as it should be. ---

fail() { echo "$*" >&2; exit 1; }

sandbox() { for name in "$@"; do ip netns add "$name"; ip -n "$name" link set lo up; ip -n "$name" link set lo down; done; }

# VERB PLUGIN SANDBOX CONFIGURATION: succeeds, with the result on stdout
cni() { CNI_COMMAND=$1 CNI_CONTAINERID=c-$3 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 "$plugins/$2" <<<"$4"; }

# PLUGIN SANDBOX CONFIGURATION RESULT: CHECK
check() { cni CHECK "$1" "$2" "${3%\}},\"prevResult\":$4}"; }

answers() { ip netns exec "$1" ping -c1 -W3 "$2" >/dev/null; }

# RESULT: the host's end
port_of() { grep -o 'veth[0-9a-f]\{8\}' <<<"$1" | head -n1; }

# PORT LINE…: its VLANs are just these
vlans_are() {
  local port=$1 have; shift
  have=$(bridge vlan show dev "$port" | tail -n +2 | sed "s/^$port//" | awk '{ $1 = $1 } NF')
  [ "$have" = "$(printf '%s\n' "$@")" ] || fail "VLANs of $port are:" $'\n'"$have"
}

nothing_left() {
  local links; links=$(ip -o link show type veth)
  [ -z "$links" ] || fail "left: $links"
  [ -z "$(nft list ruleset)" ] || fail "left: $(nft list ruleset)"
}

# SUBNET SUBNET6 [MORE]: an ipam for host-local
ipam() { echo "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"$1\"}],[{\"subnet\":\"$2\"}]]}"; }

network() { echo "{\"cniVersion\":\"1.1.0\",\"name\":\"$1\",\"type\":\"$2\"$3}"; }

trunk() { seq -f '%g' "$1" "$2"; }

# --- The cases. Each runs in a subshell and a network namespace of its own; what it prints is the reason when it fails. ---

case_loopback() {
  sandbox a
  local config result
  config=$(network lo loopback '')
  result=$(cni ADD loopback a "$config") || fail "$result"
  answers a 127.0.0.1 || fail "no answer"
  check loopback a "$config" "$result" || fail "CHECK"
  cni DEL loopback a "$config" || fail "DEL"
}

case_bridge() {
  sandbox a b
  local config one two
  config=$(network net bridge ",\"isDefaultGateway\":true,\"ipMasq\":true,\"macspoofchk\":true,\"hairpinMode\":true,$(ipam 10.1.0.0/24 fd00:1::/64)")
  one=$(cni ADD bridge a "$config") || fail "$one"
  two=$(cni ADD bridge b "$config") || fail "$two"
  for address in 10.1.0.1 fd00:1::1 10.1.0.3 fd00:1::3; do answers a $address || fail "no answer from $address"; done
  check bridge a "$config" "$one" || fail "CHECK"
  cni DEL bridge a "$config" || fail "DEL"
  ip netns delete b
  cni DEL bridge b "$config" || fail "DEL without sandbox"
  nothing_left
}

case_ptp() {
  sandbox a b
  local config one two
  config=$(network net ptp ",\"ipMasq\":true,$(ipam 10.2.0.0/24 fd00:2::/64)")
  one=$(cni ADD ptp a "$config") || fail "$one"
  two=$(cni ADD ptp b "$config") || fail "$two"
  for address in 10.2.0.1 fd00:2::1 10.2.0.3 fd00:2::3; do answers a $address || fail "no answer from $address"; done
  check ptp a "$config" "$one" || fail "CHECK"
  cni DEL ptp a "$config" && cni DEL ptp b "$config" || fail "DEL"
  nothing_left
}

case_iptables() {
  sandbox a
  local config result
  config=$(network net bridge ",\"isDefaultGateway\":true,\"ipMasq\":true,\"ipMasqBackend\":\"iptables\",$(ipam 10.3.0.0/24 fd00:3::/64)")
  result=$(cni ADD bridge a "$config") || fail "$result"
  check bridge a "$config" "$result" || fail "CHECK"
  cni DEL bridge a "$config" || fail "DEL"
  ! iptables-save | grep CNI- || fail "rules are left"
}

case_portmap() {
  sandbox a
  local config mapping result
  config=$(network net bridge ",\"isDefaultGateway\":true,$(ipam 10.4.0.0/24 fd00:4::/64)")
  result=$(cni ADD bridge a "$config") || fail "$result"
  mapping=$(network net portmap ',"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}')
  cni ADD portmap a "${mapping%\}},\"prevResult\":$result}" >/dev/null || fail "ADD"
  check portmap a "$mapping" "$result" || fail "CHECK"
  ip netns exec a socat TCP4-LISTEN:80,reuseaddr,fork EXEC:'echo served' & local server=$!
  local said=''
  for _ in 1 2 3 4 5 6 7 8; do said=$(socat -T5 - TCP4:10.4.0.1:8080 </dev/null 2>/dev/null); [ "$said" = served ] && break; sleep 0.3; done
  kill $server
  [ "$said" = served ] || fail "the mapped port said '$said'"
  cni DEL portmap a "$mapping" && cni DEL bridge a "$config" || fail "DEL"
  nothing_left
}

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
  one=$(cni ADD bridge a "$config") || fail "$one"
  two=$(cni ADD bridge b "$config") || fail "$two"
  grep -q '"name": "cni0.100"' <<<"$one" || fail "the result lacks the gateway's interface: $one"
  for address in 10.5.0.1 fd00:5::1 10.5.0.3; do answers a $address || fail "no answer from $address"; done
  gateway=$(ip -o link show cni0.100 | grep -o '@veth[0-9a-f]*' | tr -d @)
  vlans_are "$gateway" "100 PVID Egress Untagged"
  [ "$(cat /proc/sys/net/ipv6/conf/cni0.100/accept_ra)" = 0 ] || fail "the gateway believes router advertisements"
  check bridge a "$config" "$one" || fail "CHECK"
  ip addr delete 10.5.0.1/24 dev cni0.100
  check bridge a "$config" "$one" | grep -q '10.5.0.1/24 is missing on cni0.100' || fail "CHECK does not miss the gateway's address"
  cni DEL bridge a "$config" && cni DEL bridge b "$config" || fail "DEL"
  [ "$(ip -o link show type veth | grep -vc -e cni0.100 -e "$gateway")" = 0 ] || fail "left: $(ip -o link)"
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

case_no_ipv6() {
  [ ! -e /proc/sys/net/ipv6 ] || [ "$(cat /sys/module/ipv6/parameters/disable 2>/dev/null)" = 1 ] || fail "this kernel has IPv6"
  sandbox a b
  local config result
  config="{\"cniVersion\":\"1.1.0\",\"name\":\"four\",\"isDefaultGateway\":true,\"ipMasq\":true,\"macspoofchk\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"10.8.0.0/24\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}"
  for plugin in bridge ptp; do
    result=$(cni ADD $plugin a "$config,\"type\":\"$plugin\"}") || fail "$plugin: $result"
    answers a 10.8.0.1 || fail "$plugin: no answer"
    check $plugin a "$config,\"type\":\"$plugin\"}" "$result" || fail "$plugin: CHECK"
    cni DEL $plugin a "$config,\"type\":\"$plugin\"}" || fail "$plugin: DEL"
    nothing_left
    ip link delete cni0 2>/dev/null
  done
  result=$(cni ADD loopback b "$(network lo loopback '')") || fail "loopback: $result"
  cni DEL loopback b "$(network lo loopback '')" || fail "loopback: DEL"
}

# --- One line each; the tests of the host read the names here. ---

report() { # NAME FUNCTION
  local words
  # A mount namespace of its own too: names of sandboxes are used again. `ip netns` would otherwise mount what others see.
  if words=$(export -f $(compgen -A function) && export plugins data CNI_PATH &&
    timeout 120 unshare --net --mount bash -c "mount -t tmpfs netns /run/netns; mount -t sysfs sysfs /sys; ip link set lo up; $2" 2>&1); then
    echo "ok - $1"
  else
    echo "not ok - $1"
    sed 's/^/# /' <<<"$words"
  fi
}

if [ "$part" = no-ipv6 ]; then
  report "without IPv6 in the kernel: bridge, ptp and loopback live and die" case_no_ipv6
else
  report "loopback lives and dies" case_loopback
  report "bridge, both families, masquerade and spoof check in nf_tables, lives and dies" case_bridge
  report "bridge with masquerade in iptables lives and dies" case_iptables
  report "ptp, both families, lives and dies" case_ptp
  report "portmap carries a connection, lives and dies" case_portmap
  report "vlan: the port is in that VLAN alone, and CHECK sees to it" case_vlan
  report "vlanTrunk alone: untagged frames stay in VLAN 1" case_trunk_only
  report "vlan with vlanTrunk: one untagged, the others tagged" case_vlan_and_trunk
  report "preserveDefaultVlan keeps VLAN 1 beside the others" case_keeps_default_vlan
  report "vlan with isGateway: the gateway is an interface of that VLAN, and answers" case_vlan_gateway
  report "a VLAN's gateway that a killed ADD left half made is completed" case_half_made_gateway
  report "a container in VLAN 100 hears no frame of VLAN 1" case_other_vlans_are_not_heard
  report "an existing bridge that does not filter VLANs is switched to it" case_existing_bridge_is_switched
fi
rm -rf "$data"
