#!/bin/bash
# vlan: which VLAN a container is in, what passes the parent, and what of it is refused, checked and removed.
. "$(dirname "$0")/tools.sh"

# The parent, and the switch at the other end of its wire, which is in VLANs 100 and 200.
wire() {
  ip netns add switch
  ip link add parent type veth peer name wire netns switch
  ip link set parent up
  ip -n switch link set wire up
  for id in 100 200; do
    ip -n switch link add wire.$id link wire type vlan id $id
    ip -n switch addr add 10.$id.0.1/24 dev wire.$id
    ip -n switch addr add fd00:$id::1/64 dev wire.$id nodad
    ip -n switch link set wire.$id up
  done
}

# ID MORE: a configuration in that VLAN, with addresses the switch reaches; MORE is empty or begins with a comma
in_vlan() { network "v$1" vlan ",\"master\":\"parent\",\"vlanId\":$1,$(ipam "10.$1.0.0/24" "fd00:$1::/64")$2"; }

# CODE PATTERN ANSWER: an error of that code whose words match
error_is() {
  [[ $3 == *"\"code\": $1,"* ]] || fail "expected code $1: $3"
  grep -Eq "$2" <<<"$3" || fail "expected '$2': $3"
}

reservations() { ls "$data/$1" 2>/dev/null | grep -c '[0-9a-f][.:]' ; }

case_two_containers() {
  wire; sandbox a b
  local one two frames
  ip netns exec switch tcpdump -lnU -i wire -w "$data/wire" 2>"$data/wire.log" & local capture=$!
  until grep -q listening "$data/wire.log"; do sleep 0.2; done
  one=$(cni ADD vlan a "$(in_vlan 100)") || fail "$one"
  two=$(cni ADD vlan b "$(in_vlan 200)") || fail "$two"
  for address in 10.100.0.1 fd00:100::1; do answers a $address || fail "a: no answer from $address"; done
  for address in 10.200.0.1 fd00:200::1; do answers b $address || fail "b: no answer from $address"; done
  answers a 10.200.0.1 && fail "a reaches VLAN 200"
  check vlan a "$(in_vlan 100)" "$one" || fail "CHECK"
  sleep 0.5; kill -INT $capture; wait $capture
  frames=$(tcpdump -enr "$data/wire" 2>/dev/null)
  grep -Eq 'vlan 100, .*10.100.0.2 > 10.100.0.1: ICMP echo request' <<<"$frames" || fail "no frame of VLAN 100: $frames"
  grep -Eq 'vlan 200, .*10.200.0.2 > 10.200.0.1: ICMP echo request' <<<"$frames" || fail "no frame of VLAN 200: $frames"
  grep -E '10\.[12]00\.0\.2 > ' <<<"$frames" | grep -v vlan && fail "a frame without tag"
  grep -Eq 'vlan 100, .*(Request who-has|Announcement) 10.100.0.2' <<<"$frames" || fail "the address was not announced: $frames"
  grep -Eq 'vlan 100, .*neighbor advertisement, tgt is fd00:100::2' <<<"$frames" || fail "the IPv6 address was not announced: $frames"
  cni DEL vlan a "$(in_vlan 100)" && cni DEL vlan b "$(in_vlan 200)" || fail "DEL"
  cni DEL vlan a "$(in_vlan 100)" || fail "second DEL"
  ip -n a link show eth0 2>/dev/null && fail "the interface is left"
  [ "$(reservations v100)" = 0 ] || fail "an address is left"
  nothing_left parent
}

case_same_id() {
  wire; sandbox a b
  local answer
  cni ADD vlan a "$(in_vlan 100)" >/dev/null || fail "ADD"
  answer=$(cni ADD vlan b "$(in_vlan 100)") && fail "the second ADD succeeded"
  error_is 101 'VLAN 100 of parent exists already, in another namespace perhaps' "$answer"
  ip -n b link show eth0 2>/dev/null && fail "an interface is left"
  [ "$(reservations v100)" = 2 ] || fail "addresses: $(ls "$data/v100")"
  answers a 10.100.0.1 || fail "the first is disturbed"
  answer=$(cni ADD vlan a "$(in_vlan 100)") && fail "a repeated ADD succeeded"
  error_is 101 'eth0.*already exists' "$answer"
  cni DEL vlan b "$(in_vlan 100)" || fail "DEL of what was not added"
  answers a 10.100.0.1 || fail "DEL of another disturbed the first"
  cni DEL vlan a "$(in_vlan 100)" || fail "DEL"
  cni ADD vlan b "$(in_vlan 100)" >/dev/null || fail "ADD when the VLAN is free again"
  cni DEL vlan b "$(in_vlan 100)" || fail "DEL"
}

