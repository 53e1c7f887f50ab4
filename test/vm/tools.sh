#!/bin/bash
# What the case files of this directory share. A case file shows what plugins do under the kernel that it runs on, and is run as root
# in a virtual machine (test/vm/vmrun), where nothing else is. It is called `FILE PLUGINS [SCOPE]` and writes TAP: "ok - NAME" or
# "not ok - NAME" with what went wrong behind it.
#
# To write one, such as ipvlan.sh:
#
#   #!/bin/bash
#   # What the file shows, in a line.
#   . "$(dirname "$0")/tools.sh"
#
#   case_two_containers() {          # in a subshell, with network namespace, /run/netns and $data of its own, for 120 s at most
#     sandbox a b
#     local config result
#     config=$(network net ipvlan ",\"master\":\"parent\",$(ipam 10.1.0.0/24 fd00:1::/64)")
#     result=$(cni ADD ipvlan a "$config") || fail "$result"
#     …                              # `fail WORDS` ends the case
#   }
#   report "two containers of one parent meet" case_two_containers
#
# and make it executable. `npm run test:kernels` (four kernels) and test/vm/kernel.test.ts (one kernel, with `npm test`, SCOPE "quick")
# run every such file, several in one boot, and read the names out of its lines `report "NAME" …`, which must therefore begin a line
# and differ from those of other files. `thorough "NAME" …` leaves a case to `npm run test:kernels`: a machine costs CI more than all
# else, so what stays is, of each kind of link that its own kernel lacks, a life, traffic, and what DEL must survive.
# A line "# boot: WORDS" puts the file into a machine whose kernel is booted with those words.
# A line "# cards: COUNT" gives the machine so many network cards, in its first network namespace; `namespaces=--mount` has cases there.
# Programs run 15 to 40 times slower there: some ten cases, of some seconds each, are plenty for a file.
set -u
plugins=$1 scope=${2-}
export CNI_PATH=$plugins
export TMPDIR=/tmp # the caller's need not exist in the machine
data=$(mktemp -d) || exit
trap 'rm -rf "$data"' EXIT
mkdir -p /run/netns

fail() { echo "$*" >&2; exit 1; }

sandbox() { for name in "$@"; do ip netns add "$name"; ip -n "$name" link set lo up; ip -n "$name" link set lo down; done; }

# Seconds; emulated, programs are some thirty times slower.
export FERRULE_DEADLINE=1000

# VERB PLUGIN SANDBOX CONFIGURATION: succeeds, with the result on stdout
cni() { CNI_COMMAND=$1 CNI_CONTAINERID=c-$3 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 "$plugins/$2" <<<"$4"; }

# PLUGIN SANDBOX CONFIGURATION RESULT: CHECK
check() { cni CHECK "$1" "$2" "${3%\}},\"prevResult\":$4}"; }

answers() { ip netns exec "$1" ping -c1 -W3 "$2" >/dev/null; }

# PLUGIN CONFIGURATION ADDRESS…: ADD in sandboxes a and b, with the results in `one` and `two`; every address answers a; CHECK agrees
both_live() {
  local plugin=$1 config=$2 address; shift 2
  one=$(cni ADD "$plugin" a "$config") || fail "$one"
  two=$(cni ADD "$plugin" b "$config") || fail "$two"
  for address in "$@"; do answers a "$address" || fail "no answer from $address"; done
  check "$plugin" a "$config" "$one" || fail "CHECK"
}

# [LINK…]: no link but these, lo and cni0, and no rule
nothing_left() {
  local links; links=$(ls /sys/class/net | grep -vx "$(printf '%s\n' lo cni0 bonding_masters "$@")")
  [ -z "$links" ] || fail "left: $links"
  [ -z "$(nft list ruleset)" ] || fail "left: $(nft list ruleset)"
}

# SUBNET SUBNET6: an ipam for host-local, both families
ipam() { echo "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$data\",\"ranges\":[[{\"subnet\":\"$1\"}],[{\"subnet\":\"$2\"}]]}"; }

# NAME PLUGIN MORE: a configuration; MORE is empty or begins with a comma
network() { echo "{\"cniVersion\":\"1.1.0\",\"name\":\"$1\",\"type\":\"$2\"$3}"; }

# NAME FUNCTION: runs one case. What it prints is the reason when it fails. The limit tells what hangs, not what is slow.
report() {
  local words limit=900
  # A mount namespace of its own too: names of sandboxes are used again. `ip netns` would otherwise mount what others see.
  if words=$(export -f $(compgen -A function) && export plugins data CNI_PATH &&
    timeout $limit unshare ${namespaces:---net --mount} bash -c "data=\$(mktemp -d -p $data); mount -t tmpfs netns /run/netns; mount -t sysfs sysfs /sys; ip link set lo up; $2" 2>&1); then
    echo "ok - $1"
  else
    [ $? != 124 ] || words+="ended after $limit seconds"
    echo "not ok - $1"
    sed 's/^/# /' <<<"$words"
  fi
}

# The same, where there is time for it.
thorough() { [ "$scope" = quick ] || report "$@"; }
