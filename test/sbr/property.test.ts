/** sbr: whatever an interface's routes are, what is moved is what was found; only table and rule differ; DEL gives it back. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { anyAddresses, anyRoutes } from "./arbitrary-routes.ts";
import {
  callSbr,
  type Ip,
  isOverNet1,
  resultOf,
  routedSandbox,
  routesOf,
  rulesOf,
  withoutTable,
} from "./routed-sandbox.ts";

const RUNS = 25;
const RUNS_OF_ADDRESSES = 12;
const TIMEOUT_MS = 300_000;

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

  test(
    "whichever addresses there are: each family's routes over net1 are in tables of its addresses, the other's stay, and DEL gives all back",
    async () => {
      await fc.assert(
        fc.asyncProperty(anyRoutes, anyAddresses, async ({ commands, gateways }, drawn) => {
          await using node = await TestNode.create();
          const sandbox = await routedSandbox(node, [
            "address add 10.2.0.5/24 dev net1",
            "address add 2001:db8:2::5/64 dev net1 nodad",
          ]);
          await sandbox.run(["ip", "-force", "-batch", "-"], { stdin: `${commands.join("\n")}\n` });
          const ip = (wanted: boolean, address: string, gateway: string): Ip[] =>
            wanted ? [{ address, ...(gateways || drawn.second || drawn.secondSix ? { gateway } : {}) }] : [];
          const ips: Ip[] = [
            ...ip(drawn.four, "10.1.0.5/24", "10.1.0.1"),
            ...ip(drawn.four && drawn.sibling, "10.1.0.6/24", "10.1.0.1"),
            ...ip(drawn.second, "10.2.0.5/24", "10.2.0.1"),
            ...ip(drawn.six, "2001:db8:1::5/64", "2001:db8:1::1"),
            ...ip(drawn.six && drawn.sibling, "2001:db8:1::6/64", "2001:db8:1::1"),
            ...ip(drawn.secondSix, "2001:db8:2::5/64", "fe80::1"),
          ];
          const families = [
            ...(drawn.four || drawn.second ? ["-4"] : []),
            ...(drawn.six || drawn.secondSix ? ["-6"] : []),
          ];
          const { addSourceHints } = drawn;
          const result = resultOf(sandbox, ips);
          const before = await snapshot(node, { sandboxes: [sandbox] });
          const found = await routesOf(sandbox);
          (await callSbr(node, suite, "ADD", sandbox, { addSourceHints }, result)).expectSuccess();
          const ours = (await routesOf(sandbox)).filter((row) => row["protocol"] !== "70");
          const distinct = (rows: typeof ours): string[] => [...new Set(rows.map(withoutTable))].toSorted();
          if (!addSourceHints) {
            expect(distinct(ours), "the same routes").toEqual(distinct(found));
            for (const row of ours) {
              const isMoved = isOverNet1(row) && families.includes(String(row["family"]));
              expect(row["table"] !== "main", JSON.stringify(row)).toBe(isMoved);
            }
          }
          const tables = new Set((await rulesOf(sandbox)).map((rule) => rule.split(" ")[1]));
          expect(tables.size).toBe((drawn.four && drawn.second) || (drawn.six && drawn.secondSix) ? 2 : 1);
          (await callSbr(node, suite, "CHECK", sandbox, { addSourceHints }, result)).expectSuccess();
          (await callSbr(node, suite, "ADD", sandbox, { addSourceHints }, result)).expectSuccess();
          (await callSbr(node, suite, "DEL", sandbox, { addSourceHints }, result)).expectSuccess();
          expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
        }),
        { numRuns: RUNS_OF_ADDRESSES, endOnFailure: true },
      );
    },
    TIMEOUT_MS,
  );
});
