#!/bin/bash
# bandwidth: limits, where the kernel has its queues and devices as modules.
. "$(dirname "$0")/tools.sh"

bridge_config() { network net bridge ",\"isDefaultGateway\":true,$(ipam 10.60.0.0/24 fd00:60::/64)"; }
limited() { network net bandwidth ",\"ingressRate\":${1}000000,\"egressRate\":${1}000000${2:-}"; }

# SANDBOX CONFIGURATION [VERB]: bandwidth behind bridge, with the result in `result`
attach() {
  result=$(cni ADD bridge "$1" "$(bridge_config)") || fail "$result"
  cni STATUS bandwidth "$1" "$2" || fail "STATUS"
  result=$(cni ADD bandwidth "$1" "${2%\}},\"prevResult\":$result}") || fail "$result"
  check bandwidth "$1" "$2" "$result" || fail "CHECK"
}

# FROM TO ADDRESS: milliseconds that 1 MB takes, of which some 2500 are the programs themselves in an emulated machine
took() {
  local begin end
  ip netns exec "$2" socat -u TCP-LISTEN:7000,reuseaddr OPEN:/dev/null & local server=$!
  until ip netns exec "$2" ss -Hltn | grep -q :7000; do sleep 0.1; done
  begin=$(date +%s%3N)
  head -c 1000000 /dev/zero | ip netns exec "$1" socat -u STDIN "TCP:$3:7000" || fail "no connection to $3"
  wait "$server"
  end=$(date +%s%3N)
  echo $((end - begin))
}

case_no_modules() {
  sandbox a
  local answer before loader result
  loader=$(cat /proc/sys/kernel/modprobe)
  result=$(cni ADD bridge a "$(bridge_config)") || fail "$result"
  before=$(tc qdisc show)
  echo /bin/false >/proc/sys/kernel/modprobe
  for direction in ingress egress; do
    answer=$(cni ADD bandwidth a "$(network net bandwidth ",\"${direction}Rate\":1000000,\"prevResult\":$result")") && break
    grep -q 'this kernel lacks one of .*\(sch_tbf\|ifb\).*modprobe' <<<"$answer" || break
    answer=
  done
  echo "$loader" >/proc/sys/kernel/modprobe
  [ -z "$answer" ] || fail "$answer"
  [ "$(tc qdisc show)" = "$before" ] || fail "left: $(tc qdisc show)"
}

case_status() {
  local list words missing; list=/lib/modules/$(uname -r)/modules.dep
  cni STATUS bandwidth none "$(limited 1)" || fail "STATUS where all is there"
  for missing in ifb sch_tbf sch_htb; do
    grep -v "/$missing\.ko" "$list" >"$data/modules.dep"
    mount --bind "$data/modules.dep" "$list"
    words=$(cni STATUS bandwidth none "$(limited 1 ',"shapedSubnets":["10.0.0.0/8"]')") && fail "STATUS without $missing"
    umount "$list"
    grep -q '"code": *50' <<<"$words" && grep -q "this kernel has no ${missing#sch_}" <<<"$words" || fail "$missing: $words"
  done
}

case_life() {
  sandbox a b
  local config ifb result time
  config=$(limited 1)
  attach a "$config"
  attach b "$(limited 1000)"
  answers a 10.60.0.1 || fail "IPv4 does not get through"
  answers a fd00:60::1 || fail "IPv6 does not get through"
  # 1 MB is 8 s of 1 Mbit/s, less the burst, into a and out of it.
  time=$(took b a 10.60.0.2); [ "$time" -ge 7000 ] || fail "to a: 1 MB in $time ms"
  time=$(took a b 10.60.0.3); [ "$time" -ge 7000 ] || fail "from a: 1 MB in $time ms"
  ip link show type ifb | grep -c ' bwp' | grep -qx 2 || fail "no ifb devices"
  cni ADD bandwidth a "${config%\}},\"prevResult\":$result}" >/dev/null || fail "repeated ADD"
  ifb=$(ip -o link show type ifb | grep -o 'bwp[0-9a-f]*' | head -1)
  ip link delete "$ifb"; ip link add "$ifb" type ifb
  for name in a b; do
    cni DEL bandwidth $name "$config" || fail "DEL"
    cni DEL bandwidth $name "$config" || fail "second DEL"
    tc qdisc show | grep -q 'tbf\|ingress' && [ $name = b ] && fail "left: $(tc qdisc show)"
    cni DEL bridge $name "$(bridge_config)" || fail "DEL of bridge"
  done
  nothing_left ifb0 ifb1
}

case_subnets() {
  sandbox a b
  local result time
  attach a "$(limited 1 ',"unshapedSubnets":["10.60.0.3/32","fd00:60::3/128"]')"
  attach b "$(limited 1000)"
  answers a 10.60.0.1 || fail "IPv4 does not get through"
  answers a fd00:60::1 || fail "IPv6 does not get through"
  answers a 10.60.0.3 || fail "what is not limited does not get through"
  time=$(took b a 10.60.0.2); [ "$time" -lt 7000 ] || fail "to a, not limited: 1 MB in $time ms"
  time=$(took a b 10.60.0.3); [ "$time" -lt 7000 ] || fail "from a, not limited: 1 MB in $time ms"
  cni DEL bandwidth a "$(limited 1)" || fail "DEL"
  attach_again=$(cni ADD bandwidth a "$(limited 1 ",\"shapedSubnets\":[\"10.60.0.3/32\"],\"prevResult\":$result")") || fail "$attach_again"
  time=$(took b a 10.60.0.2); [ "$time" -ge 7000 ] || fail "to a: 1 MB in $time ms"
  time=$(took a b 10.60.0.3); [ "$time" -ge 7000 ] || fail "from a: 1 MB in $time ms"
}

case_rates() {
  sandbox a
  local config result
  config=$(network net bandwidth ',"ingressRate":80000000000,"egressRate":34359738360')
  attach a "$config"
  tc qdisc show | grep -q 'tbf 1: dev veth.* rate 80Gbit' || fail "$(tc qdisc show)"
  cni DEL bandwidth a "$config" || fail "DEL"
}

thorough "bandwidth: a kernel without its modules is told from one where something else fails" case_no_modules
thorough "bandwidth: STATUS names the module that is not installed" case_status
thorough "bandwidth limits both directions, lives and dies; modules load by themselves" case_life
thorough "bandwidth: subnets that are not limited, and that alone are" case_subnets
thorough "bandwidth: rates beyond 32 bits" case_rates
