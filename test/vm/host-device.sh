#!/bin/bash
# host-device with real PCI network cards: they outlive the namespace that they are in, and the kernel puts them back into the machine's
# first one by itself.
# cards: 2
. "$(dirname "$0")/tools.sh"
# The cases are in the machine's first network namespace.
namespaces=--mount

# Two cards, ens5 and ens6, the first with something to lose. To the kernel, which booted without names for them, they are eth0 and eth1.
cards() {
  local card name
  modprobe -q virtio_net
  for card in 1 2; do
    [ -e "/sys/class/net/ens$((card + 4))" ] && continue
    name=$(grep -l "52:54:00:00:00:0$card" /sys/class/net/*/address) || fail "no card $card: $(ip link)"
    ip link set dev "$(basename "$(dirname "$name")")" down name "ens$((card + 4))" || fail "no name for card $card"
  done
  ip link property add dev ens5 altname enp0s5 altname the-first-card 2>/dev/null
  ip link set dev ens5 up mtu 1450 address 02:00:00:00:00:05 txqueuelen 77 promisc on alias 'rack 3, port 5'
  ip address replace 192.0.2.5/24 dev ens5
  ip link set dev ens6 up
}

# All of a card that is to be as it was
state() {
  (cd "/sys/class/net/$1" && grep -H . address mtu flags tx_queue_len ifalias device/uevent)
  ip -o link show "$1" | grep -o 'master [^ ]*'
  ip link show "$1" | grep altname | sort
}

pci() { basename "$(dirname "$(readlink -f "/sys/class/net/$1/device")")"; }

config() { network dev host-device ",$1,$(ipam 10.9.0.0/24 fd00:9::/64)"; }

# The container has done what it likes
spoil() { ip -n "$1" link set eth0 down address 02:00:00:00:00:99 mtu 1300 promisc off name gone alias mine && ip -n "$1" link set gone up; }

# The card, as it was, and no record, no address
given_back() {
  local now; now=$(state "$1" 2>&1)
  [ "$now" = "$2" ] || fail "$1 is not as it was: $now" $'\n'"but was: $2" $'\n'"$(ip address)"
  [ -z "$(ls /var/lib/cni/host-device | grep -v lock)" ] || fail "left: $(ls /var/lib/cni/host-device)"
  [ -z "$(find "$data" -name '10.9.*' -o -name 'fd00:9*')" ] || fail "left: $(find "$data")"
}

case_lives() {
  cards; sandbox a b
  local one two before result
  one=$(config '"device":"ens5","restoreAddresses":true') two=$(config "\"pciBusID\":\"$(pci ens6)\"")
  before=$(state ens5)
  result=$(cni ADD host-device a "$one") || fail "$result"
  grep -q "\"pciID\": \"0000:00:" <<<"$result" || fail "no PCI address: $result"
  check host-device a "$one" "$result" || fail "CHECK"
  result=$(cni ADD host-device b "$two") || fail "by PCI address: $result"
  ip -n a link show eth0 | grep -q 'alias ens5' || fail "the former name is not in the alias"
  answers a 10.9.0.3 || fail "the cards do not meet"
  answers b fd00:9::2 || fail "the cards do not meet by IPv6"
  cni ADD host-device b "$(config '"device":"ens5"')" | grep -q 'already exists' || fail "the name in the container is free"
  cni DEL host-device b "$two" || fail "DEL by PCI address"
  ip netns add c
  cni ADD host-device c "$one" | grep -q 'container c-a (eth0, network dev) has it' || fail "nobody is said to have it"
  spoil a
  cni DEL host-device a "$one" || fail "DEL"
  given_back ens5 "$before"
  ip -o address show ens5 | grep -q 'inet 192.0.2.5/24 scope' || fail "the address is not back: $(ip address show ens5)"
  cni DEL host-device a "$one" || fail "DEL again"
  given_back ens5 "$before"
}

case_namespace_first() {
  cards; sandbox a
  local config before result
  config=$(config '"device":"ens5"')
  before=$(state ens5)
  for netns in /run/netns/a ''; do
    ip netns list | grep -q '^a' || sandbox a
    result=$(cni ADD host-device a "$config") || fail "$result"
    spoil a
    ip netns delete a
    # At once: the kernel is still at it.
    CNI_COMMAND=DEL CNI_CONTAINERID=c-a CNI_NETNS=$netns CNI_IFNAME=eth0 "$plugins/host-device" <<<"$config" || fail "DEL"
    given_back ens5 "$before"
  done
}

case_other_names() {
  cards; sandbox a
  local config before result
  config=$(config '"device":"ens5"')
  before=$(state ens5)
  ip link add eth0 type veth peer name eth0-peer
  result=$(cni ADD host-device a "$config") || fail "$result"
  ip netns delete a
  for _ in $(seq 100); do ip -o link | grep -q 'alias ens5' && break; sleep 0.1; done
  ip -o link | grep -q ': dev[0-9]*: .*alias ens5' || fail "the kernel chose another name: $(ip link)"
  ip link add ens5 type veth peer name ens5-peer
  cni DEL host-device a "$config" | grep -q '"code": 101' || fail "DEL does not see that the name is taken"
  ip link delete ens5
  cni DEL host-device a "$config" || fail "DEL"
  given_back ens5 "$before"
  ip link delete eth0
}

case_held() {
  cards; sandbox a b
  local config before result holder
  config=$(config '"device":"ens5"')
  before=$(state ens5)
  result=$(cni ADD host-device a "$config") || fail "$result"
  ip netns exec a sleep 1000 & holder=$!
  until [ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
  ip netns delete a
  cni DEL host-device a "$config" 2>"$data/words" || fail "DEL"
  grep -q 'ens5 has not come back' "$data/words" || fail "DEL says nothing: $(cat "$data/words")"
  CNI_COMMAND=GC "$plugins/host-device" <<<"${config%\}},\"cni.dev/valid-attachments\":[]}" || fail "GC"
  cni ADD host-device b "$config" | grep -q '"code": 101' || fail "a device that is away was given"
  kill "$holder"
  for _ in $(seq 100); do ip -o link | grep -q 'alias ens5' && break; sleep 0.1; done
  result=$(cni ADD host-device b "$config") || fail "$result"
  cni DEL host-device b "$config" || fail "DEL of the next one"
  given_back ens5 "$before"
}

case_no_del() {
  cards; sandbox a b
  local config before result
  config=$(config '"device":"ens5"')
  before=$(state ens5)
  result=$(cni ADD host-device a "$config") || fail "$result"
  ip netns delete a
  for _ in $(seq 100); do ip -o link | grep -q 'alias ens5' && break; sleep 0.1; done
  cni STATUS host-device b "$config" || fail "STATUS"
  result=$(cni ADD host-device b "$config") || fail "ADD for the next one: $result"
  ip netns delete b
  for _ in $(seq 100); do ip -o link | grep -q 'alias ens5' && break; sleep 0.1; done
  CNI_COMMAND=GC "$plugins/host-device" <<<"${config%\}},\"cni.dev/valid-attachments\":[]}" || fail "GC"
  given_back ens5 "$before"
}

case_unrecorded() {
  cards; sandbox a
  local config result
  config=$(config '"device":"ens5"')
  result=$(cni ADD host-device a "$config") || fail "$result"
  rm -r /var/lib/cni/host-device
  ip netns delete a
  for _ in $(seq 100); do ip -o link | grep -q 'alias ens5' && break; sleep 0.1; done
  cni DEL host-device a "$config" || fail "DEL"
  [ -e /sys/class/net/ens5 ] || fail "ens5 has another name: $(ip link)"
  [ -z "$(cat /sys/class/net/ens5/ifalias)" ] || fail "the alias stays"
}

case_bond() {
  cards; sandbox a
  modprobe -q bonding
  local config before result card own
  own=$(cat /sys/class/net/ens5/address)
  ip link add bond0 type bond mode active-backup
  for card in ens6 ens5; do ip link set "$card" down && ip link set "$card" master bond0 || fail "$card joins no bond"; done
  ip link set bond0 up
  config=$(config '"device":"ens5"')
  before=$(state ens5)
  [[ $before == *'master bond0'* ]] || fail "ens5 is in no bond: $before"
  result=$(cni ADD host-device a "$config") || fail "$result"
  spoil a
  cni DEL host-device a "$config" || fail "DEL"
  given_back ens5 "$before"
  ip link set ens5 nomaster
  [ "$(cat /sys/class/net/ens5/address)" = "$own" ] || fail "the bond has kept its address: $(ip link show ens5)"
  ip link delete bond0
}

report "host-device: two PCI cards live in containers, meet, and come back as they were" case_lives
report "host-device: a card is given back when its namespace has died first" case_namespace_first
thorough "host-device: a port comes back into its bond, up" case_bond
thorough "host-device: a card is found under any name, and waits for its own to be free" case_other_names
thorough "host-device: the next ADD and GC give back what no DEL did" case_no_del
thorough "host-device: a card whose namespace is held keeps nobody waiting, and is restored when it is back" case_held
thorough "host-device: without a record the alias tells whose name it is" case_unrecorded
