/** sbr: in a container on two networks, each reply leaves by the interface that its request came by. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { answers, expectAnswer } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { SBR, secondSubnets, twoNetworks } from "./two-networks.ts";

const firstAddresses = ["10.22.0.2", "2001:db8:22::2"];
const secondAddresses = ["10.23.0.2", "2001:db8:23::2"];

describe.each(engines)("$name", (suite) => {
  test("each reply leaves by its own interface, in both families, and after DEL as before", async () => {
    await using node = await TestNode.create();
    const { second, container, sandbox, outside } = await twoNetworks(node, suite);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    for (const address of secondAddresses) expect(await answers(outside.namespace, address)).toBe(false);

    const prevResult = container.result;
    const call = await second.addOne(SBR, container);
    expect(call.expectSuccess(), "the result is prevResult").toEqual(prevResult);
    expect(call.stderr).toBe("");
    for (const address of [...firstAddresses, ...secondAddresses]) await expectAnswer(outside.namespace, address);
    await second.check(container);

    (await second.delOne(SBR, container)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
    await expectAnswer(outside.namespace, "10.22.0.2");
  });

  test("a gateway that only a route of IPAM names is found (the reference omits it)", async () => {
    await using node = await TestNode.create();
    const ipam = {
      type: "static",
      addresses: [{ address: "10.23.0.2/24" }, { address: "2001:db8:23::2/64" }],
      routes: [
        { dst: "0.0.0.0/0", gw: "10.23.0.1", priority: 50 },
        { dst: "::/0", gw: "2001:db8:23::1", priority: 2000 },
      ],
    };
    const { second, container, outside, sandbox } = await twoNetworks(node, suite, {}, ipam);
    await node.exec(["ip", "address", "add", "10.23.0.1/24", "dev", "cni1"]);
    await node.exec(["ip", "address", "add", "2001:db8:23::1/64", "dev", "cni1", "nodad"]);
    (await second.addOne(SBR, container)).expectSuccess();
    for (const address of [...firstAddresses, ...secondAddresses]) await expectAnswer(outside.namespace, address);
    const [route] = await sandbox.ip("route", "show", "default", "table", "100");
    expect(route).toMatchObject({ gateway: "10.23.0.1", dev: "net1", metric: 50 });
  });

  test("a gateway of the configuration comes before IPAM's", async () => {
    await using node = await TestNode.create();
    const ipam = {
      type: "host-local",
      ranges: [
        [{ subnet: "10.23.0.0/24", gateway: "10.23.0.9", rangeStart: "10.23.0.2" }],
        [{ subnet: "2001:db8:23::/64", gateway: "2001:db8:23::9", rangeStart: "2001:db8:23::2" }],
      ],
    };
    const gateways = ["2001:db8:23::1", "10.23.0.1"];
    const { second, container, outside } = await twoNetworks(node, suite, { gateways }, ipam);
    (await second.addOne(SBR, container)).expectSuccess();
    await node.exec(["ip", "address", "delete", "10.23.0.9/24", "dev", "cni1"]);
    await node.exec(["ip", "address", "delete", "2001:db8:23::9/64", "dev", "cni1"]);
    await node.exec(["ip", "address", "add", "10.23.0.1/24", "dev", "cni1"]);
    await node.exec(["ip", "address", "add", "2001:db8:23::1/64", "dev", "cni1", "nodad"]);
    for (const address of [...firstAddresses, ...secondAddresses]) await expectAnswer(outside.namespace, address);
    (await second.checkOne(SBR, container)).expectSuccess();
  });

  test("with source hints, neighbours on both networks are reached directly", async () => {
    await using node = await TestNode.create();
    const { second, container, sandbox } = await twoNetworks(node, suite, { addSourceHints: true }, secondSubnets);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    (await second.addOne(SBR, container)).expectSuccess();
    for (const neighbour of ["10.22.0.1", "10.23.0.1", "2001:db8:22::1", "2001:db8:23::1"]) {
      await expectAnswer(sandbox, neighbour);
    }
    const [four] = await sandbox.ip("route", "get", "10.23.0.1");
    expect(four).toMatchObject({ dev: "net1", prefsrc: "10.23.0.2" });
    const [six] = await sandbox.ip("-6", "route", "show", "2001:db8:23::/64");
    expect(six).toMatchObject({ dev: "net1", prefsrc: "2001:db8:23::2" });
    (await second.delOne(SBR, container)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });
});
