/** sbr of both suites on one node: the same results, the same traffic, and what the one's ADD made, the other's DEL removes. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { callSbr, routedSandbox, rulesOf, tableOf } from "../sbr/routed-sandbox.ts";

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      test.each([{}, { table: 300 }])("results are the same, member by member (%j)", async (config) => {
        const results: unknown[] = [];
        for (const suite of [reference, engine]) {
          await using node = await TestNode.create();
          const sandbox = await routedSandbox(node);
          const result = (await callSbr(node, suite, "ADD", sandbox, config)).expectSuccess();
          results.push(JSON.parse(JSON.stringify(result).replaceAll(sandbox.path, "SANDBOX")));
        }
        expect(results[1]).toEqual(results[0]);
      });

      test("packets from each address take the same way", async () => {
        const ways: unknown[] = [];
        for (const suite of [reference, engine]) {
          await using node = await TestNode.create();
          const sandbox = await routedSandbox(node, ["route add 10.9.0.0/16 via 10.1.0.9"]);
          (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
          for (const [to, from] of [
            ["192.0.2.1", "10.1.0.5"],
            ["192.0.2.1", "10.0.0.5"],
            ["10.9.0.1", "10.1.0.5"],
            ["10.9.0.1", "10.0.0.5"],
            ["10.1.0.77", "10.1.0.5"],
            ["2001:db8:77::1", "2001:db8:1::5"],
            ["2001:db8:77::1", "2001:db8:0::5"],
          ] as const) {
            const [row] = await sandbox.ip("route", "get", to, "from", from);
            ways.push({ suite: suite === reference, to, from, gateway: row?.["gateway"], dev: row?.["dev"] });
          }
        }
        const half = ways.length / 2;
        expect(ways.slice(half)).toEqual(ways.slice(0, half).map((way) => ({ ...(way as object), suite: false })));
      });

      test.each([{}, { table: 300 }])("ADD by the reference, DEL by us: no rule is left (%j)", async (config) => {
        await using node = await TestNode.create();
        const sandbox = await routedSandbox(node);
        (await callSbr(node, reference, "ADD", sandbox, config)).expectSuccess();
        (await callSbr(node, engine, "CHECK", sandbox, config)).expectSuccess();
        (await callSbr(node, engine, "DEL", sandbox, config)).expectSuccess();
        expect(await rulesOf(sandbox)).toEqual([]);
      });

      test.each([{}, { table: 300 }])("ADD by us, DEL by the reference: no rule is left (%j)", async (config) => {
        await using node = await TestNode.create();
        const sandbox = await routedSandbox(node);
        (await callSbr(node, engine, "ADD", sandbox, config)).expectSuccess();
        (await callSbr(node, reference, "DEL", sandbox, config)).expectSuccess();
        expect(await rulesOf(sandbox)).toEqual([]);
      });

      test("a repeated ADD by us keeps the tables that the reference chose", async () => {
        await using node = await TestNode.create();
        const sandbox = await routedSandbox(node);
        (await callSbr(node, reference, "ADD", sandbox)).expectSuccess();
        const rules = await rulesOf(sandbox);
        const tables = [await tableOf(sandbox, 100), await tableOf(sandbox, 101)];
        (await callSbr(node, engine, "ADD", sandbox)).expectSuccess();
        const all = new Set(await rulesOf(sandbox));
        expect([...all].filter((rule) => rules.includes(rule))).toEqual(rules);
        for (const line of tables[0] ?? []) expect(await tableOf(sandbox, 100)).toContain(line);
      });

      test("ADD by the reference, ADD and DEL by us: no rule is left, and every route is in the main table again", async () => {
        await using node = await TestNode.create();
        const sandbox = await routedSandbox(node, ["route add 10.9.0.0/16 via 10.1.0.9"]);
        const before = (await tableOf(sandbox, "main")).filter((line) => line.includes("net1"));
        (await callSbr(node, reference, "ADD", sandbox)).expectSuccess();
        (await callSbr(node, engine, "ADD", sandbox)).expectSuccess();
        (await callSbr(node, engine, "DEL", sandbox)).expectSuccess();
        expect(await rulesOf(sandbox)).toEqual([]);
        const main = (await tableOf(sandbox, "main")).filter((line) => line.includes("net1"));
        for (const line of before) expect(main).toContain(line);
      });
    });
  },
);
