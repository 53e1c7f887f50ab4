/** Many containers at once, and a pool that is nearly full: what a node does in its first second, and at its limit. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { addressesOf } from "../helpers/result.ts";
import { snapshot } from "../helpers/snapshot.ts";

const CONTAINERS = 100;
const SCALE_TIMEOUT_MS = 300_000;

describe.each(engines)("$name", (engine) => {
  test.each(["nftables", "iptables"])(
    `${CONTAINERS} ADDs at once on an empty node all succeed, and ${CONTAINERS} DELs at once leave nothing (%s)`,
    { timeout: SCALE_TIMEOUT_MS },
    async (ipMasqBackend) => {
      await using node = await TestNode.create();
      const ipam = { type: "host-local", ranges: [[{ subnet: "10.22.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] };
      const config = { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipMasqBackend, ipam };
      const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config }]);
      const containers = [];
      for (let index = 0; index < CONTAINERS; index += 1)
        containers.push(await network.container(`container-${index}`));

      const calls = await Promise.all(containers.map((container) => network.addOne(0, container)));
      for (const [index, call] of calls.entries()) {
        const container = containers[index];
        if (container !== undefined) container.result = call.expectSuccess();
      }
      const addresses = containers.flatMap((container) => addressesOf(container.result).map((each) => each.address));
      expect(new Set(addresses).size, "no address was given twice").toBe(CONTAINERS);
      expect((await node.ip("link", "show", "type", "bridge")).map((link) => link["ifname"])).toEqual(["cni0"]);
      const [bridge] = await node.ip("-4", "address", "show", "dev", "cni0");
      expect(bridge?.["addr_info"].map((each: { local: string }) => each.local)).toEqual(["10.22.0.1"]);
      expect(await node.ip("link", "show", "master", "cni0")).toHaveLength(CONTAINERS);
      const check = containers[CONTAINERS - 1];
      if (check !== undefined) await network.check(check);

      const deletions = await Promise.all(containers.map((container) => network.delOne(0, container)));
      for (const call of deletions) call.expectSuccess();
      expect(await node.ip("link", "show", "type", "veth")).toEqual([]);
      const left = (await snapshot(node)).lines.filter((line) => /container-|10\.22\.[0-9]+\.[0-9]+ /.test(line));
      expect(
        left.filter((line) => !/ (address|route4): /.test(line)),
        "no reservation and no rule",
      ).toEqual([]);
    },
  );

  test("host-local works with 60,000 reservations", { timeout: SCALE_TIMEOUT_MS }, async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const directory = join(node.directory, "state/var-lib-cni/networks/testnet");
    await mkdir(directory, { recursive: true });
    for (let third = 0; third < 240; third += 1) {
      const names = Array.from({ length: 250 }, (_, fourth) => `10.22.${third}.${fourth + 2}`);
      await Promise.all(names.map((name) => writeFile(join(directory, name), `holder-${name}\r\neth0`)));
    }
    const config = {
      cniVersion: "1.1.0",
      name: "testnet",
      type: "host-local",
      ipam: { type: "host-local", ranges: [[{ subnet: "10.22.0.0/16" }]] },
    };
    const call = { containerId: "container", netns: sandbox, ifName: "eth0" };
    const result = (await callPlugin(node, engine, "host-local", "ADD", config, call)).expectSuccess();
    expect(addressesOf(result)[0]?.address).toMatch(/^10\.22\.\d+\.\d+\/16$/);
    (await callPlugin(node, engine, "host-local", "CHECK", { ...config, prevResult: result }, call)).expectSuccess();
    (await callPlugin(node, engine, "host-local", "DEL", { ...config, prevResult: result }, call)).expectSuccess();
    (
      await callPlugin(node, engine, "host-local", "CHECK", { ...config, prevResult: result }, call)
    ).expectOrderlyFailure();
  });
});
