/** A device for the tests of host-device: `nic0`, a virtual link with something to lose, and sysfs as it is where there is hardware. */
import type { Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNetwork } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";

export const PCI = "0000:65:00.0";

export function deviceNetwork(node: TestNode, suite: Suite, config: object = {}, name = "testnet"): TestNetwork {
  return new TestNetwork(node, "1.1.0", [{ suite, config: { type: "host-device", device: "nic0", ...config } }], name);
}

/**
 * Makes `nic0`: a port of br7, with an alias, a second name, addresses and routes as people and network managers give them, and a cable to
 * nowhere.
 */
export async function makeDevice(node: TestNode): Promise<void> {
  const lines = [
    "link add br7 type bridge",
    "link add nic0 address 02:00:00:00:23:00 mtu 1400 txqueuelen 77 type veth peer name cable",
    "link set dev nic0 master br7 alias rack-3/5",
    "link set dev nic0 promisc on",
    "link set dev nic0 up",
    "link property add dev nic0 altname enp101s0",
    "address add 192.0.2.5/24 dev nic0",
    "address add 2001:db8:5::5/64 dev nic0 nodad",
    "address add 192.0.2.6/24 dev nic0 label nic0:1 preferred_lft 0",
    "address add 203.0.113.5/24 dev nic0 metric 77 noprefixroute",
    "address add 192.0.2.33 peer 192.0.2.34 dev nic0 metric 78",
    "address add 2001:db8:7::5/64 dev nic0 nodad noprefixroute",
    "route add 203.0.113.0/24 dev nic0 proto kernel scope link src 203.0.113.5 metric 100",
    "route add 2001:db8:7::/64 dev nic0 proto kernel metric 100",
    "route add 198.51.101.0/24 nexthop via 192.0.2.1 dev nic0 weight 2 nexthop via 192.0.2.2 dev nic0",
    "route add 2001:db8:8::/48 nexthop via 2001:db8:5::1 dev nic0 nexthop via 2001:db8:5::2 dev nic0 weight 3",
    "route add 198.51.102.0/24 via 192.0.2.1 dev nic0 table 77 mtu 1280 initcwnd 20",
    "route add 198.51.100.0/24 via 192.0.2.1 dev nic0 metric 50",
    "route add 2001:db8:6::/48 via 2001:db8:5::1 dev nic0",
  ];
  await node.exec(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
}

export interface DeviceState {
  readonly link: Json;
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
}

/** What of a device is to be as it was. */
export async function stateOf(where: Namespace, name = "nic0"): Promise<DeviceState> {
  const [link = {}] = await where.ip("-d", "address", "show", "dev", name);
  const { ifname, address, mtu, txqlen, ifalias, altnames, master, flags, group } = link;
  const addresses = link["addr_info"]
    .filter((each: Json) => !(each.family === "inet6" && each.scope === "link"))
    .map((each: Json) => JSON.stringify(each));
  const routes: string[] = [];
  for (const family of ["-4", "-6"]) {
    for (const route of await where.ip("-d", family, "route", "show", "table", "all")) {
      const { dev, nexthops = [], table, dst, flags: _, ...others } = route;
      const isBy = dev === name || nexthops.some((hop: Json) => hop.dev === name);
      if (!isBy || table === "local" || String(dst).startsWith("fe80")) continue;
      const ways = nexthops.map(({ flags: _hop, ...way }: Json) => JSON.stringify(way)).toSorted();
      routes.push(JSON.stringify({ dst, table, ways, ...others }));
    }
  }
  const settings = flags.filter((flag: string) => !["NO-CARRIER", "LOWER_UP", "M-DOWN"].includes(flag));
  return {
    link: { ifname, address, mtu, txqlen, ifalias, altnames, master, group, flags: settings.toSorted() },
    addresses,
    routes: routes.toSorted(),
  };
}

/** Puts files of our own in the place of sysfs' devices and buses: `nic0` is a PCI device with this driver, or without one. */
export async function fakeHardware(
  node: TestNode,
  driver: string | undefined,
  layout: "pci" | "virtio" | "auxiliary",
): Promise<void> {
  const pci = `/sys/devices/pci0000:64/${PCI}`;
  const own = layout === "pci" ? pci : layout === "virtio" ? `${pci}/virtio7` : `${pci}/core.sf.2`;
  const script = [
    "set -e",
    "mount -t tmpfs devices /sys/devices && mount -t tmpfs bus /sys/bus",
    `mkdir -p ${own}/net/nic0 /sys/devices/virtual/net/nic0 /sys/bus/pci/devices /sys/bus/auxiliary/devices`,
    `ln -s ${pci} /sys/bus/pci/devices/${PCI}`,
    `ln -s ${own} /sys/devices/virtual/net/nic0/device`,
    layout === "auxiliary" ? `ln -s ${own} /sys/bus/auxiliary/devices/core.sf.2` : "",
    driver === undefined
      ? ""
      : `mkdir -p /sys/bus/pci/drivers/${driver} && ln -s /sys/bus/pci/drivers/${driver} ${pci}/driver`,
  ];
  await node.exec(["sh", "-c", script.join("\n")]);
}
