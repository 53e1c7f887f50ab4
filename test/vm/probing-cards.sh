#!/bin/bash
# probeAddresses of host-device with real PCI network cards on one cable.
# cards: 2
. "$(dirname "$0")/tools.sh"
# The cases are in the machine's first network namespace.
namespaces=--mount

# Two cards, ens5 and ens6; another file's cases may have named them already.
cards() {
  local card name
  modprobe -q virtio_net
  for card in 1 2; do
    [ -e "/sys/class/net/ens$((card + 4))" ] && continue
    name=$(grep -l "52:54:00:00:00:0$card" /sys/class/net/*/address) || fail "no card $card: $(ip link)"
    ip link set dev "$(basename "$(dirname "$name")")" down name "ens$((card + 4))" || fail "no name for card $card"
  done
}

config() { network dev host-device ",\"device\":\"ens5\",\"probeAddresses\":\"fast\",$(ipam 10.9.0.0/24 fd00:9::/64)"; }

case_card() {
  cards; sandbox a other
  local answer frames before mac
  before=$(ip -o link show ens5)
  mac=$(cat /sys/class/net/ens5/address)
  ip link set ens6 netns other
  ip -n other link set ens6 up
  ip -n other addr add 10.9.0.2/24 dev ens6
  answer=$(cni ADD host-device a "$(config)") && fail "another's address was given: $answer"
  grep -q 'address 10.9.0.2 for eth0 is used by another host, with hardware address 52:54:00:00:00:02' <<<"$answer" || fail "$answer"
  [ -e /sys/class/net/ens5 ] || fail "the card is not back"
  ip -n other addr add fd00:9::3/64 dev ens6 nodad
  answer=$(cni ADD host-device a "$(config)") && fail "another's IPv6 address was given: $answer"
  grep -q 'address fd00:9::3 for eth0 is used by another host, with hardware address 52:54:00:00:00:02' <<<"$answer" || fail "$answer"
  ip netns exec other tcpdump -lnU -i ens6 -w "$data/wire" 2>"$data/wire.log" & local capture=$!
  until grep -q listening "$data/wire.log"; do sleep 0.2; done
  answer=$(cni ADD host-device a "$(config)") || fail "$answer"
  for address in 10.9.0.4 fd00:9::4; do answers other $address || fail "no answer from $address"; done
  sleep 0.5; kill -INT $capture; wait $capture
  frames=$(tcpdump -enr "$data/wire" 2>/dev/null)
  [ "$(grep -Ec "$mac > .*who-has 10.9.0.4 .*tell 0.0.0.0|$mac > .*ARP, Probe 10.9.0.4|$mac > .*Request who-has 10.9.0.4 .*tell 0" <<<"$frames")" = 3 ] || fail "not asked three times: $frames"
  grep -Eq "$mac > .*(who-has|Announcement) 10.9.0.4.*(tell 10.9.0.4)?" <<<"$frames" || fail "the address was not announced: $frames"
  grep -Eq "$mac > 33:33:00:00:00:01.*neighbor advertisement, tgt is fd00:9::4" <<<"$frames" || fail "the IPv6 address was not announced: $frames"
  cni DEL host-device a "$(config)" || fail "DEL"
  ip -n other link set ens6 netns 1
  [ -e /sys/class/net/ens5 ] || fail "the card is not back after DEL"
}

thorough "probeAddresses of host-device: a card is asked through, and announces by frames of its own" case_card
