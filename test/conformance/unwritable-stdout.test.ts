/** A stdout that takes nothing: the call has failed, for nobody has its answer. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { ptp } from "./bad-input.ts";

const wrapper = ["sh", "-c", 'exec "$0" >/dev/full'];

describe.each(engines)("$name", (engine) => {
  test("ADD ends with status 1 and says so on stderr, and DEL removes what it has made", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const variables = { containerId: "container", netns: sandbox, ifName: "eth0" };
    const look = () => snapshot(node, { sandboxes: [sandbox] });
    const first = { ...variables, containerId: "first" };
    for (const verb of ["ADD", "DEL"] as const) await callPlugin(node, engine, "ptp", verb, ptp, first);
    const before = await look();
    const added = await callPlugin(node, engine, "ptp", "ADD", ptp, { ...variables, wrapper });
    expect([added.status, added.stderr]).toEqual([
      1,
      expect.stringMatching(/cannot write the answer to stdout: ENOSPC; what an ADD has made goes with its DEL\n$/),
    ]);
    // It says nothing there.
    const deleted = await callPlugin(node, engine, "ptp", "DEL", ptp, { ...variables, wrapper });
    expect([deleted.status, deleted.stderr]).toEqual([0, ""]);
    expectSame(await look(), before);
  });

  test("cnitool too", async () => {
    await using node = await TestNode.create();
    const { status, stderr } = await node.run([
      ...wrapper.slice(0, 2),
      'exec "$0" --help >/dev/full',
      `${engine.directory}/cnitool`,
    ]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/cannot write the answer to stdout: ENOSPC; what an ADD has made goes with its DEL\n$/),
    ]);
  });
});
