#!/bin/bash
# A kernel without nf_tables, on a node whose iptables is the older variant: where no backend is said, iptables' own tables serve.
# boot: module_blacklist=nf_tables
. "$(dirname "$0")/tools.sh"

# iptables-save and its like as the older variant; nothing to do where the kernel has given that up.
older_iptables() {
  modprobe -q iptable_nat && modprobe -q ip6table_nat || { echo "this kernel has no older iptables"; exit 0; }
  mkdir "$data/bin"
  local name; for name in {ip,ip6}tables{,-save,-restore}; do
    ln -s "$(command -v "${name/tables/tables-legacy}")" "$data/bin/$name"
  done
  PATH=$data/bin:$PATH
}

saved() { iptables-save -t nat; ip6tables-save -t nat; }

case_masquerade() {
  older_iptables
  sandbox a
  local config result plugin
  for plugin in bridge ptp; do
    config=$(network net $plugin ",\"isDefaultGateway\":true,\"ipMasq\":true,$(ipam 10.7.0.0/24 fd00:7::/64)")
    cni STATUS $plugin a "$config" || fail "$plugin: STATUS"
    result=$(cni ADD $plugin a "$config") || fail "$plugin: $result"
    saved | grep -q 'MASQUERADE' || fail "$plugin: nothing is masqueraded: $(saved)"
    check $plugin a "$config" "$result" || fail "$plugin: CHECK"
    cni DEL $plugin a "$config" || fail "$plugin: DEL"
    ! saved | grep CNI- || fail "$plugin: rules are left"
  done
  config=$(network net bridge ",\"isDefaultGateway\":true,\"ipMasq\":true,\"ipMasqBackend\":\"nftables\",$(ipam 10.7.0.0/24 fd00:7::/64)")
  cni ADD bridge a "$config" | grep -q 'the kernel has no nf_tables' || fail "nf_tables was asked for, and nobody says that there is none"
}

case_portmap() {
  older_iptables
  sandbox a
  local config mapping result
  config=$(network net bridge ",\"isDefaultGateway\":true,$(ipam 10.7.0.0/24 fd00:7::/64)")
  result=$(cni ADD bridge a "$config") || fail "$result"
  mapping=$(network net portmap ',"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}')
  cni STATUS portmap a "$mapping" || fail "STATUS"
  cni ADD portmap a "${mapping%\}},\"prevResult\":$result}" >/dev/null || fail "ADD"
  saved | grep -q -- '--dport 8080' || fail "the port is not mapped: $(saved)"
  check portmap a "$mapping" "$result" || fail "CHECK"
  cni DEL portmap a "$mapping" || fail "DEL"
  ! saved | grep -- '--dport 8080' || fail "the mapping is left"
}

thorough "without nf_tables: bridge and ptp masquerade in iptables" case_masquerade
thorough "without nf_tables: portmap maps in iptables" case_portmap
