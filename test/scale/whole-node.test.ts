/** Addresses, masquerading and port mappings of many containers at once, and a runtime that gives up at any moment. */
import { describe, expect, test } from "vitest";
import { engines, type Suite } from "../helpers/engines.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { addressesOf } from "../helpers/result.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const SCALE_TIMEOUT_MS = 300_000;

/** What most nodes run: bridge with a gateway, both families, masquerading and host-local, and port mappings. */
function nodeNetwork(node: TestNode, suite: Suite): TestNetwork {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: "10.22.0.0/16" }], [{ subnet: "2001:db8:22::/64" }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  };
  const bridge = { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam };
  const portmap = { type: "portmap", backend: "nftables", capabilities: { portMappings: true } };
  const runtimeConfig = (index: number): object => ({
    portMappings: [{ hostPort: 20_000 + index, containerPort: 80, protocol: "tcp" }],
  });
  return new TestNetwork(node, "1.1.0", [
    { suite, config: bridge },
    { suite, config: portmap, runtimeConfig },
  ]);
}

describe.each(engines)("$name", (engine) => {
  const containerCount = engine.name === "bun" ? 20 : 100;

  test(`${containerCount} containers with addresses, masquerading and port mappings come and go at once`, {
    timeout: SCALE_TIMEOUT_MS,
  }, async () => {
    await using node = await TestNode.create();
    const network = nodeNetwork(node, engine);
    const first = await network.container("first");
    await network.add(first);
    await network.del(first);
    await first.sandbox.remove();
    const containers = [];
    for (let index = 0; index < containerCount; index += 1)
      containers.push(await network.container(`container-${index}`));
    const before = await snapshot(node);

    await Promise.all(containers.map((container) => network.add(container)));
    const addresses = containers.flatMap(({ result }) => addressesOf(result).map((each) => each.address));
    expect(new Set(addresses).size, "no address was given twice").toBe(2 * containerCount);
    await Promise.all(containers.map((container) => network.check(container)));

    await Promise.all(containers.map((container) => network.del(container)));
    expectSame(await snapshot(node), before);
  });

  const killed = engine.name === "bun" ? 15 : 60;

  test(`${killed} ADDs that are told to end at random moments leave nothing, but those that succeeded`, {
    timeout: SCALE_TIMEOUT_MS,
  }, async () => {
    await using node = await TestNode.create();
    const network = nodeNetwork(node, engine);
    const first = await network.container("first");
    const typicalMs = (await network.addOne(0, first)).wallMs;
    (await network.delOne(0, first)).expectSuccess();
    await first.sandbox.remove();
    const containers = [];
    for (let index = 0; index < killed; index += 1) containers.push(await network.container(`container-${index}`));
    const before = await snapshot(node);

    // Six at a time: later steps then meet the locks and half-made links of others.
    const ends: string[] = [];
    for (let start = 0; start < killed; start += 6) {
      await Promise.all(
        containers.slice(start, start + 6).map(async (container) => {
          const seconds = ((0.05 + Math.random() * 2) * typicalMs) / 1000;
          const wrapper = ["timeout", "--preserve-status", "--signal=TERM", seconds.toFixed(5)];
          const call = await network.addOne(0, container, { wrapper });
          ends.push(
            `${container.containerId}: ${call.status} after ${seconds.toFixed(5)} s: ${call.stdout.slice(0, 200)}`,
          );
          // Told before it could notice, a process just ends.
          if (call.status === 143 && call.stdout === "") return;
          if (call.status !== 0) call.expectOrderlyFailure();
          else (await network.delOne(0, container)).expectSuccess();
        }),
      );
    }
    expectSame(await snapshot(node), before, `nothing is left; the calls ended so:\n${ends.join("\n")}`);
  });
});
