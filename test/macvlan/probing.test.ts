/** probeAddresses: an address that another host of the segment uses is refused before the container has it. */
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines } from "../helpers/engines.ts";
import { addressesOn, expectAnswer, fixed, linkOf } from "../helpers/interface-network.ts";
import { type Outside, TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { macvlanNetwork, onSegment, onSegmentBoth } from "./segment.ts";

const four = { address: "192.0.2.50/24" };
const six = { address: "2001:db8:ffff::50/64" };

/** The other host takes an address. */
async function take({ namespace }: Outside, address: string): Promise<string> {
  await namespace.exec(["ip", "address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : [])]);
  return (await linkOf(namespace, "eth0")).address;
}

describe.each(engines)("$name", (engine) => {
  test.each([four, six])(
    "$address of another host is refused with its hardware address, and nothing is left",
    async (own) => {
      await using node = await TestNode.create();
      const outside = await node.outside();
      const mac = await take(outside, own.address);
      const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam: fixed(own) });
      const container = await network.container("container");
      const sandboxes = [container.sandbox];
      const before = await snapshot(node, { sandboxes });
      const announced = await Capture.start(node, outside.namespace, "eth0", "arp or icmp6", true);
      const bare = own.address.replace(/\/.*/, "");
      const error = (await network.addOne(0, container)).expectError(101);
      expect(error.msg).toBe(`address ${bare} for eth0 is used by another host, with hardware address ${mac}`);
      expectSame(await snapshot(node, { sandboxes }), before);
      expect((await announced.stop()).join("\n"), "the other host's neighbours are told nothing wrong").not.toMatch(
        /tell 192\.0\.2\.50|advertisement, tgt is 2001:db8:ffff::50/,
      );
      await expectAnswer(node, bare);
    },
  );

  test("the reservation of a refused address is given back, and the next ADD gets the next address", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    await take(outside, "192.0.2.10/24");
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam: onSegment });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(101, /192\.0\.2\.10 for eth0 is used/);
    expect((await snapshot(node)).lines.filter((line) => /192\.0\.2\.\d+ \d+ /.test(line))).toEqual([]);
    await network.add(container);
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["192.0.2.11/24"]);
  });

  test("free addresses are asked for three times and then used, announced, and reached at once", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const capture = await Capture.start(node, outside, "eth0", "arp or icmp6", true);
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam: onSegmentBoth });
    const container = await network.container("container");
    await network.add(container);
    const mac = (await linkOf(container.sandbox, "eth0")).address;
    await capture.waitFor(new RegExp(`${mac} > ff:ff:ff:ff:ff:ff.*who-has 192\\.0\\.2\\.10 .*tell 192\\.0\\.2\\.10`));
    await capture.waitFor(new RegExp(`${mac} > 33:33:00:00:00:01.*advertisement, tgt is 2001:db8:ffff::10`));
    const frames = (await capture.stop()).filter((line) => line.startsWith(mac));
    expect(frames.filter((line) => /who-has 192\.0\.2\.10 .*tell 0\.0\.0\.0/.test(line))).toHaveLength(3);
    const asked = frames.filter((line) => /:: > ff02::1:ff00:10: .*who has 2001:db8:ffff::10/.test(line));
    expect(asked, "and no fourth by the kernel, which would take another second").toHaveLength(3);
    for (const target of ["192.0.2.10", "2001:db8:ffff::10"]) await expectAnswer(outside, target);
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["192.0.2.10/24", "2001:db8:ffff::10/64"]);
    await network.check(container);
    await network.del(container);
  });

  test.each([four, six])("of two that ask for $address at once not both get it", async (own) => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam: fixed(own) });
    const containers = [await network.container("one"), await network.container("two")];
    const calls = await Promise.all(containers.map((container) => network.addOne(0, container)));
    const failed = calls.filter((call) => call.status !== 0);
    expect(failed.length).toBeGreaterThan(0);
    for (const call of failed) call.expectError(101, /is used by another host, with hardware address/);
  });

  test("the parent's own address is refused, though the parent does not hear the question", async () => {
    await using node = await TestNode.create();
    const { nodeAddress4 } = await node.outside();
    const ipam = fixed({ address: `${nodeAddress4}/24` });
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(101, /192\.0\.2\.1 is the node's own, on uplink/);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test.each([
    { what: "SIGTERM", call: { wrapper: ["timeout", "--preserve-status", "-s", "TERM", "1.5"] }, text: /SIGTERM/ },
    { what: "the deadline", call: { env: { FERRULE_DEADLINE: "1" } }, text: /deadline/ },
  ])("$what while asking as RFC 5227 says leaves nothing", async ({ call, text }) => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { probeAddresses: "rfc5227", ipam: onSegmentBoth });
    const container = await network.container("container");
    // host-local keeps the directory that it has made, and in it nobody's address.
    const links = async (): Promise<string[]> =>
      (await snapshot(node, { sandboxes: [container.sandbox] })).lines.filter((line) => !line.startsWith("file:"));
    const before = await links();
    const failed = await network.addOne(0, container, call);
    failed.expectError(11, text);
    expect(failed.wallMs, "the asking takes four seconds at least").toBeLessThan(4000);
    expect(await links()).toEqual(before);
    expect((await snapshot(node)).lines.filter((line) => /192\.0\.2\.\d+ \d+ /.test(line))).toEqual([]);
  });

  test("as RFC 5227 says it takes seconds, and a host that answers late is heard", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    const network = macvlanNetwork(node, engine, { probeAddresses: "rfc5227", ipam: fixed(four) });
    const container = await network.container("container");
    const adding = network.addOne(0, container);
    const capture = await Capture.start(node, outside.namespace, "eth0", "arp", true);
    await capture.waitFor(/who-has 192\.0\.2\.50/);
    await take(outside, four.address);
    (await adding).expectError(101, /192\.0\.2\.50 for eth0 is used/);
  });

  test("without carrier nobody can be asked: ADD says so, and that it may be repeated", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "set", "uplink", "down"]);
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast", ipam: onSegment });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(11, /eth0: it has no carrier/);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
    await node.exec(["ip", "link", "set", "uplink", "up"]);
    await network.add(container);
  });

  test("without ipam there is nothing to ask for, and ADD says so", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { probeAddresses: "fast" });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(7, /probeAddresses: there are no addresses to ask for/);
  });
});
