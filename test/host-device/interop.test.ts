/** host-device of both suites: the same results, and each gives back what the other has taken. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { fixed, four } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { fakeHardware, makeDevice, PCI, stateOf } from "./device.ts";

interface Comparison {
  readonly name: string;
  readonly config: object;
  readonly driver?: string;
  readonly runtimeConfig?: object;
}

const address = fixed({ address: "10.22.0.5/24", gateway: "10.22.0.1" });
const comparisons: readonly Comparison[] = [
  { name: "by name", config: { device: "nic0" } },
  { name: "with IPAM and DNS", config: { device: "nic0", ipam: address, dns: { nameservers: ["192.0.2.53"] } } },
  { name: "by address", config: { hwaddr: "02:00:00:00:23:00", ipam: address } },
  { name: "by PCI address", config: { pciBusID: PCI, ipam: address }, driver: "e1000e" },
  { name: "by the runtime", config: {}, runtimeConfig: { deviceID: PCI }, driver: "e1000e" },
  { name: "DPDK", config: { pciBusID: PCI }, driver: "vfio-pci" },
  { name: "DPDK with IPAM", config: { pciBusID: PCI, ipam: address }, driver: "vfio-pci" },
];

function networkOf(node: TestNode, suite: Suite, version: string, row: Comparison): TestNetwork {
  const plugin = { suite, config: { type: "host-device", ...row.config } };
  const { runtimeConfig } = row;
  return new TestNetwork(node, version, [
    runtimeConfig === undefined ? plugin : { ...plugin, runtimeConfig: () => runtimeConfig },
  ]);
}

async function nodeFor(row: Comparison): Promise<TestNode> {
  const node = await TestNode.create();
  await makeDevice(node);
  // The reference takes the first link that has the address, and a bridge has that of its port.
  await node.exec(["ip", "link", "set", "dev", "br7", "address", "02:00:00:00:23:07"]);
  if (row.driver !== undefined) await fakeHardware(node, row.driver, "pci");
  return node;
}

/** The fields that the reference never tells, and the sandbox's name, are left out. */
function normalised(result: Json): Json {
  const interfaces = result.interfaces?.map((each: Json) => {
    const { mtu: _mtu, pciID: _pciID, ...rest } = each;
    return { ...rest, sandbox: "sandbox" };
  });
  return { ...result, interfaces, dns: result.dns ?? {} };
}

async function resultOf(row: Comparison, suite: Suite, version: string): Promise<Json> {
  await using node = await nodeFor(row);
  const network = networkOf(node, suite, version, row);
  return normalised(await network.add(await network.container("container")));
}

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(comparisons)("the same result: $name", (row) => {
      // A result of 0.2.0 is one of addresses.
      const versions = ["0.4.0", "1.0.0", "1.1.0", ...("ipam" in row.config ? ["0.2.0"] : [])];
      test.each(versions)("%s", async (version) => {
        const theirs = await resultOf(row, reference, version);
        for (const engine of engines) expect(await resultOf(row, engine, version), engine.name).toEqual(theirs);
      });
    });

    describe.each(engines)("$name", (engine) => {
      const row: Comparison = { name: "", config: { device: "nic0", ipam: four } };

      test("added by us, checked and deleted by the reference: the device has its name, and our GC gives it back the rest", async () => {
        await using node = await nodeFor(row);
        const before = await stateOf(node);
        const ours = networkOf(node, engine, "1.1.0", row);
        const theirs = networkOf(node, reference, "1.1.0", row);
        const container = await ours.container("container");
        await ours.add(container);
        await theirs.check(container);
        await theirs.del(container);
        expect((await stateOf(node)).link).toMatchObject({ ifname: "nic0", mtu: 1400 });
        await ours.gc([]);
        expect((await stateOf(node)).link).toEqual(before.link);
      });

      test("added by the reference, checked and deleted by us: the device has its name, and is down as the reference leaves it", async () => {
        await using node = await nodeFor(row);
        const ours = networkOf(node, engine, "1.1.0", row);
        const theirs = networkOf(node, reference, "1.1.0", row);
        const container = await theirs.container("container");
        await theirs.add(container);
        await ours.check(container);
        await ours.del(container);
        const { link } = await stateOf(node);
        expect(link).toMatchObject({ ifname: "nic0", mtu: 1400, altnames: ["enp101s0"] });
        expect(link.ifalias ?? "").toBe("");
        expect(link.flags).not.toContain("UP");
        await ours.del(container);
        await ours.add(container);
      });

      test.each([
        ["alias", ["alias", ""]],
        ["alias and hardware address", ["alias", "", "address", "02:00:00:00:99:99"]],
      ])(
        "added by the reference, and the container has changed its %s: back, and its address is free",
        async (_, changes) => {
          await using node = await nodeFor(row);
          const ours = networkOf(node, engine, "1.1.0", row);
          const theirs = networkOf(node, reference, "1.1.0", row);
          const container = await theirs.container("container");
          await theirs.add(container);
          await container.sandbox.exec(["ip", "link", "set", "dev", "eth0", ...changes]);
          await ours.del(container);
          expect(await node.hasLink("nic0")).toBe(true);
          expect(await container.sandbox.hasLink("eth0")).toBe(false);
        },
      );

      test("an interface of the container's own, called as the device would be, is left to it", async () => {
        await using node = await nodeFor(row);
        await node.exec(["ip", "link", "delete", "nic0"]);
        const ours = networkOf(node, engine, "1.1.0", row);
        const container = await ours.container("container");
        await container.sandbox.exec(["ip", "link", "add", "eth0", "type", "bridge"]);
        await ours.del(container);
        expect(await container.sandbox.hasLink("eth0")).toBe(true);
      });

      test("added by the reference and its namespace ended: what the kernel has put on the host gets its name back", async () => {
        await using node = await nodeFor(row);
        const ours = networkOf(node, engine, "1.1.0", row);
        const container = await ours.container("container");
        // As the kernel does: down, under the container's name for it, with the alias.
        await node.exec(["ip", "link", "set", "dev", "nic0", "down"]);
        await node.exec(["ip", "link", "set", "dev", "nic0", "name", "eth0", "alias", "nic0"]);
        await container.sandbox.remove();
        await ours.del(container);
        expect((await stateOf(node)).link.ifname).toBe("nic0");
      });

      test("a container that was given the device by the reference keeps it when another asks for it", async () => {
        await using node = await nodeFor(row);
        const ours = networkOf(node, engine, "1.1.0", row);
        const theirs = networkOf(node, reference, "1.1.0", row);
        await theirs.add(await theirs.container("first"));
        (await ours.addOne(0, await ours.container("second"))).expectError(7, /no device "nic0" on the host/);
      });
    });
  },
);
