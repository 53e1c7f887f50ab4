/** A pool with a single address, handed on from container to container: never do two of them have it. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { addressesOn, bridgeNetwork, ptpNetwork } from "../helpers/interface-network.ts";
import type { TestAttachment } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";

const ipam = { type: "host-local", subnet: "10.22.0.0/30" };
const ROUNDS = 10;

describe.each(engines)("$name", (engine) => {
  test.each([
    ["bridge", bridgeNetwork],
    ["ptp", ptpNetwork],
  ] as const)("%s gives an address on only when the interface that had it is gone", async (_, networkOf) => {
    await using node = await TestNode.create();
    const network = networkOf(node, engine, { ipam });
    let holder: TestAttachment = await network.container("container-0");
    (await network.addOne(0, holder)).expectSuccess();
    for (let round = 1; round <= ROUNDS; round++) {
      const next = await network.container(`container-${round}`);
      const leaving = network.del(holder);
      for (;;) {
        const call = await network.addOne(0, next);
        if (call.status === 0) break;
        call.expectError(100);
      }
      expect(await holder.sandbox.hasLink("eth0"), `round ${round}: who had the address before`).toBe(false);
      await leaving;
      expect(await addressesOn(next.sandbox, "eth0")).toEqual(["10.22.0.2/30"]);
      holder = next;
    }
    await network.del(holder);
  });
});
