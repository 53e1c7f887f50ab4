/** static as a runtime drives it, alone and below an interface plugin: what it gives, and what CHECK holds against it. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { bridgeNetwork, fixed } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json, PluginCall } from "../helpers/plugin.ts";

const ipam = fixed(
  { address: "10.22.0.5/24", gateway: "10.22.0.1" },
  { address: "10.23.0.5/24", gateway: "10.23.0.1" },
  { address: "2001:db8:22::5/64", gateway: "2001:db8:22::1" },
  { address: "2001:db8:23::5/64" },
);

interface Drift {
  readonly what: string;
  /** What becomes of the result's addresses. */
  readonly change: (ips: Json[]) => Json[];
  readonly named: RegExp;
  /** The reference does not notice. */
  readonly oursAlone?: true;
}

/** Another value of one member of the address at `position`. */
const other =
  (position: number, changed: object) =>
  (ips: Json[]): Json[] =>
    ips.map((ip, index) => (index === position ? { ...ip, ...changed } : ip));

const drifts: readonly Drift[] = [
  {
    what: "an address is not in the result",
    change: (ips) => ips.slice(1),
    named: /static: Failed to find addr 10\.22\.0\.5\/24 on interface eth0/,
    oursAlone: true,
  },
  {
    what: "the last address is not in the result",
    change: (ips) => ips.slice(0, -1),
    named: /static: Failed to find addr 2001:db8:23::5\/64 on interface eth0/,
    oursAlone: true,
  },
  {
    what: "an address has another prefix length",
    change: other(1, { address: "10.23.0.5/25" }),
    named: /static: Failed to find addr 10\.23\.0\.5\/24 on interface eth0/,
    oursAlone: true,
  },
  {
    what: "an IPv4 gateway is another",
    change: other(1, { gateway: "10.23.0.254" }),
    named:
      /static: Failed to match addr 10\.23\.0\.5\/24 on interface eth0: its gateway is 10\.23\.0\.254, not 10\.23\.0\.1/,
  },
  {
    what: "an IPv6 gateway is another",
    change: other(2, { gateway: "2001:db8:22::fe" }),
    named: /static: Failed to match addr 2001:db8:22::5\/64 on interface eth0/,
  },
  {
    what: "a gateway is not in the result",
    change: other(0, { gateway: undefined }),
    named: /its gateway is missing, not 10\.22\.0\.1/,
  },
];

/** CHECK of static alone, with the result of its ADD changed so. */
async function checkChanged(node: TestNode, suite: Suite, change: Drift["change"]): Promise<PluginCall> {
  const network = new TestNetwork(node, "1.1.0", [{ suite, config: { type: "static", ipam } }]);
  const container = await network.container("container");
  const result = await network.add(container);
  await network.check(container);
  container.result = { ...result, ips: change(result.ips) };
  return network.checkOne(0, container);
}

const missing = referenceMissing();

describe.each(engines)("$name", (engine) => {
  test.each(drifts)("CHECK fails where $what", async ({ change, named }) => {
    await using node = await TestNode.create();
    (await checkChanged(node, engine, change)).expectError(102, named);
  });

  test("CHECK needs the result of ADD", async () => {
    await using node = await TestNode.create();
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config: { type: "static", ipam } }]);
    const container = await network.container("container");
    (await network.call(0, "CHECK", container)).expectError(7, /Required prevResult missing|prevResult missing/);
  });

  test("CHECK passes where an address has a gateway that static was not told: it is the interface plugin's", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: fixed({ address: "10.22.0.5/24" }) });
    const container = await network.container("container");
    expect((await network.add(container)).ips[0].gateway).toBe("10.22.0.1");
    await network.check(container);
  });

  test("CHECK below bridge fails where the configuration has another address by now", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { ipam: fixed({ address: "10.22.0.5/24" }) });
    const container = await network.container("container");
    await network.add(container);
    const changed = bridgeNetwork(node, engine, { ipam: fixed({ address: "10.22.0.6/24" }) });
    (await changed.checkOne(0, container)).expectError(102, /static: Failed to find addr 10\.22\.0\.6\/24/);
    await network.check(container);
  });

  test("CHECK goes by the addresses that the runtime asked for, not by those of the configuration", async () => {
    await using node = await TestNode.create();
    const runtimeConfig = (): object => ({ ips: ["10.24.0.5/24"] });
    const config = { type: "static", ipam };
    const asked = new TestNetwork(node, "1.1.0", [{ suite: engine, config, runtimeConfig }]);
    const container = await asked.container("container");
    await asked.add(container);
    await asked.check(container);
    const unasked = new TestNetwork(node, "1.1.0", [{ suite: engine, config }]);
    (await unasked.checkOne(0, container)).expectError(102, /Failed to find addr 10\.22\.0\.5\/24/);
  });
});

describe.skipIf(missing !== undefined)(`the reference${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test.each(drifts)("CHECK where $what", async ({ change, oursAlone }) => {
    await using node = await TestNode.create();
    expect((await checkChanged(node, reference, change)).status).toBe(oursAlone === true ? 0 : 1);
  });
});
