#!/bin/bash
# vrf: overlapping addresses kept apart, all of an interface's addresses and routes kept, and given back.
. "$(dirname "$0")/tools.sh"
reference=$(realpath "$(dirname "$0")/../..")/.cache/reference/usr/lib/cni
export reference

# Container c with eth0 and net1, both 10.0.0.2/24 and fd00::2/64; at the other ends the namespaces left and right, both 10.0.0.1 and
# fd00::1, and behind them 198.51.100.1 and fd00:99::1.
wire() {
  modprobe vrf
  sandbox c left right
  ip -n c link set lo up
  local link far
  for link in eth0:left net1:right; do
    far=${link#*:} link=${link%:*}
    ip -n c link add $link type veth peer name far netns $far
    ip -n $far -batch - <<<"link set lo up
      address add 198.51.100.1/32 dev lo
      address add fd00:99::1/128 dev lo
      address add 10.0.0.1/24 dev far
      address add fd00::1/64 dev far nodad
      link set far up"
    ip -n c -batch - <<<"link set $link up
      address add 10.0.0.2/24 dev $link
      address add fd00::2/64 dev $link nodad"
  done
}

result() { echo '{"cniVersion":"1.1.0","interfaces":[{"name":"'$1'","sandbox":"/run/netns/c"}],"ips":[{"interface":0,"address":"10.0.0.2/24"},{"interface":0,"address":"fd00::2/64"}]}'; }

# VERB LINK VRF [MORE]: vrf's call for a link of c
vrf() {
  CNI_COMMAND=$1 CNI_CONTAINERID=c CNI_NETNS=/run/netns/c CNI_IFNAME=$2 "${suite:-$plugins}/vrf" \
    <<<"{\"cniVersion\":\"${version:-1.1.0}\",\"name\":\"n\",\"type\":\"vrf\",\"vrfname\":\"$3\"${4-},\"prevResult\":$(result $2)}"
}

# JSON: its members, in any order
members() { tr -d ' \n{}[]' <<<"$1" | sed 's/"ips":\|"interfaces"://g' | tr , '\n' | sort; }

# Routes, rules and addresses of c; without what the kernel makes with the first VRF and keeps
state() {
  local family
  for family in -4 -6; do
    ip -n c -d $family route show table all | grep -v 'table local\|^fe80::\|^multicast' | sed 's/ table main//; s/expires [0-9]*sec/expires/' | sort
    ip -n c $family rule | grep -v l3mdev
    ip -n c -o $family address | grep -v ' fe80::' | sed 's/_lft [0-9]*sec/_lft/g' | sort
  done
  ip -n c -o link | sed 's/qdisc.*//'
}

# BEFORE WHAT
same() { [ "$1" = "$(state)" ] || fail "$2: $(diff <(echo "$1") <(state))"; }

# VRF ADDRESS: it answers there
reached() { ip netns exec c ping -c1 -W3 -I "$1" "$2" >/dev/null; }

case_overlapping() {
  wire
  local link before answer; before=$(state)
  vrf STATUS eth0 blue || fail "STATUS"
  for link in eth0:blue:left net1:red:right; do
    IFS=: read -r link name far <<<"$link"
    ip -n c route add default via 10.0.0.1 dev $link; ip -n c route add default via fd00::1 dev $link metric 2000
    answer=$(vrf ADD $link $name) || fail "$answer"
    [ "$(members "$answer")" = "$(members "$(result $link)")" ] || fail "the result is not prevResult: $answer"
  done
  for address in 10.0.0.1 fd00::1 198.51.100.1 fd00:99::1; do
    reached blue $address || fail "blue does not reach $address"
    reached red $address || fail "red does not reach $address"
  done
  vrf CHECK eth0 blue || fail "CHECK of blue"
  vrf CHECK net1 red || fail "CHECK of red"
  # Each has its own way.
  ip -n left link set far down
  reached blue 10.0.0.1 && fail "blue is answered by somebody else"
  for address in 10.0.0.1 fd00::1 198.51.100.1 fd00:99::1; do reached red $address || fail "red has lost $address"; done
  ip -n left link set far up
  vrf DEL eth0 blue || fail "DEL of blue"
  for address in 10.0.0.1 198.51.100.1 fd00:99::1; do reached red $address || fail "DEL of blue took $address from red"; done
  vrf DEL net1 red || fail "DEL of red"
  ip -n c route del default dev eth0; ip -n c route del default dev net1
  ip -n c -6 route del default dev eth0; ip -n c -6 route del default dev net1
  same "$before" "after DEL"
}

case_one_vrf() {
  wire
  ip -n c address flush dev net1; ip -n c address add 10.9.0.2/24 dev net1
  local before; before=$(state)
  vrf ADD eth0 blue ',"table":1001' >/dev/null || fail "ADD of eth0"
  vrf ADD net1 blue ',"table":1001' >/dev/null || fail "ADD of net1"
  [ "$(ip -n c route show vrf blue | grep -c 'proto kernel')" = 2 ] || fail "$(ip -n c route show vrf blue)"
  vrf DEL eth0 blue || fail "DEL of eth0"
  ip -n c link show blue >/dev/null || fail "the VRF is gone while it has a port"
  vrf DEL net1 blue || fail "DEL of net1"
  same "$before" "after DEL"
}

case_kept() {
  wire
  ip -n left address add 10.0.0.9/24 dev far; ip -n left address add fd00::9/64 dev far nodad
  ip -n c -batch - <<<"route add default proto static nexthop via 10.0.0.1 dev eth0 weight 2 nexthop via 10.0.0.9 dev eth0
    route add ::/0 metric 77 nexthop via fd00::1 dev eth0 nexthop via fd00::9 dev eth0
    route add fd00:8::/64 via fd00::1 src fd00::2 dev eth0 metric 5 mtu 1400 pref high
    route add 10.8.0.0/16 via 192.0.2.9 dev eth0 onlink proto 99 src 10.0.0.2 metric 7 mtu lock 1300 advmss 1200
    route add 10.7.0.0/16 dev eth0 scope link
    route add 10.6.0.0/16 via 10.0.0.1 dev eth0 table 600
    route add 10.5.0.0/16 nexthop via 10.0.0.3 dev eth0 weight 3 nexthop via 10.0.0.4 dev net1
    address add fd00:5::5/64 dev eth0 valid_lft 5000 preferred_lft 4000
    address add fd00:5::6/128 dev eth0 preferred_lft 0 nodad
    address add fd00:5::7/64 dev eth0 nodad noprefixroute home
    address add 10.0.0.7/24 dev eth0
    address add 10.77.0.1 peer 10.77.0.2 dev eth0"
  local before
  until ! ip -n c -6 address show dev eth0 | grep -q tentative; do sleep 0.2; done
  before=$(state)
  vrf ADD eth0 blue ',"table":1001' >/dev/null || fail "ADD"
  # What is in the VRF's table now is what was in the main one, but for what the kernel has for local addresses.
  diff <(grep ' dev eth0\|nexthop' <<<"$before" | grep -v '10.5.0.0\|10.0.0.4\|scope global\|scope link eth0' | sort) \
    <(state | sed 's/ table 1001//' | grep ' dev eth0\|nexthop' | grep -v '^\(local\|broadcast\|anycast\)\|10.5.0.0\|10.0.0.4\|scope global\|scope link eth0' | sort) || fail "routes differ"
  diff <(grep inet <<<"$before") <(state | grep inet) || fail "addresses differ"
  ip -n c route show vrf blue | grep -q '^10.5.0.0/16 via 10.0.0.3 dev eth0' || fail "the way over eth0 is not in the VRF"
  ip -n c route show table 600 | grep -q 10.6.0.0 || fail "the route of another table is lost"
  ip -n c -6 address show dev eth0 | grep -q tentative && fail "an address is not usable when ADD ends"
  for address in fd00:5::5 fd00:5::6 fd00::2; do
    ip -n c -6 route show table 1001 | grep -q "^local $address " || fail "$address is not local in the VRF"
  done
  reached blue 198.51.100.1 || fail "the default route does not lead"
  vrf ADD eth0 blue ',"table":1001' >/dev/null || fail "second ADD"
  vrf CHECK eth0 blue || fail "CHECK"
  vrf DEL eth0 blue || fail "DEL"
  same "$before" "after DEL"
  vrf DEL eth0 blue || fail "second DEL"
  same "$before" "after the second DEL"
}

case_merged_default() {
  wire
  # IPv6 makes one route of both interfaces' default routes (upstream issue 1253).
  ip -n c -6 route append default via fd00::1 dev eth0; ip -n c -6 route append default via fd00::9 dev net1
  local before; before=$(state)
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  ip -n c -6 route show default | grep -q eth0 && fail "the main table still leads over eth0: $(ip -n c -6 route show default)"
  ip -n c -6 route show default | grep -q 'via fd00::9 dev net1' || fail "net1 has lost its default route"
  reached blue fd00:99::1 || fail "the default route is not in the VRF"
  vrf DEL eth0 blue || fail "DEL"
  [ "$(sort <<<"$before")" = "$(state | sort)" ] || fail "after DEL: $(diff <(sort <<<"$before") <(state | sort))"
}

case_free_table() {
  wire
  ip -n c rule add from 192.0.2.1 lookup 1; ip -n c -6 rule add from fd00:7::1 lookup 2
  ip -n c route add 192.0.2.0/24 dev net1 table 3; ip -n c -6 route add fd00:7::/64 dev net1 table 4
  ip -n c link add other type vrf table 5
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  ip -n c -d link show blue | grep -q 'vrf table 6 ' || fail "$(ip -n c -d link show blue)"
  # sbr looks at VRFs, too.
  ip -n c link add hundred type vrf table 100
  CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_NETNS=/run/netns/c CNI_IFNAME=net1 "$plugins/sbr" \
    <<<"{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"sbr\",\"prevResult\":$(result net1)}" >/dev/null || fail "sbr"
  ip -n c rule | grep -q 'from 10.0.0.2 lookup 101' || fail "$(ip -n c rule)"
}

case_refused() {
  wire
  ip -n c link add plain type bridge
  ip -n c link add other type vrf table 7
  local before words; before=$(state)
  refused() { words=$(vrf "$@") && fail "$*: succeeded"; shift 3; same "$before" "$*"; }
  refused ADD eth0 plain; grep -q 'Netlink plain is not a VRF' <<<"$words" || fail "$words"
  refused ADD eth0 other ',"table":8'; grep -q 'VRF other already exist with different routing table 7' <<<"$words" || fail "$words"
  refused ADD gone blue; grep -q 'the container has no such interface' <<<"$words" || fail "$words"
  ip -n c link set eth0 master plain; before=$(state)
  refused ADD eth0 blue; grep -q 'interface eth0 has already a master set: plain' <<<"$words" || fail "$words"
  ip -n c link set eth0 nomaster
  vrf ADD eth0 other ',"table":7' >/dev/null || fail "the VRF's own table"
  words=$(vrf ADD eth0 blue) && fail "a port of another VRF was taken"
  grep -q 'has already a master set: other' <<<"$words" || fail "$words"
  ip -n c link show blue >/dev/null 2>&1 && fail "a VRF is left of an ADD that failed"
  vrf ADD net1 red ',"table":7' >/dev/null || fail "two VRFs may share a table"
}

case_deletion() {
  wire
  vrf DEL eth0 blue || fail "DEL of what was never added"
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  ip -n c link del eth0
  vrf DEL eth0 blue || fail "DEL when the interface is gone (the reference fails)"
  ip -n c link show blue >/dev/null 2>&1 && fail "the VRF is left without ports"
  vrf ADD net1 blue >/dev/null || fail "ADD of net1"
  ip -n c link del blue
  vrf DEL net1 blue || fail "DEL when the VRF is gone"
  for netns in '' /run/netns/none; do
    CNI_COMMAND=DEL CNI_CONTAINERID=c CNI_NETNS=$netns CNI_IFNAME=net1 "$plugins/vrf" <<<'{"cniVersion":"1.1.0","name":"n","type":"vrf","vrfname":"blue"}' ||
      fail "DEL without namespace"
  done
  [ ! -e /run/netns/none ] || fail "DEL made a file"
}

case_check() {
  wire
  local words
  ip -n c route add default via 10.0.0.1 dev eth0
  misses() { words=$(vrf CHECK eth0 blue "${2-}") && fail "CHECK misses not: $1"; grep -q "$1" <<<"$words" || fail "$1: $words"; }
  misses 'VRF blue is missing'
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  vrf CHECK eth0 blue || fail "CHECK"
  misses 'has routing table 1, expected 9' ',"table":9'
  ip -n c link set blue down; misses 'VRF blue is down'; ip -n c link set blue up
  ip -n c address del fd00::2/64 dev eth0; misses 'address fd00::2/64 is missing'; ip -n c address add fd00::2/64 dev eth0 nodad
  ip -n c rule del priority 1000; misses 'IPv4 rule'
  vrf ADD eth0 blue >/dev/null || fail "ADD that brings the rule back"
  vrf CHECK eth0 blue || fail "CHECK after the rule came back"
  ip -n c link set eth0 nomaster; misses 'failed to find eth0 associated to vrf blue'
}

case_interop() {
  [ -x "$reference/vrf" ] || { echo "no reference suite"; return; }
  wire
  ip -n c route add default via 10.0.0.1 dev eth0
  local version=1.0.0 before theirs ours; before=$(state)
  theirs=$(suite=$reference vrf ADD eth0 blue) || fail "the reference's ADD: $theirs"
  vrf CHECK eth0 blue || fail "our CHECK of theirs"
  vrf ADD eth0 blue >/dev/null || fail "our ADD of theirs"
  vrf DEL eth0 blue || fail "our DEL of theirs"
  same "$before" "after our DEL of theirs"
  ours=$(vrf ADD eth0 blue) || fail "ADD: $ours"
  [ "$(members "$ours")" = "$(members "$theirs")" ] || fail "results differ: $ours, $theirs"
  suite=$reference vrf CHECK eth0 blue || fail "their CHECK of ours"
  suite=$reference vrf DEL eth0 blue || fail "their DEL of ours"
  ip -n c link show blue >/dev/null 2>&1 && fail "their DEL leaves our VRF"
  true
}

# The n-th message to the kernel fails, or is the last (a sample: each takes a second and more): ADD leaves nothing, or DEL gives all back.
case_faults() {
  wire
  ip -n c route add default via 10.0.0.1 dev eth0; ip -n c -6 route add default via fd00::1 dev eth0
  local before count n; before=$(state)
  faulty() {
    CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_NETNS=/run/netns/c CNI_IFNAME=eth0 strace -qqq -o "$data/trace" -e trace=sendto "$@" "$plugins/vrf" \
      <<<"{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"vrf\",\"vrfname\":\"blue\",\"prevResult\":$(result eth0)}"
  }
  faulty >/dev/null || fail "ADD"
  vrf DEL eth0 blue || fail "DEL"
  same "$before" "after DEL"
  count=$(wc -l <"$data/trace")
  for ((n = 1; n <= count; n += 4)); do
    if ! faulty -e inject=sendto:error=ENOMEM:when=$n >/dev/null; then same "$before" "ADD failed at message $n of $count"
    else vrf DEL eth0 blue || fail "DEL"; fi
  done
  for ((n = 3; n <= count; n += 4)); do
    faulty -e inject=sendto:signal=KILL:when=$n >/dev/null 2>&1
    vrf DEL eth0 blue || fail "DEL after ADD was killed at message $n of $count"
    same "$before" "ADD was killed at message $n of $count"
  done
}

case_check_routes() {
  wire
  local words
  ip -n c route add default via 10.0.0.1 dev eth0
  result() { echo '{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/c"}],"ips":[{"interface":0,"address":"10.0.0.2/24"}],"routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"}]}'; }
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  vrf CHECK eth0 blue || fail "CHECK"
  ip -n c route del default table 1
  ip -n c route add default via 10.0.0.1 dev eth0 onlink
  words=$(vrf CHECK eth0 blue) && fail "CHECK takes the main table's route for the VRF's"
  grep -q 'route 0.0.0.0/0 via 10.0.0.1 dev eth0 is missing in table 1' <<<"$words" || fail "$words"
  result() { echo '{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.2/24"}]}'; }
  vrf ADD eth0 blue >/dev/null || fail "ADD with a result that names no interface"
  vrf CHECK eth0 blue || fail "CHECK with a result that names no interface"
}

case_without_six() {
  wire
  ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  result() { echo '{"cniVersion":"1.1.0","interfaces":[{"name":"'$1'","sandbox":"/run/netns/c"}],"ips":[{"interface":0,"address":"10.0.0.2/24"}]}'; }
  vrf ADD eth0 blue >/dev/null || fail "ADD"
  reached blue 10.0.0.1 || fail "no answer"
  vrf CHECK eth0 blue || fail "CHECK"
  vrf DEL eth0 blue || fail "DEL"
}

report "vrf: overlapping addresses in two VRFs, each with its own way, both families" case_overlapping
thorough "vrf: two interfaces share a VRF, which goes with the last" case_one_vrf
report "vrf: addresses with flags and lifetimes, ECMP default routes, routes of every table are kept and given back" case_kept
thorough "vrf: an IPv6 default route that was one of two interfaces is taken apart" case_merged_default
thorough "vrf: a table that a rule, a route or a VRF uses is not taken, nor by sbr" case_free_table
thorough "vrf: another link's name, another table, another master, no interface: refused, with nothing left" case_refused
report "vrf: DEL without interface, VRF or namespace succeeds" case_deletion
thorough "vrf: CHECK misses the VRF, its table and state, an address, the rule, the port" case_check
thorough "vrf: CHECK looks for routes in the VRF's table, and needs no interface in the result" case_check_routes
thorough "vrf: state of the reference's is understood, and ours by the reference" case_interop
thorough "vrf: an ADD that fails at any message leaves nothing, and DEL gives back what one that is killed has moved" case_faults
thorough "vrf: life without IPv6" case_without_six
