/** vrf where the kernel has no VRFs: STATUS and ADD name the module. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { kernelCan } from "../helpers/kernel.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const reason = kernelCan("vrf") ? " (skipped: this machine's kernel has VRFs)" : "";

describe.each(engines)("$name", (suite) => {
  test.skipIf(reason !== "")(`STATUS fails with 50 and ADD with 5, in the same words${reason}`, async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    await sandbox.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
    const words = /this kernel has no vrf\ninstall its kernel module vrf/;
    const config = { cniVersion: "1.1.0", name: "net", type: "vrf", vrfname: "blue" };
    (await callPlugin(node, suite, "vrf", "STATUS", config)).expectError(50, words);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const prevResult = { cniVersion: "1.1.0", interfaces: [{ name: "eth0", sandbox: sandbox.path }] };
    const call = { containerId: "c", netns: sandbox, ifName: "eth0" };
    const added = await callPlugin(node, suite, "vrf", "ADD", { ...config, prevResult }, call);
    added.expectError(5, words);
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
    expect(added.stderr).toBe("");
  });
});
