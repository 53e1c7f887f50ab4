/** Networks of bridge and ptp for their tests: one plugin, newest version, no routes but those that a test asks for. */
import { expect } from "vitest";
import type { Suite } from "./engines.ts";
import type { Namespace } from "./namespace.ts";
import { TestNetwork } from "./network.ts";
import type { TestNode } from "./node.ts";
import type { Json } from "./plugin.ts";

export const four = { type: "host-local", ranges: [[{ subnet: "10.22.0.0/24" }]] };
export const dual = {
  type: "host-local",
  ranges: [[{ subnet: "10.22.0.0/24" }], [{ subnet: "2001:db8:22::/64" }]],
};

/** `config` is what the test is about; the bridge is cni0. */
export function bridgeNetwork(node: TestNode, suite: Suite, config: object = {}, name = "testnet"): TestNetwork {
  return new TestNetwork(node, "1.1.0", [{ suite, config: { type: "bridge", bridge: "cni0", ...config } }], name);
}

export function ptpNetwork(node: TestNode, suite: Suite, config: object = {}, name = "testnet"): TestNetwork {
  return new TestNetwork(node, "1.1.0", [{ suite, config: { type: "ptp", ...config } }], name);
}

/** The IPAM of containers that each have one address of their choice. */
export function fixed(...addresses: readonly { readonly address: string; readonly gateway?: string }[]): object {
  return { type: "static", addresses };
}

/** Whether `target` answers a ping from here. */
export async function answers(from: Namespace, target: string): Promise<boolean> {
  return (await from.run(["ping", "-c", "1", "-W", "1", target])).status === 0;
}

/** Asserts that `target` answers a ping from here. */
export async function expectAnswer(from: Namespace, target: string): Promise<void> {
  const { status, stdout, stderr } = await from.run(["ping", "-c", "1", "-W", "2", target]);
  expect(status, `ping ${target}: ${stdout}${stderr}`).toBe(0);
}

/** The addresses of a link in CIDR notation, link-local ones left out. */
export async function addressesOn(where: Namespace, link: string): Promise<string[]> {
  const rows = await where.ip("address", "show", "dev", link);
  return (rows[0]?.["addr_info"] ?? [])
    .filter((each: Json) => !(each.family === "inet6" && each.scope === "link"))
    .map((each: Json) => `${each.local}/${each.prefixlen}`);
}

/** One link as `ip -d` describes it. */
export async function linkOf(where: Namespace, name: string): Promise<Json> {
  const [link] = await where.ip("-d", "link", "show", "dev", name);
  return link;
}

/** Asserts that a link's hardware address was given to it, and not made up by the kernel (NET_ADDR_SET; linux/netdevice.h). */
export async function expectMacSet(where: Namespace, link: string): Promise<void> {
  expect((await where.exec(["cat", `/sys/class/net/${link}/addr_assign_type`])).trim(), link).toBe("3");
}

/** ADD, an answer from the gateway 10.22.0.1, CHECK and DEL where IPv6 is switched off on the node and in the sandbox. */
export async function expectLifeWithoutIpv6(network: TestNetwork): Promise<void> {
  const container = await network.container("container");
  for (const where of [network.node, container.sandbox]) {
    await where.exec(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]);
  }
  await network.add(container);
  await expectAnswer(container.sandbox, "10.22.0.1");
  await network.check(container);
  await network.del(container);
}
