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

report "without IPv6 in the kernel: bridge, ptp and loopback live and die" case_no_ipv6