# The host's own eth0 is no obstacle, and what is in the container is.
case_names() {
  wire; sandbox a b
  local answer
  ip link add eth0 type veth peer name other
  answer=$(cni ADD vlan a "$(in_vlan 100)") || fail "$answer"
  ip -n b link add eth0 type veth peer name eth1
  answer=$(cni ADD vlan b "$(in_vlan 200)") && fail "took a name that is taken"
  error_is 101 'eth0.*already exists' "$answer"
  cni DEL vlan b "$(in_vlan 200)" || fail "DEL"
  ip -n b link show eth0 >/dev/null || fail "DEL removed an interface that is no VLAN"
  cni DEL vlan a "$(in_vlan 100)" || fail "DEL"
  # What a killed ADD leaves carries its mark; this is somebody's own, just as it is asked for.
  ip link add bare link parent netns a type vlan id 100; ip -n a link set bare name eth0
  answer=$(cni ADD vlan a "$(in_vlan 100)") && fail "took the name of somebody's VLAN"
  error_is 101 'eth0.*already exists' "$answer"
  ip -d -n a link show eth0 | grep -q 'id 100' || fail "ADD removed somebody's VLAN"
}

case_parent() {
  wire; sandbox a
  local config answer result
  config=$(network v vlan ",\"master\":\"nowhere\",\"vlanId\":5,$(ipam 10.5.0.0/24 fd00:5::/64)")
  answer=$(cni ADD vlan a "$config") && fail "ADD without parent"
  error_is 7 'nowhere.*on the host' "$answer"
  grep -q 'could be the parent: .*parent' <<<"$answer" || fail "no candidates: $answer"
  answer=$(cni STATUS vlan a "$config") && fail "STATUS without parent"
  error_is 50 nowhere "$answer"
  cni DEL vlan a "$config" || fail "DEL without parent"
  cni STATUS vlan a "$(in_vlan 100)" || fail "STATUS"
  result=$(cni ADD vlan a "$(in_vlan 100)") || fail "$result"
  ip link set parent down
  answer=$(check vlan a "$(in_vlan 100)" "$result") && fail "CHECK with the parent down"
  error_is 102 'parent is down|is down' "$answer"
  answer=$(cni STATUS vlan a "$(in_vlan 100)") && fail "STATUS with the parent down"
  error_is 51 'parent is down' "$answer"
  answer=$(cni ADD vlan a "$(in_vlan 200)" ) && fail "ADD with the parent down"
  error_is 5 'VLAN 200 of parent up: parent is down' "$answer"
  ip link delete parent
  answer=$(check vlan a "$(in_vlan 100)" "$result") && fail "CHECK without the parent"
  error_is 102 'eth0 is missing' "$answer"
  cni DEL vlan a "$(in_vlan 100)" || fail "DEL without the parent"
  [ "$(reservations v100)" = 0 ] || fail "an address is left"
}

case_bad_values() {
  wire; sandbox a
  local answer
  answer=$(cni ADD vlan a "$(network v vlan ',"master":"parent","vlanId":4095')") && fail "took 4095"
  error_is 7 'vlanId: 4095 .*must be between 0 and 4094' "$answer"
  answer=$(cni ADD vlan a "$(network v vlan ',"master":"parent","vlanId":-1')") && fail "took -1"
  error_is 7 'vlanId: -1 ' "$answer"
  answer=$(cni ADD vlan a "$(network v vlan ',"master":"parent","vlanId":7,"mtu":9000')") && fail "took an MTU beyond the parent's"
  error_is 7 'invalid MTU 9000, must be \[0, master MTU\(1500\)\]' "$answer"
  answer=$(cni ADD vlan a "$(network v vlan ',"vlanId":7')") && fail "took no master"
  error_is 7 'master: missing' "$answer"
  answer=$(cni ADD vlan a "$(network v vlan ',"master":"lo","vlanId":7')") && fail "took lo"
  error_is 7 loopback "$answer"
  answer=$(cni ADD vlan a "$(network v vlan ",\"master\":\"parent\",\"vlanId\":7,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"subnet\":\"10.9.0.0/30\",\"rangeStart\":\"10.9.0.2\",\"rangeEnd\":\"10.9.0.2\"}")") || fail "$answer"
  sandbox b
  answer=$(cni ADD vlan b "$(network v vlan ",\"master\":\"parent\",\"vlanId\":8,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"subnet\":\"10.9.0.0/30\",\"rangeStart\":\"10.9.0.2\",\"rangeEnd\":\"10.9.0.2\"}")") && fail "took an address that is taken"
  error_is 100 'no IP addresses available' "$answer"
  ip -n b link show eth0 2>/dev/null && fail "a failed ADD left the interface"
  cni ADD vlan b "$(network v vlan ',"master":"parent","vlanId":8')" >/dev/null || fail "VLAN 8 is taken after a failed ADD"
}

