#!/bin/bash
# probeAddresses of ipvlan and vlan: what another host of the segment has is refused, and what is free is given and announced.
. "$(dirname "$0")/tools.sh"

# The parent, and another host at the other end of its wire and in VLAN 100 of it; it has the address that the first container gets.
wire() {
  ip netns add outside
  ip link add parent type veth peer name wire netns outside
  ip link set parent up
  ip -n outside link set wire up
  ip -n outside link add wire.100 link wire type vlan id 100
  ip -n outside link set wire.100 up
}

# PLUGIN MORE: a configuration of one family, which asks before an address is used
asking() { network "net" "$1" ",\"master\":\"parent\",\"probeAddresses\":\"fast\",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"$3\"}]]}$2"; }

reservations() { ls "$data/net" 2>/dev/null | grep -c '[0-9a-f][.:]' ; }

# LINK: everything that comes to the other host by it, from now on
listen() {
  ip netns exec outside tcpdump -lnU -i "$1" -w "$data/wire" 2>"$data/wire.log" &
  until grep -q listening "$data/wire.log"; do sleep 0.2; done
}
frames() { tcpdump -nr "$data/wire" 'arp or icmp6' 2>/dev/null; }

# ADDRESS: it came to the other host, as a gratuitous request or an unsolicited advertisement
announced() {
  for _ in {1..20}; do
    frames | grep -Eq "Announcement $1,|who-has $1 .*tell $1,|> ff02::1: .*advertisement, tgt is $1," && return
    sleep 0.2
  done
  return 1
}

# PLUGIN MORE LINK: the other host has the first address of the range by that link
refused_then_given() {
  wire; sandbox a
  local mac answer given
  mac=$(ip netns exec outside cat "/sys/class/net/$3/address")
  listen "$3"
  for pair in 10.1.0.0/24=10.1.0.2/24 fd00:1::/64=fd00:1::2/64; do
    local range=${pair%=*} taken=${pair#*=} nodad=; [[ $pair == *::* ]] && nodad=nodad
    ip -n outside addr add "$taken" dev "$3" $nodad
    answer=$(cni ADD "$1" a "$(asking "$1" "$2" "$range")") && fail "${taken%/*} was given: $answer"
    grep -q '"code": 101,' <<<"$answer" || fail "expected code 101: $answer"
    grep -q "address ${taken%/*} for eth0 is used by another host, with hardware address $mac" <<<"$answer" || fail "$answer"
    ip -n a link show eth0 2>/dev/null && fail "the interface is left"
    [ "$(reservations)" = 0 ] || fail "an address is left"
    given=$(cni ADD "$1" a "$(asking "$1" "$2" "$range")") || fail "$given"
    grep -q "\"${taken%2/*}3/" <<<"$given" || fail "expected the next address: $given"
    ip -n outside addr show dev "$3" | grep -q "${taken%/*}" || fail "the other host lost its address"
    answers a "${taken%/*}" || fail "no answer from ${taken%/*}"
    announced "${taken%2/*}3" || fail "${taken%2/*}3 was not announced: $(frames)"
    cni DEL "$1" a "$(asking "$1" "$2" "$range")" || fail "DEL"
    rm -rf "${data:?}/net"
  done
}

case_ipvlan() { refused_then_given ipvlan "" wire; }
case_vlan() { refused_then_given vlan ',"vlanId":100' wire.100; }

case_own() {
  wire; sandbox a
  local answer
  ip addr add 10.1.0.2/24 dev parent
  answer=$(cni ADD ipvlan a "$(asking ipvlan "" 10.1.0.0/24)") && fail "the node's own address was given: $answer"
  grep -q "address 10.1.0.2 is the node's own, on parent" <<<"$answer" || fail "$answer"
  answer=$(cni ADD ipvlan a "$(asking ipvlan ',"mode":"l3"' 10.1.0.0/24)") && fail "probing in mode l3: $answer"
  grep -q "in mode l3 there is no segment to ask" <<<"$answer" || fail "$answer"
}

report "probeAddresses of ipvlan: what another host has is refused, though the answer comes to the parent" case_ipvlan
thorough "probeAddresses of vlan: the VLAN is asked, not the parent's own segment" case_vlan
thorough "probeAddresses of ipvlan: the parent's own address is refused, and so is a mode without a segment" case_own
