/** flannel of this suite and the original one on a node: the same delegate, the same result, and either deletes what the other added. */
import { describe, expect, test } from "vitest";
import { flannelNetwork, IPV4, IPV6, record, records, reserved, writeSubnet } from "../flannel/flannel-node.ts";
import { original, originalMissing } from "../flannel/original.ts";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const version = "0.4.0";

/** This version of the original asks for a subnet, later ones for ranges. */
function withRanges(remembered: Json): Json {
  const { subnet, ...ipam } = remembered.ipam;
  const { ferrule: _, ...config } = remembered;
  return { ...config, ipam: subnet === undefined ? ipam : { ...ipam, ranges: [[{ subnet }]] } };
}

/** Without what is random, and the container's own part of the bridge's name. */
function normalised(result: Json): Json {
  const interfaces = result.interfaces.map((each: Json) => ({
    name: each.name.startsWith("veth") ? "veth" : each.name,
    sandbox: each.sandbox === undefined ? "" : "sandbox",
  }));
  return { ...result, interfaces };
}

const reason = originalMissing();
describe.skipIf(reason !== undefined)(
  `with the original plugin${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      test.each([
        [{}],
        [{ delegate: { hairpinMode: true, isDefaultGateway: true } }],
        [{ delegate: { mtu: 1400, ipMasq: false, isGateway: false, bridge: "cni7" } }],
        [{ ipam: { routes: [{ dst: "1.2.3.0/24" }] } }],
      ])("%j: the same is remembered, and the result is the same", async (config) => {
        const seen: Json[] = [];
        for (const suite of [original, engine]) {
          await using node = await TestNode.create();
          await writeSubnet(node);
          const network = flannelNetwork(node, suite, config, { version });
          const result = await network.add(await network.container("container"));
          seen.push({ result: normalised(result), remembered: withRanges(await record(node, "container")) });
        }
        expect(seen[1]).toEqual(seen[0]);
      });

      test.each([
        { what: "ADD by the original, DEL by us", adds: original, deletes: engine },
        { what: "ADD by us, DEL by the original", adds: engine, deletes: original },
      ])("$what: nothing is left", async ({ adds, deletes }) => {
        await using node = await TestNode.create();
        await writeSubnet(node);
        // Whoever delegates, bridge and host-local are ours, as on a node that is moving over.
        const options = { version, path: engine.directory };
        const adding = flannelNetwork(node, adds, {}, options);
        const deleting = flannelNetwork(node, deletes, {}, options);
        const first = await adding.container("first");
        await adding.add(first);
        await deleting.del(first);
        await first.sandbox.remove();
        const container = await adding.container("container");
        const before = await snapshot(node, { sandboxes: [container.sandbox] });
        await adding.add(container);
        expect(await records(node)).toEqual(["container"]);
        await deleting.del(container);
        expect(await records(node)).toEqual([]);
        expect(await reserved(node)).toEqual([]);
        expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
        await deleting.del(container);
      });

      test("what the original added with its own bridge, we check and delete", async () => {
        await using node = await TestNode.create();
        await writeSubnet(node);
        const adding = flannelNetwork(node, original, {}, { version });
        const deleting = flannelNetwork(node, engine, {}, { version });
        const container = await adding.container("container");
        await adding.add(container);
        await deleting.check(container);
        await deleting.del(container);
        expect(await records(node)).toEqual([]);
        expect(await reserved(node)).toEqual([]);
        expect(await container.sandbox.hasLink("eth0")).toBe(false);
      });
    });
  },
);

const missing = referenceMissing();
describe.skipIf(missing !== undefined)(
  `with the reference's bridge${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    test.each(engines)(
      "$name: both families, checked and deleted, with a bridge that is another program",
      async (engine) => {
        await using node = await TestNode.create();
        await writeSubnet(node, IPV4 + IPV6);
        const config = { delegate: { isDefaultGateway: true, hairpinMode: true } };
        const network = flannelNetwork(node, engine, config, { version: "1.1.0", path: reference.directory });
        const first = await network.container("first");
        await network.add(first);
        await network.del(first);
        await first.sandbox.remove();
        const container = await network.container("container");
        const before = await snapshot(node, { sandboxes: [container.sandbox] });
        const result = await network.add(container);
        expect(result.ips).toHaveLength(2);
        await network.check(container);
        (await network.call(0, "STATUS")).expectSuccess();
        await network.del(container);
        expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
      },
    );
  },
);
