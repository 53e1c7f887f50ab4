/** sbr: whatever an interface's routes are, what is moved is what was found; only table and rule differ; DEL gives it back. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { anyRoutes } from "./arbitrary-routes.ts";
import { callSbr, type Ip, isOverNet1, resultOf, routedSandbox, routesOf, withoutTable } from "./routed-sandbox.ts";

const RUNS = 25;
const TIMEOUT_MS = 120_000;

describe.each(engines)("$name", (suite) => {
  test(
    "what sbr moves is what it found, and DEL gives it back",
    async () => {
      await fc.assert(
        fc.asyncProperty(anyRoutes, async ({ commands, gateways }) => {
          await using node = await TestNode.create();
          const sandbox = await routedSandbox(node);
          // Some that are drawn contradict others: those the kernel refuses are left out.
          await sandbox.run(["ip", "-force", "-batch", "-"], { stdin: `${commands.join("\n")}\n` });
          const ips: Ip[] = [
            { address: "10.1.0.5/24", ...(gateways ? { gateway: "10.1.0.1" } : {}) },
            { address: "2001:db8:1::5/64", ...(gateways ? { gateway: "2001:db8:1::1" } : {}) },
          ];
          const result = resultOf(sandbox, ips);
          const before = await snapshot(node, { sandboxes: [sandbox] });
          const found = await routesOf(sandbox);
          (await callSbr(node, suite, "ADD", sandbox, {}, result)).expectSuccess();
          const moved = await routesOf(sandbox);
          const ours = moved.filter((row) => row["protocol"] !== "70");
          expect(ours.map(withoutTable).toSorted(), "the same routes").toEqual(found.map(withoutTable).toSorted());
          for (const row of ours) expect(row["table"] === "100", JSON.stringify(row)).toBe(isOverNet1(row));
          (await callSbr(node, suite, "CHECK", sandbox, {}, result)).expectSuccess();
          (await callSbr(node, suite, "DEL", sandbox, {}, result)).expectSuccess();
          expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    },
    TIMEOUT_MS,
  );
});
