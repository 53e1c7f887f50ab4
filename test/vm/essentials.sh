#!/bin/bash
# The life of an attachment: loopback, bridge and ptp with host-local, both backends of masquerading, and portmap.
. "$(dirname "$0")/tools.sh"

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
  both_live bridge "$config" 10.1.0.1 fd00:1::1 10.1.0.3 fd00:1::3
  cni DEL bridge a "$config" || fail "DEL"
  ip netns delete b
  cni DEL bridge b "$config" || fail "DEL without sandbox"
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

case_ptp() {
  sandbox a b
  local config one two
  config=$(network net ptp ",\"ipMasq\":true,$(ipam 10.2.0.0/24 fd00:2::/64)")
  both_live ptp "$config" 10.2.0.1 fd00:2::1 10.2.0.3 fd00:2::3
  cni DEL ptp a "$config" && cni DEL ptp b "$config" || fail "DEL"
  nothing_left
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

thorough "loopback lives and dies" case_loopback
thorough "bridge, both families, masquerade and spoof check in nf_tables, lives and dies" case_bridge
thorough "bridge with masquerade in iptables lives and dies" case_iptables
thorough "ptp, both families, lives and dies" case_ptp
thorough "portmap carries a connection, lives and dies" case_portmap
