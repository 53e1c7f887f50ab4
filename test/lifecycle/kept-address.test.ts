/**
 * An address is never free while an interface still has it: where the kernel refuses everything from some step on, also what would take
 * the interface back or away, the reservation stays with it until a later DEL or GC has removed both.
 */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { type Fault, inject, steps } from "../helpers/faults.ts";
import { addressesOn } from "../helpers/interface-network.ts";
import type { PluginCall } from "../helpers/plugin.ts";
import { presentRows } from "./matrix.ts";
import { Stage } from "./stage.ts";

const refusal: Fault = { kind: "error", call: "sendto", errno: "ENOMEM", lasts: true };
/** Those of the plugins that give a container an interface, under any kernel; the others take the same steps. */
const rows = presentRows.filter(({ name }) =>
  ["bridge", "ptp", "macvlan, both families", "tap, both families", "host-device, both families"].includes(name),
);
const MOST_STEPS = 5;

/** Asserts that what the interface has is reserved; whether it has anything. */
async function expectReserved({ node, container }: Stage): Promise<boolean> {
  const { sandbox, ifName } = container;
  const addresses = (await sandbox.hasLink(ifName)) ? await addressesOn(sandbox, ifName) : [];
  const { stdout } = await node.run(["ls", "/var/lib/cni/networks/testnet"]);
  for (const address of addresses) expect(stdout.split("\n")).toContain(address.replace(/\/.*/, ""));
  return addresses.length > 0;
}

describe.each(engines)("$name", (engine) => {
  test.each(rows.filter(({ name }) => ["bridge", "ptp"].includes(name)))(
    "$name: GC that cannot remove it",
    async (row) => {
      const stage = await Stage.create(row, engine, "1.1.0");
      try {
        const { network, own, container, followed } = stage;
        const collect = (wrapper?: readonly string[]): Promise<PluginCall> =>
          network.call(own, "GC", undefined, { "cni.dev/valid-attachments": [] }, { wrapper });
        const { DEL: counts } = await stage.countCalls([refusal.call]);
        let kept = 0;
        for (const nth of steps(counts.get(refusal.call) ?? 0, MOST_STEPS)) {
          (await network.addOne(own, container)).expectSuccess();
          const call = await collect(inject(refusal, nth, followed));
          if (await expectReserved(stage)) {
            call.expectOrderlyFailure();
            kept += 1;
          }
          (await collect()).expectSuccess();
          expect(await stage.difference()).toBe("");
        }
        expect(kept, "GCs that left an interface with addresses").toBeGreaterThan(0);
      } finally {
        await stage.node.dispose();
      }
    },
  );

  test.each(rows)("$name: ADD that cannot take the interface back, DEL that cannot remove it", async (row) => {
    const stage = await Stage.create(row, engine, "1.1.0");
    try {
      const { network, own, container, followed } = stage;
      const counts = await stage.countCalls([refusal.call]);
      const before = container.result;
      let kept = 0;
      // Not the first ones: there is no address yet.
      for (const nth of steps(counts.ADD.get(refusal.call) ?? 0, MOST_STEPS).slice(2)) {
        const call = await network.addOne(own, container, { wrapper: inject(refusal, nth, followed) });
        if ((await expectReserved(stage)) && call.status !== 0) kept += 1;
        await network.del(container);
        expect(await stage.difference()).toBe("");
      }
      // A tap goes when its file is closed, whatever else is refused.
      if (row.config.type !== "tap") expect(kept, "ADDs that left an interface with addresses").toBeGreaterThan(0);
      kept = 0;
      for (const nth of steps(counts.DEL.get(refusal.call) ?? 0, MOST_STEPS)) {
        container.result = (await network.addOne(own, container)).expectSuccess();
        const call = await network.delOne(own, container, { wrapper: inject(refusal, nth, followed) });
        if (await expectReserved(stage)) {
          call.expectOrderlyFailure();
          kept += 1;
        }
        await network.del(container);
        container.result = before;
        expect(await stage.difference()).toBe("");
      }
      expect(kept, "DELs that left an interface with addresses").toBeGreaterThan(0);
    } finally {
      await stage.node.dispose();
    }
  });
});
