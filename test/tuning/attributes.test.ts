/** tuning: attributes of the container's interface are changed, checked, and set back exactly. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { linkOf } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type Json, type PluginCall } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { addTuning, attributesOf, filesIn, recordOf, TUNING, tunedNetwork, writeFile } from "./tuned-node.ts";

interface Row {
  readonly config: object;
  readonly attribute: "mac" | "mtu" | "promisc" | "allmulti" | "txQLen";
  readonly becomes: unknown;
  readonly before?: readonly string[];
}

const rows: readonly Row[] = [
  { config: { mac: "02:AA:00:00:00:01" }, attribute: "mac", becomes: "02:aa:00:00:00:01" },
  { config: { mtu: 1400 }, attribute: "mtu", becomes: 1400 },
  { config: { promisc: true }, attribute: "promisc", becomes: true },
  { config: { allmulti: true }, attribute: "allmulti", becomes: true },
  { config: { allmulti: false }, attribute: "allmulti", becomes: false, before: ["allmulticast", "on"] },
  { config: { txQLen: 7 }, attribute: "txQLen", becomes: 7 },
  { config: { txQLen: 0 }, attribute: "txQLen", becomes: 0 },
];
const forms = rows.flatMap((row) => [
  { ...row, what: JSON.stringify(row.config) },
  { ...row, what: `${JSON.stringify(row.config)} in args`, config: { args: { cni: row.config } } },
]);

describe.each(engines)("$name", (suite) => {
  test.each(forms)("$what: set on ADD, checked, remembered, and set back on DEL", async (row) => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, row.config);
    const container = await network.container("container");
    await network.add(container, TUNING);
    if (row.before !== undefined) await container.sandbox.exec(["ip", "link", "set", "eth0", ...row.before]);
    const before = await attributesOf(container);
    container.result = (await network.addOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual({ ...before, [row.attribute]: row.becomes });
    expect(await recordOf(node, container)).toMatchObject({ [row.attribute]: before[row.attribute] });
    await network.check(container);
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
    if (before[row.attribute] !== row.becomes) {
      (await network.checkOne(TUNING, container)).expectError(102, /eth0 has .*, configured is/);
    }
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
  });

  test("all at once, in a directory of one's own, which root alone can enter", async () => {
    await using node = await TestNode.create();
    const dataDir = `${node.directory}/a/b`;
    const config = { mac: "02:00:00:00:00:01", mtu: 1400, promisc: true, allmulti: true, txQLen: 5, dataDir };
    const network = tunedNetwork(node, suite, config);
    const container = await network.container("container");
    await network.add(container, TUNING);
    const before = await attributesOf(container);
    (await network.addOne(TUNING, container)).expectSuccess();
    const { dataDir: _, ...attributes } = config;
    expect(await attributesOf(container)).toEqual(attributes);
    expect(await recordOf(node, container, dataDir)).toMatchObject(before);
    expect((await node.exec(["stat", "-c", "%a", dataDir, `${dataDir}/container_eth0.json`])).trim()).toBe("700\n600");
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
    expect(await filesIn(node, dataDir)).toEqual([]);
  });

  test.each([
    { what: "the configuration alone", more: {}, options: {}, becomes: "02:00:00:00:00:01" },
    {
      what: "MAC of CNI_ARGS",
      more: {},
      options: { args: "IgnoreUnknown=1;MAC=02:00:00:00:00:02;X=1" },
      becomes: "02:00:00:00:00:02",
    },
    {
      what: "runtimeConfig",
      more: {},
      options: { args: "MAC=02:00:00:00:00:02", runtimeConfig: { mac: "02:00:00:00:00:03" } },
      becomes: "02:00:00:00:00:03",
    },
    {
      what: "args",
      more: { args: { cni: { mac: "02:00:00:00:00:04" } } },
      options: { args: "MAC=02:00:00:00:00:02", runtimeConfig: { mac: "02:00:00:00:00:03" } },
      becomes: "02:00:00:00:00:04",
    },
  ])("the hardware address comes from $what", async ({ more, options, becomes }) => {
    await using node = await TestNode.create();
    const network = tunedNetwork(
      node,
      suite,
      { mac: "02:00:00:00:00:01", capabilities: { mac: true }, ...more },
      options,
    );
    const container = await network.container("container");
    const result = await network.add(container);
    expect((await attributesOf(container)).mac).toBe(becomes);
    expect(result.interfaces.find((each: Json) => each.name === "eth0").mac).toBe(becomes);
    await network.check(container);
  });

  test("the result tells the new address and MTU of the container's interface, and of no other of that name", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mac: "02:AA:00:00:00:01", mtu: 1400 });
    const container = await network.container("container");
    const before = await network.add(container, TUNING);
    const namesake = { name: "eth0", mac: "0a:00:00:00:00:09", mtu: 9000 };
    before.interfaces.push(namesake);
    const result = (await network.addOne(TUNING, container)).expectSuccess();
    const expected = before.interfaces.map((each: Json) =>
      each.sandbox === undefined ? each : { ...each, mac: "02:aa:00:00:00:01", mtu: 1400 },
    );
    expect(result.interfaces).toEqual(expected);
    expect(result.ips).toEqual(before.ips);
  });

  // plugins#352: as in the reference, what lies at the host's end is its plugin's.
  test("the MTU is the container's end's alone", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const container = await network.container("container");
    const result = await network.add(container);
    expect((await linkOf(node, result.interfaces[1].name)).mtu).toBe(1500);
  });

  test("CHECK minds what was configured, and nothing else", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const container = await network.container("container");
    await network.add(container);
    await container.sandbox.exec([
      "ip",
      "link",
      "set",
      "eth0",
      "promisc",
      "on",
      "allmulticast",
      "on",
      "txqueuelen",
      "9",
    ]);
    await network.check(container);
    await container.sandbox.exec(["ip", "link", "set", "eth0", "mtu", "1300"]);
    const words = "eth0 has MTU 1300, configured is MTU 1400";
    (await network.checkOne(TUNING, container)).expectError(102, new RegExp(words));
  });

  test("an ADD that fails half-way leaves everything as it was", async () => {
    await using node = await TestNode.create();
    const config = { mac: "02:00:00:00:00:01", promisc: true, txQLen: 3, sysctl: { "net.core.somaxconn": "nonsense" } };
    const network = tunedNetwork(node, suite, config);
    const container = await network.container("container");
    await network.add(container, TUNING);
    await node.exec(["mkdir", "-p", "/run/cni/tuning"]);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(TUNING, container)).expectError(7, /Cannot set sysctl net.core.somaxconn to "nonsense"/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    const tooSmall = tunedNetwork(node, suite, { mac: "02:00:00:00:00:01", mtu: 10, txQLen: 5 });
    (await tooSmall.addOne(TUNING, container)).expectError(7, /Cannot set MTU 10 of eth0/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("a repeated ADD does not take what is tuned for what was there before", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400, sysctl: { "net.core.somaxconn": "500" } });
    const container = await network.container("container");
    await network.add(container, TUNING);
    const before = await attributesOf(container);
    const prevResult = container.result;
    (await network.addOne(TUNING, container)).expectSuccess();
    const record = await recordOf(node, container);
    (await network.addOne(TUNING, container)).expectSuccess();
    expect(await recordOf(node, container)).toEqual(record);
    // Nor does one with another configuration, or a second tuning in the list.
    container.result = prevResult;
    const other = tunedNetwork(node, suite, { mtu: 1300, txQLen: 5 });
    (await other.addOne(TUNING, container)).expectSuccess();
    expect(await recordOf(node, container)).toEqual({ ...record, txQLen: before.txQLen });
    (await other.delOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
  });

  test("nor does a repeated ADD that names the namespace by another path", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400, sysctl: { "net.core.somaxconn": "500" } });
    const container = await network.container("container");
    await network.add(container, TUNING);
    const before = await attributesOf(container);
    (await network.addOne(TUNING, container)).expectSuccess();
    const record = await recordOf(node, container);
    const netns = container.sandbox.path.replace("/run/", "/var/run/");
    (await network.addOne(TUNING, container, { netns })).expectSuccess();
    const { sandbox, ...values } = await recordOf(node, container);
    expect({ ...values, sandbox: sandbox.replace("/var/run/", "/run/") }).toEqual(record);
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
  });

  test("GC collects what a killed ADD has left of a new record", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const [dead, alive] = [await network.container("dead"), await network.container("alive")];
    await network.add(dead);
    await network.add(alive);
    for (const id of ["dead", "alive"]) {
      await node.exec(["cp", `/run/cni/tuning/${id}_eth0.json`, `/run/cni/tuning/.${id}_eth0.json.new`]);
    }
    await node.exec(["rm", "/run/cni/tuning/dead_eth0.json"]);
    await writeFile(node, "/run/cni/tuning/.cut_eth0.json.new", '{"mtu": 15');
    await network.gc([alive]);
    const left = [".alive_eth0.json.new", ".cut_eth0.json.new", "alive_eth0.json"];
    expect(await filesIn(node, "/run/cni/tuning")).toEqual(left);
  });

  test("what an earlier life of the container has left is not its interface's now", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const old = await network.container("container");
    await network.add(old, TUNING);
    await old.sandbox.exec(["ip", "link", "set", "eth0", "mtu", "1234"]);
    (await network.addOne(TUNING, old)).expectSuccess();
    const container = await network.container("container");
    await tunedNetwork(node, suite, {}, { name: "othernet" }).add(container, TUNING);
    (await network.addOne(TUNING, container)).expectSuccess();
    expect(await recordOf(node, container)).toMatchObject({ mtu: 1500 });
  });

  test("a damaged record is set aside and told, and keeps nothing from being deleted", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const container = await network.container("container");
    await network.add(container);
    const path = "/run/cni/tuning/container_eth0.json";
    await writeFile(node, path, '{"mtu": "15');
    const call = await network.delOne(TUNING, container);
    call.expectSuccess();
    expect(call.stderr).toContain(`tuning: ${path} is damaged, and now ${path}.damaged`);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual(["container_eth0.json.damaged"]);
    await network.del(container);
  });

  test("the record goes with DEL also when the namespace is gone, or the runtime tells none", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await one.sandbox.remove();
    await network.del(one);
    await network.del(two, { netns: undefined });
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
  });

  test("GC removes the records of this network's dead, and none that may be another's", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const other = tunedNetwork(node, suite, { mtu: 1400 }, { name: "othernet" });
    const [dead, alive] = [await network.container("dead"), await network.container("alive")];
    const others = await other.container("others");
    await network.add(dead);
    await network.add(alive);
    await other.add(others);
    await writeFile(node, "/run/cni/tuning/unknown_eth0.json", '{\n "mtu": 1500\n}');
    await network.gc([alive]);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([
      "alive_eth0.json",
      "others_eth0.json",
      "unknown_eth0.json",
    ]);
    await network.check(alive);
  });

  test("the interface that is to be tuned must be there", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const container = await network.container("container");
    container.result = { cniVersion: "1.1.0" };
    (await network.addOne(TUNING, container)).expectError(7, /Cannot tune eth0: the container has no such interface/);
    (await network.checkOne(TUNING, container)).expectError(102, /interface eth0 is missing/);
    container.result = undefined;
    (await network.addOne(TUNING, container)).expectError(7, /tuning: required prevResult missing/);
  });

  test("a prevResult of a version of the same shape is understood; one of another shape, or no result, is refused", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400 });
    const container = await network.container("container");
    await network.add(container, TUNING);
    const before = await attributesOf(container);
    const addTo = (prevResult: unknown): Promise<PluginCall> => network.call(TUNING, "ADD", container, { prevResult });
    const older = { ...container.result, cniVersion: "0.4.0" };
    (await addTo(older)).expectError(1, /could not parse prevResult: .* unmarshalled CNIVersion is "0.4.0"/);
    (await addTo({ cniVersion: "1.1.0", ips: 5 })).expectError(6, /prevResult/);
    (await addTo("none")).expectError(6, /prevResult/);
    expect(await attributesOf(container)).toEqual(before);
    expect((await addTo({ ...container.result, cniVersion: "1.0.0" })).expectSuccess().cniVersion).toBe("1.1.0");
    (await network.call(TUNING, "DEL", container, { prevResult: older })).expectSuccess();
    expect(await attributesOf(container)).toEqual(before);
  });

  test.each([
    [{ mtu: -5 }, {}, 7, /mtu: -5 is out of range/],
    [{ mtu: "1400" }, {}, 7, /mtu: expected an integer/],
    [{ txQLen: -1 }, {}, 7, /txQLen: -1 is out of range/],
    [{ mac: "zz" }, {}, 7, /mac: expected a hardware address/],
    [{ mac: "02:00:00:00:00:00:00:01" }, {}, 7, /has another length/],
    [{ mac: "01:00:5e:00:00:01" }, {}, 7, /01:00:5e:00:00:01 cannot be given: it is zero or a group's/],
    [{}, { args: "MAC=zz" }, 7, /CNI_ARGS: MAC/],
    [{}, { args: "X=1" }, 4, /unknown args/],
    [{ args: { cni: { mtu: [] } } }, {}, 7, /args.cni.mtu/],
  ] as const)("%j with %j is refused, and DEL succeeds all the same", async (config, options, code, words) => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, config, options);
    const container = await network.container("container");
    (await addTuning(network, container)).expectError(code, words);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
    (await network.delOne(TUNING, container)).expectSuccess();
  });

  test("an interface's name with a slash is refused", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const call = { containerId: "c", netns: sandbox, ifName: "../x" };
    const config = { cniVersion: "1.0.0", name: "n", type: "tuning", prevResult: {} };
    (await callPlugin(node, suite, "tuning", "ADD", config, call)).expectError(4, /interface name contains \//);
  });
});
