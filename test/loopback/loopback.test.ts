/** loopback: `lo` up and down, and a result of the right shape in every version. */
import { describe, expect, test } from "vitest";
import { specVersions } from "../../spec/versions.ts";
import { engines } from "../helpers/engines.ts";
import { expectAnswer, linkOf } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { addressesOf, expectResultShape } from "../helpers/result.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

function loopbackNetwork(node: TestNode, suite: (typeof engines)[number], version = "1.1.0"): TestNetwork {
  return new TestNetwork(node, version, [{ suite, config: { type: "loopback" } }]);
}

describe.each(engines)("$name", (engine) => {
  test.each(specVersions.map((each) => each.name))("the result has the shape of %s", async (version) => {
    await using node = await TestNode.create();
    const network = loopbackNetwork(node, engine, version);
    const container = await network.container("container", "lo");
    const result = await network.add(container);
    expectResultShape(result, version);
    expect(addressesOf(result).map((each) => each.address)).toEqual(["127.0.0.1/8", "::1/128"]);
    if (result.interfaces !== undefined) {
      const { name, mac, sandbox } = result.interfaces[0];
      expect([name, mac, sandbox]).toEqual(["lo", "00:00:00:00:00:00", container.sandbox.path]);
    }
    await expectAnswer(container.sandbox, "127.0.0.1");
    await expectAnswer(container.sandbox, "::1");
    await network.del(container);
    expect((await linkOf(container.sandbox, "lo")).flags).not.toContain("UP");
  });

  test("CHECK tells that lo is down, or has lost its address", async () => {
    await using node = await TestNode.create();
    const network = loopbackNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    await container.sandbox.exec(["ip", "address", "add", "10.9.9.9/32", "dev", "lo"]);
    await network.check(container);
    await container.sandbox.exec(["ip", "address", "delete", "127.0.0.1/8", "dev", "lo"]);
    (await network.checkOne(0, container)).expectError(102, /127\.0\.0\.1 is missing on lo/);
    await container.sandbox.exec(["ip", "link", "set", "lo", "down"]);
    (await network.checkOne(0, container)).expectError(102, /loopback interface is down/);
  });

  test("an address that is none of loopback's is refused, and lo is down again", async () => {
    await using node = await TestNode.create();
    const network = loopbackNetwork(node, engine);
    const container = await network.container("container");
    await container.sandbox.exec(["ip", "address", "add", "10.1.1.1/32", "dev", "lo"]);
    (await network.addOne(0, container)).expectError(7, /non-loopback address "10\.1\.1\.1"/);
    expect((await linkOf(container.sandbox, "lo")).flags).not.toContain("UP");
  });

  test.each(["0.2.0", "1.1.0"])(
    "of several addresses the result has the first of each family (%s)",
    async (version) => {
      await using node = await TestNode.create();
      const network = loopbackNetwork(node, engine, version);
      const container = await network.container("container");
      await container.sandbox.exec(["ip", "link", "set", "lo", "up"]);
      await container.sandbox.exec(["ip", "address", "add", "127.0.0.2/8", "dev", "lo"]);
      const result = await network.add(container);
      expect(addressesOf(result).map((each) => each.address)).toEqual(["127.0.0.1/8", "::1/128"]);
    },
  );

  test("without addresses there is a result in 1.1.0, and none in 0.2.0, which leaves lo as it was", async () => {
    await using node = await TestNode.create();
    const [old, current] = [loopbackNetwork(node, engine, "0.2.0"), loopbackNetwork(node, engine)];
    const container = await old.container("container");
    // The kernel gives them when lo comes up, and not again.
    await container.sandbox.exec(["ip", "link", "set", "lo", "up"]);
    await container.sandbox.exec(["ip", "address", "flush", "dev", "lo"]);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await old.addOne(0, container)).expectError(1, /cannot convert: no valid IP addresses/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    expect(addressesOf(await current.add(container))).toEqual([]);
  });

  test("with IPv6 switched off the result has the IPv4 address alone", async () => {
    await using node = await TestNode.create();
    const network = loopbackNetwork(node, engine);
    const container = await network.container("container");
    await container.sandbox.exec(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
    const result = await network.add(container);
    expect(addressesOf(result).map((each) => each.address)).toEqual(["127.0.0.1/8"]);
  });

  test("a result from before is passed on", async () => {
    await using node = await TestNode.create();
    const network = loopbackNetwork(node, engine, "1.0.0");
    const container = await network.container("container");
    container.result = { cniVersion: "1.0.0", ips: [{ address: "10.1.2.3/24" }] };
    const result = (await network.addOne(0, container)).expectSuccess();
    expect(result).toEqual(container.result);
    expect((await linkOf(container.sandbox, "lo")).flags).toContain("UP");
  });
});
