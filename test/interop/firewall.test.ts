/** firewall of both suites on one node: the one's rules are checked and removed by the other. */
import { describe, expect, test } from "vitest";
import { FIREWALL, FirewallNode } from "../firewall/firewall-node.ts";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";

/** Rules without the claims, which only we have, in an order that tells nothing. */
function rulesIn(tables: string): string[] {
  const lines = tables.split("\n").filter((line) => line.startsWith("-A ") && !line.includes("FERRULE-FIREWALL"));
  return lines.toSorted();
}

const options = { backend: "iptables" };
const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      describe.each([
        { what: "ADD by the reference, DEL by us", adds: reference, deletes: engine },
        { what: "ADD by us, DEL by the reference", adds: engine, deletes: reference },
      ])("$what", ({ adds, deletes }) => {
        test.each(["bridge", "ptp"] as const)("CHECK agrees, and the container's rules are gone (%s)", async (base) => {
          await using lab = await FirewallNode.create(engine);
          const adding = lab.network(options, { suite: adds, base, version: "1.0.0" });
          const deleting = lab.network(options, { suite: deletes, base, version: "1.0.0" });
          const first = await lab.attach(adding, "first");
          await adding.del(first);
          const before = rulesIn(await lab.filterTables());
          const container = await lab.attach(adding, "container");
          expect(rulesIn(await lab.filterTables())).not.toEqual(before);
          for (const network of [adding, deleting]) (await network.checkOne(FIREWALL, container)).expectSuccess();
          (await deleting.delOne(FIREWALL, container)).expectSuccess();
          expect(rulesIn(await lab.filterTables())).toEqual(before);
        });
      });

      test.each(["open", "same-bridge", "isolated"])("both suites make the same rules (%s)", async (ingressPolicy) => {
        const made: string[] = [];
        for (const suite of [reference, engine]) {
          await using lab = await FirewallNode.create(engine);
          const network = lab.network({ ...options, ingressPolicy }, { suite, version: "1.0.0" });
          await lab.attach(network, "one");
          await lab.attach(network, "two");
          const all = (await lab.filterTables()).split("\n");
          const own = all.filter((line) => /^(:CNI|-A )/.test(line) && !line.includes("FERRULE-FIREWALL"));
          made.push(own.map((line) => line.replaceAll(/\[\d+:\d+\]/g, "")).join("\n"));
        }
        expect(made[1]).toBe(made[0]);
      });

      test("one after the other on one node, neither doubles what is shared", async () => {
        await using lab = await FirewallNode.create(engine);
        const policy = { ...options, ingressPolicy: "isolated" };
        for (const [index, suite] of [reference, engine, reference, engine].entries()) {
          const network = lab.network(policy, { suite, version: "1.0.0", subnet: 22 + index });
          const container = await lab.attach(network, `c${index}`);
          (await network.checkOne(FIREWALL, container)).expectSuccess();
        }
        const rules = rulesIn(await lab.filterTables());
        expect(rules.filter((line) => line.startsWith("-A FORWARD "))).toHaveLength(4);
        expect(rules.filter((line) => / -j (CNI-ADMIN|RETURN)$/.test(line))).toHaveLength(6);
      });
    });
  },
);