case_without_ipam() {
  wire; sandbox a
  local config result
  config=$(network v vlan ',"master":"parent","vlanId":100,"mtu":1400')
  result=$(cni ADD vlan a "$config") || fail "$result"
  grep -q '"mtu": 1400' <<<"$result" || fail "no mtu in the result: $result"
  [ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6)" = 0 ] || fail "this kernel has IPv6 switched off"
  ip netns exec a sh -c '[ "$(cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 0 ]' || fail "IPv6 is off although no IPAM decides"
  ip -n a addr add 10.100.0.9/24 dev eth0
  answers a 10.100.0.1 || fail "no answer"
  check vlan a "$config" "$result" || fail "CHECK"
  ip -n a link set eth0 mtu 1300
  check vlan a "$config" "$result" | grep -q 'MTU 1300, expected 1400' || fail "CHECK does not miss the MTU"
  cni DEL vlan a "$config" || fail "DEL"
  nothing_left parent
}

case_in_container() {
  wire; sandbox a
  local config result answer
  ip link set parent netns a; ip -n a link set parent up
  config=$(in_vlan 100 ',"linkInContainer":true')
  cni STATUS vlan a "$config" || fail "STATUS"
  result=$(cni ADD vlan a "$config") || fail "$result"
  answers a 10.100.0.1 || fail "no answer"
  check vlan a "$config" "$result" || fail "CHECK"
  answer=$(check vlan a "$(in_vlan 100)" "$result") && fail "CHECK takes a parent in the container for one on the host"
  ip netns delete a
  cni DEL vlan a "$config" || fail "DEL without namespace"
  [ "$(reservations v100)" = 0 ] || fail "an address is left"
}

case_check() {
  wire; sandbox a
  local result config
  config=$(in_vlan 100)
  result=$(cni ADD vlan a "$config") || fail "$result"
  check vlan a "${config/\"vlanId\":100/\"vlanId\":200}" "$result" | grep -q 'in VLAN 100, expected 200' || fail "CHECK does not miss the VLAN"
  ip link add second type veth peer name third; ip link set second up
  check vlan a "${config/\"parent\"/\"second\"}" "$result" | grep -q 'not on parent second' || fail "CHECK does not miss the parent"
  ip -n a link set eth0 down
  check vlan a "$config" "$result" >/dev/null && fail "CHECK does not miss that it is down"
  ip -n a link delete eth0; ip -n a link add eth0 type veth peer name eth1
  check vlan a "$config" "$result" | grep -q 'kind veth, expected vlan' || fail "CHECK does not miss the kind"
}

# A sibling on the same interface is not the parent.
case_vlan_on_vlan() {
  wire; sandbox a b
  local inner outer result
  ip link add outer link parent type vlan id 300; ip link set outer up
  inner=$(network q vlan ',"master":"outer","vlanId":7')
  outer=$(network o vlan ',"master":"parent","vlanId":8')
  result=$(cni ADD vlan a "$inner") || fail "$result"
  check vlan a "$inner" "$result" || fail "CHECK"
  result=$(cni ADD vlan b "$outer") || fail "$result"
  check vlan b "$outer" "$result" || fail "CHECK"
  check vlan b "${outer/\"parent\"/\"outer\"}" "$result" | grep -q 'VLAN\|not on parent outer' || fail "CHECK takes a sibling for the parent"
}

