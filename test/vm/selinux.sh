#!/bin/bash
# tap's `selinuxContext`: the device has the label asked for, so that only programs of that label can open it.
# boot: security=selinux selinux=1 enforcing=1
. "$(dirname "$0")/tools.sh"

# A policy with two types, the node's own and a guest's, each of which may make and open taps with its own label; the node may start
# programs as guests. Classes that it does not name are allowed. Compiled from this by secilc 3.4 (secilc -N -c 31), and gzipped:
#   (handleunknown allow) (mls true)
#   (class process (setexec transition dyntransition)) (class tun_socket (create attach_queue relabelfrom relabelto))
#   (classorder (unordered process tun_socket))
#   (sid kernel) (sid security) (sid unlabeled) (sidorder (kernel security unlabeled))
#   (sensitivity s0) (sensitivityorder (s0)) (category c0) (categoryorder (c0)) (sensitivitycategory s0 (c0))
#   (type node_t) (type guest_t) (role r) (user u)
#   (userrole u r) (userlevel u (s0)) (userrange u ((s0) (s0))) (roletype r node_t) (roletype r guest_t)
#   (sidcontext kernel (u r node_t ((s0) (s0)))) (sidcontext security (u r node_t ((s0) (s0))))
#   (sidcontext unlabeled (u r node_t ((s0) (s0))))
#   (allow node_t node_t (process (setexec transition))) (allow node_t guest_t (process (transition)))
#   (allow node_t node_t (tun_socket (create attach_queue relabelfrom relabelto)))
#   (allow guest_t guest_t (tun_socket (create attach_queue relabelfrom relabelto)))
policy=H4sIAAAAAAACA41RUU4DIRCF3eq2VeMR7BF6hP70r38egFA66moLLQxJTTyCF/ZLoQ6WNGD2bV4WHm9mmOHz++NrzBh7XM5WvfbHh7C+CozaJHDBzsjXCQ2xoz0PbIkRe2sUOHdH0uZdo5Xa9dgbPaXYs9JRBgcIR1CFemyaFR4RI9Br4Yx6A7ymJMqCRLihyha2cg3bJ2t2txQuEaV6EQcPHiaUimxo2D/NcvpH2AVNhmemNK1cTxMZZ5pZv4JCYWtTTgVTSylOmw0I7LLrRDx7cCiQZ+Z05Gu3TKa8Kq+8Nb9o3c15oU9ecCdNzUenXRPI6eR3d0/r+LWnqOZPv0RbyF7qoxngaQd4hqI2idrsfwDmQqPOfAMAAA==
mountpoint -q /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux
base64 -d <<<"$policy" | gunzip | dd of=/sys/fs/selinux/load bs=1M iflag=fullblock status=none || echo "# the policy was not loaded"

# CONTEXT WORDS…: runs a program in that context
as() { local context=$1; shift; bash -c 'printf %s "$0" >/proc/self/attr/exec && exec "$@"' "$context" "$@"; }

# CONTEXT: what opening the tap of sandbox a says to a program in that context; nothing when it may, and is stopped
opening() { as "$1" ip netns exec a timeout 3 socat -u TUN,tun-type=tap,tun-name=eth0,iff-no-pi OPEN:/dev/null 2>&1; }

tap() { network net tap "$1"; }

case_label() {
  sandbox a
  [ "$(tr -d '\0' </proc/self/attr/current)" = u:r:node_t:s0 ] || fail "the policy is not in force"
  local result said
  result=$(cni ADD tap a "$(tap ',"selinuxContext":"u:r:guest_t:s0","mtu":1400,"owner":0')") || fail "$result"
  ip -n a -d link show eth0 | grep -q 'mtu 1400.*' || fail "$(ip -n a -d link show eth0)"
  said=$(opening u:r:node_t:s0)
  grep -q 'TUNSETIFF.*Permission denied' <<<"$said" || fail "the node's own programs can open the guest's tap: $said"
  said=$(opening u:r:guest_t:s0)
  [ -z "$said" ] || fail "the guest's program cannot open it: $said"
  check tap a "$(tap '')" "$result" || fail "CHECK"
  cni DEL tap a "$(tap '')" || fail "DEL"
  result=$(cni ADD tap a "$(tap '')") || fail "$result"
  said=$(opening u:r:guest_t:s0)
  grep -q 'TUNSETIFF.*Permission denied' <<<"$said" || fail "the guest's program can open the node's tap: $said"
}

case_refused() {
  sandbox a
  local answer
  answer=$(cni ADD tap a "$(tap ',"selinuxContext":"u:r:nobody_t:s0"')") && fail "took a context that is none"
  grep -q '"code": 7' <<<"$answer" && grep -q "no context of the node's SELinux policy" <<<"$answer" || fail "$answer"
  ip -n a link show eth0 2>/dev/null && fail "a tap is left"
  # A guest may change to no other context.
  answer=$(as u:r:guest_t:s0 bash -c "CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_NETNS=/run/netns/a CNI_IFNAME=eth0 $plugins/tap" <<<"$(tap ',"selinuxContext":"u:r:node_t:s0"')") && fail "changed to a context that the policy does not permit"
  grep -q 'Permission denied\|permission denied' <<<"$answer" && grep -q 'audit log' <<<"$answer" || fail "$answer"
  ip -n a link show eth0 2>/dev/null && fail "a tap is left"
  cni STATUS tap a "$(tap ',"selinuxContext":"u:r:guest_t:s0"')" || fail "STATUS"
}

thorough "tap: the device has the SELinux label asked for: a program with that label can open it, another cannot" case_label
thorough "tap: an SELinux context that is none, or that the policy does not permit, is refused, saying which" case_refused
