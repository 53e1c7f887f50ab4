/** The device's segment is asked before the container has an address (probeAddresses), and told when it has. */
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines } from "../helpers/engines.ts";
import { addressesOn, expectAnswer, fixed, linkOf } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

describe.each(engines)("$name", (engine) => {
  test("an address of another host is refused, and the device is back as it was; a free one is announced", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const ipam = fixed({ address: "192.0.2.50/24" }, { address: "2001:db8:ffff::50/64" });
    const config = { type: "host-device", device: "uplink", probeAddresses: "fast", restoreAddresses: true, ipam };
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config }]);
    const container = await network.container("container");
    // The records' directory is made once.
    container.result = (await network.addOne(0, container)).expectSuccess();
    await network.del(container);
    container.result = undefined;
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    await outside.exec(["ip", "address", "add", "2001:db8:ffff::50/64", "dev", "eth0", "nodad"]);
    const { address: mac } = await linkOf(outside, "eth0");
    const error = (await network.addOne(0, container)).expectError(101);
    expect(error.msg).toBe(`address 2001:db8:ffff::50 for eth0 is used by another host, with hardware address ${mac}`);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    await outside.exec(["ip", "address", "del", "2001:db8:ffff::50/64", "dev", "eth0"]);
    const capture = await Capture.start(node, outside, "eth0", "arp or icmp6", true);
    await network.add(container);
    await capture.waitFor(/who-has 192\.0\.2\.50 .*tell 192\.0\.2\.50/);
    await capture.waitFor(/advertisement, tgt is 2001:db8:ffff::50/);
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["192.0.2.50/24", "2001:db8:ffff::50/64"]);
    for (const target of ["192.0.2.50", "2001:db8:ffff::50"]) await expectAnswer(outside, target);
    await network.check(container);
    await network.del(container);
  });

  test("a virtual device's addresses are announced twice: as it comes up, and when ADD is done", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const ipam = fixed({ address: "192.0.2.50/24" }, { address: "2001:db8:ffff::50/64" });
    const network = new TestNetwork(node, "1.1.0", [
      { suite: engine, config: { type: "host-device", device: "uplink", ipam } },
    ]);
    const capture = await Capture.start(node, outside, "eth0", "arp or icmp6", true);
    await network.add(await network.container("container"));
    await capture.waitFor(/(who-has 192\.0\.2\.50 [^\n]*tell 192\.0\.2\.50.*){2}/s);
    await capture.waitFor(/(advertisement, tgt is 2001:db8:ffff::50.*){2}/s);
  });
});
