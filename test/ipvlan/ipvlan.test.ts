/** ipvlan where the kernel has none; what it does where there is one is in test/vm/ipvlan.sh and the life-cycle matrix. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { kernelLacks } from "../helpers/kernel.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const ipam = { type: "host-local", ranges: [[{ subnet: "192.0.2.0/24", rangeStart: "192.0.2.10" }]] };

describe.skipIf(kernelLacks("ipvlan") === "").each(engines)("$name, under a kernel without ipvlan", (engine) => {
  test("STATUS answers 50, ADD names what is missing and leaves nothing, DEL succeeds", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const config = { type: "ipvlan", master: "uplink", ipam };
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config }]);
    (await network.call(0, "STATUS")).expectError(50, /this kernel has no ipvlan.*kernel module ipvlan/s);
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    const error = (await network.addOne(0, container)).expectError(5, /Cannot create ipvlan on uplink/);
    expect(error.details).toMatch(/this kernel has no ipvlan: load its module \(modprobe ipvlan\)/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    await network.del(container);
  });
});
