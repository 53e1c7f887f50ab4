/** macspoofchk: frames with another source than the container's hardware address are dropped, and nothing of it stays. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { answers, bridgeNetwork, expectAnswer, four, linkOf } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";

const config = { macspoofchk: true, isGateway: true, ipam: four };
const missing = referenceMissing();

describe.each(engines)("$name", (engine) => {
  test("a container's own frames pass, those under another address do not", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, config);
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await expectAnswer(one.sandbox, "10.22.0.1");
    await expectAnswer(one.sandbox, "10.22.0.3");
    await network.check(one);
    const own = (await linkOf(one.sandbox, "eth0")).address;
    const neighbours = (await linkOf(two.sandbox, "eth0")).address;
    for (const forged of ["02:00:00:00:00:99", neighbours]) {
      await one.sandbox.exec(["ip", "link", "set", "eth0", "address", forged]);
      expect(await answers(one.sandbox, "10.22.0.1"), `as ${forged}`).toBe(false);
    }
    await one.sandbox.exec(["ip", "link", "set", "eth0", "address", own]);
    await expectAnswer(one.sandbox, "10.22.0.1");
    await expectAnswer(two.sandbox, "10.22.0.1");
  });

  test("DEL removes the last trace, also when the sandbox is gone, and leaves the others' checks", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, config);
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await one.sandbox.remove();
    await network.del(one);
    await network.check(two);
    await two.sandbox.exec(["ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"]);
    expect(await answers(two.sandbox, "10.22.0.1")).toBe(false);
    await network.del(two, { netns: "" });
    expect(await node.exec(["nft", "list", "ruleset"])).toBe("");
  });

  test("GC removes the checks of containers that are gone", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, config);
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await network.gc([two]);
    await network.check(two);
    (await network.checkOne(0, one)).expectOrderlyFailure();
    await network.gc([]);
    expect(await node.exec(["nft", "list", "ruleset"])).toBe("");
  });

  test.skipIf(missing !== undefined)(
    `DEL removes the reference suite's rule and chains for the container, and no others${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      await using node = await TestNode.create();
      const theirs = bridgeNetwork(node, reference, config);
      const ours = bridgeNetwork(node, engine, config);
      const one = await theirs.container("one");
      const two = await theirs.container("two");
      await theirs.add(one);
      await theirs.add(two);
      expect(await node.exec(["nft", "list", "ruleset"])).toMatch(/macspoofchk-one-eth0/);
      await ours.del(one);
      const rules = await node.exec(["nft", "list", "ruleset"]);
      expect(rules).not.toMatch(/one-eth0/);
      expect(rules).toMatch(/macspoofchk-two-eth0/);
      await expectAnswer(two.sandbox, "10.22.0.1");
      await ours.del(two, { netns: "" });
      expect(await node.exec(["nft", "list", "ruleset"])).not.toMatch(/two-eth0/);
    },
  );
});