case_six() {
  wire; sandbox a b
  local four config
  four="\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"subnet\":\"10.100.0.0/24\"}"
  config=$(network v vlan ",\"master\":\"parent\",\"vlanId\":100,$four")
  cni ADD vlan a "$config" >/dev/null || fail "ADD"
  [ "$(ip netns exec a cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 1 ] || fail "IPv6 is on"
  [ -z "$(ip -n a -6 addr show dev eth0)" ] || fail "it has an IPv6 address"
  config=$(network v vlan ",\"master\":\"parent\",\"vlanId\":200,\"ipv6\":\"automatic\",$four")
  cni ADD vlan b "$config" >/dev/null || fail "ADD"
  [ "$(ip netns exec b cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" = 0 ] || fail "IPv6 is off"
}

# The reference drops what IPAM says.
case_dns() {
  wire; sandbox a b
  local config result ipam
  ipam='"ipam":{"type":"static","addresses":[{"address":"10.100.0.9/24"}],"dns":{"nameservers":["192.0.2.53"]}}'
  config=$(network v vlan ",\"master\":\"parent\",\"vlanId\":100,$ipam")
  result=$(cni ADD vlan a "$config") || fail "$result"
  grep -q 192.0.2.53 <<<"$result" || fail "IPAM's dns is not in the result: $result"
  config=$(network v vlan ",\"master\":\"parent\",\"vlanId\":200,\"dns\":{\"domain\":\"b.example\"},$ipam")
  result=$(cni ADD vlan b "$config") || fail "$result"
  grep -q b.example <<<"$result" && ! grep -q 192.0.2.53 <<<"$result" || fail "the configuration's dns does not replace it: $result"
}

case_gc() {
  wire; sandbox a b
  local config
  config=$(in_vlan 100)
  cni ADD vlan a "$config" >/dev/null || fail "ADD"
  ip netns delete a
  cni GC vlan b "${config%\}},\"cni.dev/valid-attachments\":[]}" || fail "GC"
  [ "$(reservations v100)" = 0 ] || fail "an address is left: $(ls "$data/v100")"
  nothing_left parent
}

# The n-th message to the kernel fails, or is the last: ADD leaves nothing, or DEL does.
case_faults() {
  wire; sandbox a
  local config count n
  config=$(network v vlan ",\"master\":\"parent\",\"vlanId\":100,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"subnet\":\"10.77.0.0/24\"}")
  faulty() { CNI_COMMAND=ADD CNI_CONTAINERID=c-a CNI_NETNS=/run/netns/a CNI_IFNAME=eth0 strace -qqq -o "$data/trace" -e trace=sendto "$@" "$plugins/vlan" <<<"$config"; }
  faulty >/dev/null || fail "ADD"
  cni DEL vlan a "$config" || fail "DEL"
  count=$(wc -l <"$data/trace")
  [ "$count" -gt 5 ] || fail "only $count messages"
  for ((n = 1; n <= count; n++)); do
    if ! faulty -e inject=sendto:error=ENOMEM:when=$n >/dev/null; then
      ! ip -n a link show eth0 2>/dev/null || fail "ADD failed at message $n of $count and left the interface"
      [ "$(reservations v)" = 0 ] || fail "ADD failed at message $n of $count and left an address"
    else
      cni DEL vlan a "$config" || fail "DEL"
    fi
  done
  for ((n = 1; n <= count; n += 2)); do
    faulty -e inject=sendto:signal=KILL:when=$n >/dev/null 2>&1
    cni DEL vlan a "$config" || fail "DEL after ADD was killed at message $n of $count"
    ! ip -n a link show eth0 2>/dev/null || fail "the interface is left after ADD was killed at message $n of $count"
    [ "$(reservations v)" = 0 ] || fail "an address is left after ADD was killed at message $n of $count"
  done
}

report "vlan: two containers in two VLANs, tags seen on the wire, addresses announced" case_two_containers
report "vlan: a VLAN that another container has is refused, saying so, and nothing is disturbed" case_same_id
thorough "vlan: a name of the host's is no obstacle, one of the container's is, and DEL removes only VLANs" case_names
report "vlan: a parent that is missing, down or gone: ADD, STATUS and CHECK say so, DEL succeeds" case_parent
thorough "vlan: bad values are refused with the right words, and an exhausted pool keeps its code" case_bad_values
thorough "vlan without ipam is a layer-2 interface" case_without_ipam
thorough "vlan with the parent in the container; DEL without the namespace" case_in_container
thorough "vlan: CHECK misses VLAN, parent, kind and that it is down" case_check
thorough "vlan: one on another VLAN is on that, and not beside it" case_vlan_on_vlan
thorough "vlan: IPv6 stays off where IPAM gives none (CVE-2024-32473's class)" case_six
thorough "vlan: IPAM's dns is kept, unless the configuration has its own" case_dns
thorough "vlan: GC releases the address of a container that is gone" case_gc
thorough "vlan: an ADD that fails at any message leaves nothing, and DEL removes what one that is killed leaves" case_faults
