#!/bin/bash
# A kernel that was told to do without IPv6.
# boot: ipv6.disable=1
. "$(dirname "$0")/tools.sh"

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

# Interfaces made in the container: each on a wire to a host outside, but for dummy and tap, which lead nowhere yet.
case_container_links() {
  local four parent result config plugin name
  four="\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"10.8.0.0/24\",\"rangeStart\":\"10.8.0.2\"}]]}"
  ip netns add outside
  ip link add parent type veth peer name wire netns outside
  ip link add card type veth peer name cable netns outside
  ip link set parent up
  ip -n outside link set wire up
  ip -n outside link set cable up
  ip -n outside link add wire.100 link wire type vlan id 100
  modprobe -q tun
  for plugin in macvlan ipvlan vlan host-device dummy tap; do
    sandbox a
    case $plugin in
      macvlan | ipvlan) parent=',"master":"parent"' name=wire ;;
      vlan) parent=',"master":"parent","vlanId":100' name=wire.100 ;;
      host-device) parent=',"device":"card"' name=cable ;;
      *) parent='' name='' ;;
    esac
    [ -z "$name" ] || { ip -n outside addr add 10.8.0.1/24 dev $name && ip -n outside link set $name up; }
    config=$(network four $plugin "$parent,$four")
    cni STATUS $plugin a "$config" || fail "$plugin: STATUS"
    result=$(cni ADD $plugin a "$config") || fail "$plugin: $result"
    [ -z "$name" ] || answers a 10.8.0.1 || fail "$plugin: no answer"
    check $plugin a "$config" "$result" || fail "$plugin: CHECK"
    cni DEL $plugin a "$config" || fail "$plugin: DEL"
    ip -n a link show eth0 2>/dev/null && fail "$plugin: the interface is left"
    [ -z "$name" ] || ip -n outside addr delete 10.8.0.1/24 dev $name
    ip netns delete a
  done
  nothing_left parent card
}

# Behind ptp, one at a time: ADD, CHECK, ADD again, DEL
case_chained_no_ipv6() {
  sandbox a
  modprobe -a vrf ifb sch_tbf sch_ingress cls_u32 act_mirred
  local first before result config type more
  first=$(network four ptp ",\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"10.8.0.0/24\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}")
  before=$(cni ADD ptp a "$first") || fail "ptp: $before"
  while read -r type more; do
    config=$(network four "$type" "$more")
    result=$(cni ADD "$type" a "${config%\}},\"prevResult\":$before}") || fail "$type: ADD: $result"
    check "$type" a "$config" "$result" || fail "$type: CHECK"
    cni ADD "$type" a "${config%\}},\"prevResult\":$before}" >/dev/null || fail "$type: ADD again"
    cni DEL "$type" a "${config%\}},\"prevResult\":$result}" || fail "$type: DEL"
    answers a 10.8.0.1 || fail "$type: no answer afterwards"
  done <<'EOT'
vrf ,"vrfname":"blue"
sbr
tuning ,"mtu":1400,"sysctl":{"net.core.somaxconn":"500"}
bandwidth ,"ingressRate":10000000,"egressRate":10000000
firewall
portmap ,"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}
EOT
  cni DEL ptp a "$first" || fail "ptp: DEL"
}

report "without IPv6 in the kernel: bridge, ptp and loopback live and die" case_no_ipv6
thorough "without IPv6 in the kernel: macvlan, ipvlan, vlan, host-device, dummy and tap live and die" case_container_links
thorough "without IPv6 in the kernel: vrf, sbr, tuning, bandwidth, firewall and portmap live and die" case_chained_no_ipv6
