/**
 * Interfaces that are made inside a container, by both suites: the same results, and each checks and deletes what the other has
 * made. What this machine's kernel lacks is done in a virtual machine: there `npm test` takes each plugin's first row in the newest
 * version, and `npm run test:kernels` (FERRULE_KERNEL_MATRIX) all.
 */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { describeInMachine, type KernelAbility, kernelLacks } from "../helpers/kernel.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type PluginConfig, type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, type Snapshot, snapshot } from "../helpers/snapshot.ts";

interface Row {
  readonly name: string;
  readonly config: PluginConfig;
  readonly needs?: KernelAbility;
  readonly versions: readonly string[];
  /** The parent is in the container. */
  readonly parentInside?: true;
}

const ranges = [[{ subnet: "10.22.0.0/24" }], [{ subnet: "2001:db8:22::/64" }]];
const dual = { type: "host-local", ranges, routes: [{ dst: "0.0.0.0/0" }, { dst: "192.168.7.0/24", gw: "10.22.0.9" }] };
/** For taps: an IPv6 gateway would have the reference wait five seconds for a carrier. */
const four = { type: "host-local", ranges: ranges.slice(0, 1), routes: dual.routes };
/** The result of a plugin that gave addresses to the parent. */
const before = {
  cniVersion: "1.0.0",
  interfaces: [{ name: "uplink" }],
  ips: [{ address: "10.22.0.9/24", gateway: "10.22.0.1", interface: 0 }, { address: "2001:db8:22::9/64" }],
  routes: [{ dst: "192.168.7.0/24", gw: "10.22.0.1" }],
};
const shapes = ["0.2.0", "0.4.0", "1.1.0"];

const rows: readonly Row[] = [
  { name: "tap", config: { type: "tap", ipam: four }, versions: shapes },
  {
    name: "tap with MAC, MTU and owner",
    config: { type: "tap", mac: "02:00:00:00:22:05", mtu: 1400, owner: 1000, multiQueue: true, ipam: four },
    versions: ["1.1.0"],
  },
  {
    name: "tap with owner and group",
    config: { type: "tap", owner: 1000, group: 1000, ipam: four },
    versions: ["1.1.0"],
  },
  { name: "tap without IPAM", config: { type: "tap" }, versions: ["0.4.0", "1.1.0"] },
  {
    name: "macvlan with the parent in the container",
    config: { type: "macvlan", master: "uplink", linkInContainer: true, ipam: dual },
    versions: shapes,
    parentInside: true,
  },
  { name: "dummy", config: { type: "dummy", ipam: dual }, needs: "dummy", versions: ["0.2.0", "1.1.0"] },
  {
    name: "ipvlan",
    config: { type: "ipvlan", master: "uplink", ipam: dual },
    needs: "ipvlan",
    versions: shapes,
  },
  {
    name: "ipvlan with the parent in the container",
    config: { type: "ipvlan", master: "uplink", linkInContainer: true, ipam: dual },
    needs: "ipvlan",
    versions: ["1.1.0"],
    parentInside: true,
  },
  {
    name: "ipvlan l3s",
    config: { type: "ipvlan", master: "uplink", mode: "l3s", ipam: four },
    needs: "ipvlan",
    versions: ["1.1.0"],
  },
  {
    name: "ipvlan after another plugin",
    config: { type: "ipvlan", master: "uplink", prevResult: before },
    needs: "ipvlan",
    versions: ["1.0.0"],
  },
  {
    name: "ipvlan l3 with MTU and DNS",
    config: { type: "ipvlan", master: "uplink", mode: "l3", mtu: 1400, dns: { domain: "example.net" }, ipam: four },
    needs: "ipvlan",
    versions: ["1.1.0"],
  },
  {
    name: "vlan",
    config: { type: "vlan", master: "uplink", vlanId: 100, mtu: 1400, ipam: dual },
    needs: "vlan",
    versions: shapes,
  },
];

async function makeNode(): Promise<TestNode> {
  const node = await TestNode.create();
  await makeParent(node);
  return node;
}

async function makeParent(where: Namespace): Promise<void> {
  await where.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
  await where.exec(["ip", "link", "set", "uplink", "up"]);
  await where.exec(["ip", "link", "set", "far", "up"]);
}

async function containerOf(network: TestNetwork, { parentInside }: Row, name: string): Promise<TestAttachment> {
  const container = await network.container(name);
  if (parentInside === true) await makeParent(container.sandbox);
  return container;
}

function networkOf(node: TestNode, version: string, suite: Suite, config: PluginConfig): TestNetwork {
  return new TestNetwork(node, version, [{ suite, config }]);
}

/** Replaces what is random, and leaves out the interfaces' MTU, which the reference never tells. */
function normalised(result: Json): Json {
  const interfaces = result.interfaces?.map((each: Json) => {
    const { mtu: _, ...rest } = each;
    const isFixed = each.mac.startsWith("02:00:00:00:22:");
    return { ...rest, mac: isFixed ? each.mac : "random", sandbox: each.sandbox === undefined ? "" : "sandbox" };
  });
  return { ...result, dns: result.dns ?? {}, ...(interfaces === undefined ? {} : { interfaces }) };
}

/** The result of one ADD, and what a container looks like after it. */
async function resultOf(row: Row, suite: Suite, version: string): Promise<Json> {
  await using node = await makeNode();
  const network = networkOf(node, version, suite, row.config);
  return normalised(await network.add(await containerOf(network, row, "container")));
}

/** Without our index of reservations, which the reference does not know. */
function withoutIndex(state: Snapshot): Snapshot {
  return { lines: state.lines.filter((line) => !/^file: .*\/\.ferrule\//.test(line)) };
}

function declare(some: readonly Row[], suites: readonly Suite[]): void {
  describe.each(some)("$name", (row) => {
    describe.each(suites)("$name", (engine) => {
      test.each(row.versions)("gives the result that the reference gives (%s)", async (version) => {
        expect(await resultOf(row, engine, version)).toEqual(await resultOf(row, reference, version));
      });

      const directions = [
        { what: "made by the reference", adds: reference, ends: engine },
        { what: "checked and deleted by the reference", adds: engine, ends: reference },
      ];
      test.each(directions)("is $what, and passes CHECK and goes without a trace", async ({ adds, ends }) => {
        await using node = await makeNode();
        const adding = networkOf(node, "1.0.0", adds, row.config);
        const ending = networkOf(node, "1.0.0", ends, row.config);
        for (const network of [adding, ending]) {
          const first = await containerOf(network, row, "first");
          await network.add(first);
          await network.del(first);
          await first.sandbox.remove();
        }
        const container = await containerOf(adding, row, "handed-over");
        const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
        const before = await look();
        await adding.add(container);
        await ending.check(container);
        await ending.del(container);
        expectSame(withoutIndex(await look()), withoutIndex(before));
        await ending.del(container);
      });
    });
  });
}

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    declare(
      rows.filter((row) => kernelLacks(row.needs) === ""),
      engines,
    );
    const other = rows.filter((row) => kernelLacks(row.needs) !== "");
    const firsts = other
      .filter((row) => row.name === row.config.type)
      .map((row) => ({ ...row, versions: row.versions.slice(-1) }));
    const tried = process.env["FERRULE_KERNEL_MATRIX"] === "all" ? other : firsts;
    const native = engines.filter((engine) => engine.name === "native");
    if (tried.length > 0) describeInMachine(() => declare(tried, native));
  },
);
