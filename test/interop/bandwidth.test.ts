/** bandwidth of both suites on one node: the same objects, so that either checks and deletes what the other has added. */
import { describe, expect, test } from "vitest";
import {
  BANDWIDTH,
  filtersOf,
  hostEnd,
  ifbOf,
  ifbs,
  limitedNetwork,
  queuesOf,
  withBursts,
} from "../bandwidth/limited-node.ts";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { linkOf } from "../helpers/interface-network.ts";
import type { TestAttachment } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const reason = referenceMissing();

/** What is there of a limited container, without the names and addresses that are chance. */
async function madeFor(node: TestNode, container: TestAttachment): Promise<Json> {
  const [end, ifb] = [hostEnd(container), ifbOf(container)];
  const { mtu, flags, txqlen, qdisc, linkinfo } = await linkOf(node, ifb);
  return {
    ifb,
    device: { mtu, flags, txqlen, qdisc, kind: linkinfo.info_kind },
    queues: [...(await queuesOf(node, end)), ...(await queuesOf(node, ifb))],
  };
}

describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      describe.each([
        { what: "ADD by the reference, CHECK and DEL by us", adds: reference, deletes: engine },
        { what: "ADD by us, CHECK and DEL by the reference", adds: engine, deletes: reference },
      ])("$what", ({ adds, deletes }) => {
        test.each([
          withBursts,
          { ingressRate: 123_456_789, ingressBurst: 7_654_321 },
          { egressRate: 50_000_000_000, egressBurst: 2_147_483_647 },
        ])("%j", async (config) => {
          await using node = await TestNode.create();
          const adding = limitedNetwork(node, adds, config, { version: "1.0.0", bridge: engine });
          const deleting = limitedNetwork(node, deletes, config, { version: "1.0.0", bridge: engine });
          const container = await adding.container("container");
          await adding.add(container, BANDWIDTH);
          const before = await snapshot(node);
          container.result = (await adding.addOne(BANDWIDTH, container)).expectSuccess();
          (await deleting.checkOne(BANDWIDTH, container)).expectSuccess();
          (await deleting.delOne(BANDWIDTH, container)).expectSuccess();
          expect(await ifbs(node)).toEqual([]);
          // The reference leaves the queues of the host's end, which go with it.
          if (deletes === engine) expectSame(await snapshot(node), before);
          await limitedNetwork(node, engine, config).del(container, {}, BANDWIDTH);
        });
      });

      test("both make the same of a configuration", async () => {
        const made: Json[] = [];
        for (const suite of [reference, engine]) {
          await using node = await TestNode.create();
          const network = limitedNetwork(node, suite, withBursts, { version: "1.0.0", bridge: engine });
          const container = await network.container("container");
          await network.add(container);
          made.push(await madeFor(node, container));
          expect(await filtersOf(node, hostEnd(container))).toContain("match 00000000/00000000 at 0");
        }
        expect(made[1]).toEqual(made[0]);
      });

      // The reference fails: "create qdisc: file exists".
      test("ADD by us where the reference has added takes its device and queues over", async () => {
        await using node = await TestNode.create();
        const theirs = limitedNetwork(node, reference, withBursts, { version: "1.0.0", bridge: engine });
        const ours = limitedNetwork(node, engine, withBursts, { version: "1.0.0" });
        const container = await theirs.container("container");
        await theirs.add(container, BANDWIDTH);
        const before = container.result;
        const made = (await theirs.addOne(BANDWIDTH, container)).expectSuccess();
        const result = (await ours.addOne(BANDWIDTH, { ...container, result: before })).expectSuccess();
        expect(result.interfaces).toMatchObject(made.interfaces);
        container.result = result;
        await ours.check(container);
        expect(await ifbs(node)).toHaveLength(1);
        await ours.del(container);
        expect(await ifbs(node)).toEqual([]);
      });

      test("a second interface beside one that the reference has limited takes a name of its own, and DEL of it leaves the other", async () => {
        await using node = await TestNode.create();
        const theirs = limitedNetwork(node, reference, withBursts, { version: "1.0.0", bridge: engine });
        const ours = limitedNetwork(node, engine, withBursts, { version: "1.0.0" });
        const one = await theirs.container("container", "eth0");
        const two = await ours.container("container", "eth1", one.sandbox);
        await theirs.add(one);
        await ours.add(two);
        expect(ifbOf(two)).not.toBe(ifbOf(one));
        await ours.check(one);
        await ours.check(two);
        (await ours.delOne(BANDWIDTH, two)).expectSuccess();
        expect(await ifbs(node)).toEqual([ifbOf(one)]);
        await ours.check(one);
      });

      test("CHECK by us takes what the reference made of a burst that a runtime passes for want of one", async () => {
        await using node = await TestNode.create();
        const runtimeConfig = { bandwidth: { ingressRate: 1e8, ingressBurst: 2_147_483_647 } };
        const options = { version: "1.0.0", bridge: engine, runtimeConfig };
        const theirs = limitedNetwork(node, reference, {}, options);
        const container = await theirs.container("container");
        await theirs.add(container);
        await limitedNetwork(node, engine, {}, options).check(container);
      });
    });
  },
);
