/** vrf: whatever an interface's routes are, what is moved is what was found; only the table differs; DEL gives it back. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { describeInMachine } from "../helpers/kernel.ts";
import type { JsonRow } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type Verb } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { anyRoutes } from "../sbr/arbitrary-routes.ts";
import { isOverNet1, resultOf, routedSandbox, routesOf, withoutTable } from "../sbr/routed-sandbox.ts";

/** Each takes some ten seconds under emulation; `npm run test:kernels` has more time. */
const RUNS = process.env["FERRULE_KERNEL_MATRIX"] === undefined ? 3 : 12;
const TABLE = "1001";

describeInMachine(() => {
  const [suite] = engines;
  test.runIf(suite !== undefined)("what vrf moves is what it found, and DEL gives it back", async () => {
    if (suite === undefined) return;
    await fc.assert(
      fc.asyncProperty(anyRoutes, async ({ commands }) => {
        await using node = await TestNode.create();
        const sandbox = await routedSandbox(node);
        await sandbox.run(["ip", "-force", "-batch", "-"], { stdin: `${commands.join("\n")}\n` });
        const prevResult = resultOf(sandbox);
        const config = {
          cniVersion: "1.0.0",
          name: "n",
          type: "vrf",
          vrfname: "blue",
          table: Number(TABLE),
          prevResult,
        };
        const call = async (verb: Verb): Promise<void> => {
          const variables = { containerId: "container", netns: sandbox, ifName: "net1" };
          (await callPlugin(node, suite, "vrf", verb, config, variables)).expectSuccess();
        };
        const before = await snapshot(node, { sandboxes: [sandbox] });
        const found = await routesOf(sandbox);
        await call("ADD");
        // What the kernel has for local addresses is in the VRF's table, too.
        const isMeant = (row: JsonRow): boolean => row["table"] !== TABLE || row["type"] === "unicast";
        const moved = (await routesOf(sandbox)).filter(isMeant);
        expect(moved.map(withoutTable).toSorted(), "the same routes").toEqual(found.map(withoutTable).toSorted());
        for (const row of moved) expect(row["table"] === TABLE, JSON.stringify(row)).toBe(isOverNet1(row));
        await call("CHECK");
        await call("DEL");
        expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});
