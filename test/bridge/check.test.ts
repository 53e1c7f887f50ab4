/** CHECK of bridge: each thing that traffic depends on, taken away, is noticed and named; what does not matter is not. */
import { describe, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { bridgeNetwork, dual } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";

const config = {
  isGateway: true,
  ipMasq: true,
  macspoofchk: true,
  hairpinMode: true,
  portIsolation: true,
  ipam: { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "198.51.100.0/24" }] },
};

interface Sabotage {
  readonly what: string;
  readonly where: "node" | "sandbox";
  /** `$port` is the host's end. */
  readonly command: string;
  readonly named: RegExp;
}

const sabotages: readonly Sabotage[] = [
  { what: "the interface is gone", where: "sandbox", command: "ip link del eth0", named: /interface eth0 is missing/ },
  {
    what: "the interface is down",
    where: "sandbox",
    command: "ip link set eth0 down",
    named: /eth0/,
  },
  {
    what: "the interface has another hardware address",
    where: "sandbox",
    command: "ip link set eth0 address 02:00:00:00:00:99",
    named: /hardware address 02:00:00:00:00:99/,
  },
  {
    what: "an IPv4 address is gone",
    where: "sandbox",
    command: "ip addr del 10.22.0.2/24 dev eth0",
    named: /address 10\.22\.0\.2\/24 is missing on interface eth0/,
  },
  {
    what: "an IPv6 address is gone",
    where: "sandbox",
    command: "ip addr del 2001:db8:22::2/64 dev eth0",
    named: /address 2001:db8:22::2\/64 is missing/,
  },
  {
    what: "the default route is gone",
    where: "sandbox",
    command: "ip route del default",
    named: /route 0\.0\.0\.0\/0 via 10\.22\.0\.1 dev eth0 is missing/,
  },
  {
    what: "a route leads elsewhere",
    where: "sandbox",
    command: "ip route replace 198.51.100.0/24 via 10.22.0.77",
    named: /route 198\.51\.100\.0\/24 via 10\.22\.0\.1/,
  },
  { what: "the port is detached", where: "node", command: "ip link set $port nomaster", named: /no port of it/ },
  { what: "the port is down", where: "node", command: "ip link set $port down", named: /bridge port veth\w+ is down/ },
  {
    what: "the port is not isolated",
    where: "node",
    command: "bridge link set dev $port isolated off",
    named: /veth\w+ is not isolated/,
  },
  {
    what: "the port has no hairpin",
    where: "node",
    command: "bridge link set dev $port hairpin off",
    named: /veth\w+ is not in hairpin mode/,
  },
  { what: "the bridge is down", where: "node", command: "ip link set cni0 down", named: /bridge cni0 is down/ },
  { what: "the bridge is gone", where: "node", command: "ip link del cni0", named: /bridge cni0 is missing/ },
  {
    what: "the gateway's address is gone",
    where: "node",
    command: "ip addr del 10.22.0.1/24 dev cni0",
    named: /gateway address 10\.22\.0\.1\/24 is missing on cni0/,
  },
  {
    what: "the host does not forward IPv4",
    where: "node",
    command: "sysctl -qw net.ipv4.ip_forward=0",
    named: /net\.ipv4\.ip_forward is 0/,
  },
  {
    what: "the host does not forward IPv6",
    where: "node",
    command: "sysctl -qw net.ipv6.conf.all.forwarding=0",
    named: /net\.ipv6\.conf\.all\.forwarding is 0/,
  },
  {
    what: "the masquerade element is gone",
    where: "node",
    command:
      "for set in $(nft list table inet ferrule_masquerade | awk '$1 == \"set\" { print $2 }'); do nft flush set inet ferrule_masquerade $set; done",
    named: /10\.22\.0\.2\/24 .*not masqueraded/,
  },
  { what: "the whole ruleset is flushed", where: "node", command: "nft flush ruleset", named: /not masqueraded/ },
  {
    what: "the spoof check is gone",
    where: "node",
    command: "nft delete table bridge ferrule_spoofcheck",
    named: /macspoofchk .*not in force/,
  },
];

const harmless: readonly { readonly what: string; readonly where: "node" | "sandbox"; readonly command: string }[] = [
  {
    what: "more addresses and routes",
    where: "sandbox",
    command: "ip addr add 192.0.2.9/32 dev eth0; ip route add 192.0.2.0/24 dev eth0",
  },
  { what: "another MTU", where: "sandbox", command: "ip link set eth0 mtu 1300" },
  { what: "a bridge that somebody listens on", where: "node", command: "ip link set cni0 promisc on" },
  {
    what: "a bridge with another hardware address",
    where: "node",
    command: "ip link set cni0 address 02:00:00:00:00:77",
  },
  { what: "another address on the bridge", where: "node", command: "ip addr add 192.0.2.7/24 dev cni0" },
];
const missing = referenceMissing();

describe.each(engines)("$name", (engine) => {
  test.each(sabotages)("fails, and says so, when $what", async ({ where, command, named }) => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, config);
    const container = await network.container("container");
    const result = await network.add(container);
    await network.check(container);
    const place = where === "node" ? node : container.sandbox;
    await place.exec(["sh", "-c", command.replaceAll("$port", result.interfaces[1].name)]);
    (await network.checkOne(0, container)).expectError(102, named);
    await network.del(container);
  });

  test("passes whatever others may do", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, config);
    const container = await network.container("container");
    await network.add(container);
    for (const { what, where, command } of harmless) {
      await (where === "node" ? node : container.sandbox).exec(["sh", "-c", command]);
      const call = await network.checkOne(0, container);
      if (call.status !== 0) throw new Error(`${what}: ${call.stdout}`);
    }
  });

  test("needs the result of ADD", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    (await network.call(0, "CHECK", container)).expectError(7, /prevResult missing/);
  });

  test.skipIf(missing !== undefined).each(["nftables", "iptables"])(
    "passes for what the reference suite has set up, with %s",
    async (ipMasqBackend) => {
      await using node = await TestNode.create();
      const shared = { isDefaultGateway: true, ipMasq: true, ipMasqBackend, hairpinMode: true, ipam: dual };
      const theirs = bridgeNetwork(node, reference, shared);
      const container = await theirs.container("container");
      await theirs.add(container);
      await bridgeNetwork(node, engine, shared).check(container);
    },
  );
});
