/** host-device: the host gets its device back as it was, whatever has happened meanwhile; and nothing is lost when something fails. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runSuccessfully } from "../helpers/command.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import { addressesOn, dual, four, linkOf } from "../helpers/interface-network.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { snapshot } from "../helpers/snapshot.ts";
import { deviceNetwork, fakeHardware, makeDevice, stateOf } from "./device.ts";

async function nodeWithDevice(): Promise<TestNode> {
  const node = await TestNode.create();
  await makeDevice(node);
  return node;
}

/** The records that a node has, and what was set aside. */
async function recordsOf(node: TestNode): Promise<string[]> {
  return (await readdir(join(node.directory, "state/var-lib-cni/host-device"))).filter((name) => name !== "lock");
}

async function isReserved(node: TestNode, address: string): Promise<boolean> {
  return (await snapshot(node)).lines.some((line) => line.includes(`/testnet/${address} `));
}

/** An `eth0` that the container has made for itself. */
async function makeOwn(
  container: TestAttachment,
  kind: string,
  alias: string,
  mac = "02:00:00:00:77:77",
): Promise<void> {
  const peer = kind === "veth" ? ["peer", "name", "eth0-peer"] : [];
  await container.sandbox.exec(["ip", "link", "add", "eth0", "address", mac, "type", kind, ...peer]);
  await container.sandbox.exec(["ip", "link", "set", "dev", "eth0", "alias", alias]);
}

/**
 * Ends the namespace of a container that is on record, and makes one at the same path that has its number: where the kernel, which has others to
 * number as well, gives it another, the record is made to say that one.
 */
async function endAndNumberAgain(node: TestNode, { sandbox, containerId }: TestAttachment): Promise<void> {
  await sandbox.remove();
  await runSuccessfully(["ip", "netns", "add", sandbox.name]);
  const { dev, ino } = await stat(sandbox.path);
  const directory = join(node.directory, "state/var-lib-cni/host-device");
  for (const name of await recordsOf(node)) {
    const record: Json = JSON.parse(await readFile(join(directory, name), "utf8"));
    if (record.containerID !== containerId) continue;
    await writeFile(join(directory, name), JSON.stringify({ ...record, namespace: `${dev}:${ino}` }));
  }
}

interface LateAndNext {
  readonly network: TestNetwork;
  readonly late: TestAttachment;
  readonly next: TestAttachment;
}

/** `late` has died with its device and without DEL; `next` has its namespace's path and number, and the device of the name that was made again. */
async function lateAndNext(node: TestNode, engine: Suite): Promise<LateAndNext> {
  const network = deviceNetwork(node, engine, { ipam: four });
  const late = await network.container("late");
  await network.add(late);
  await endAndNumberAgain(node, late);
  await node.exec(["ip", "link", "add", "nic0", "type", "veth", "peer", "name", "cable2"]);
  const next = await network.container("next", "eth0", late.sandbox);
  await network.add(next);
  return { network, late, next };
}

/** What a container may do to a device that it has. */
const spoil = [
  "link set dev eth0 down",
  "link set dev eth0 address 02:00:00:00:99:99 mtu 1300 txqueuelen 5 name mine promisc off",
  "link property add dev mine altname minetoo",
  "link set dev mine up",
];

describe.each(engines)("$name", (engine) => {
  test("the device comes back as it was, whatever the container has done to it; with restoreAddresses, addresses and routes too", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true, ipam: dual });
    const container = await network.container("container");
    await network.add(container);
    await container.sandbox.exec(["ip", "-batch", "-"], { stdin: `${spoil.join("\n")}\n` });
    await network.del(container);
    expect(await stateOf(node)).toEqual(before);
    expect(await recordsOf(node)).toEqual([]);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
  });

  test("without restoreAddresses all but addresses and routes comes back", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    await network.del(container);
    expect(await stateOf(node)).toEqual({ ...before, addresses: [], routes: [] });
  });

  test("of a route that leads through other devices too, IPv6 gets its way back, under another index; that IPv4 does not, ADD says", async () => {
    await using node = await nodeWithDevice();
    const lines = [
      "link add nic1 type veth peer name cable1",
      "link set dev nic1 up",
      "address add 192.0.3.5/24 dev nic1",
      "address add 2001:db8:9::5/64 dev nic1 nodad",
      "route add 2001:db8:a::/48 nexthop via 2001:db8:5::1 dev nic0 nexthop via 2001:db8:9::1 dev nic1",
    ];
    await node.exec(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
    const before = await stateOf(node);
    const shared = "nexthop via 192.0.2.1 dev nic0 nexthop via 192.0.3.1 dev nic1".split(" ");
    await node.exec(["ip", "route", "add", "198.51.103.0/24", ...shared]);
    const network = deviceNetwork(node, engine, { restoreAddresses: true });
    const container = await network.container("container");
    const { ifindex } = await linkOf(node, "nic0");
    await container.sandbox.exec(["ip", "link", "add", "taken", "index", String(ifindex), "type", "bridge"]);
    const call = await network.addOne(0, container);
    call.expectSuccess();
    expect(call.stderr).toMatch(/route to 198\.51\.103\.0\/24 leads through nic0 and others: .*not given back/);
    await network.del(container);
    expect((await linkOf(node, "nic0")).ifindex).not.toBe(ifindex);
    expect(await stateOf(node)).toEqual(before);
  });

  const failures = [
    { what: "there is no such IPAM plugin", ipam: { type: "nosuchipam" }, text: /nosuchipam/ },
    {
      what: "a route leads nowhere",
      ipam: { ...four, routes: [{ dst: "192.168.7.0/24", gw: "203.0.113.1" }] },
      text: /192\.168\.7\.0/,
    },
  ];
  test.each(failures)(
    "an ADD that fails after the move gives the device back with all it had ($what)",
    async ({ ipam, text }) => {
      await using node = await nodeWithDevice();
      const before = await stateOf(node);
      const network = deviceNetwork(node, engine, { ipam });
      const container = await network.container("container");
      const error = (await network.addOne(0, container)).expectOrderlyFailure();
      expect(`${error.msg} ${error.details}`).toMatch(text);
      expect(await stateOf(node)).toEqual(before);
      expect(await recordsOf(node)).toEqual([]);
      expect(await isReserved(node, "10.22.0.2")).toBe(false);
      expect(await container.sandbox.hasLink("eth0")).toBe(false);
    },
  );

  test("an ADD that fails and cannot give the device back leaves its address reserved, for DEL to release", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const released = join(node.directory, "released");
    const answer = {
      cniVersion: "1.1.0",
      ips: [{ address: "10.22.0.2/24" }],
      routes: [{ dst: "192.168.7.0/24", gw: "203.0.113.1" }],
    };
    const script = [
      "#!/bin/sh",
      "cat >/dev/null",
      `[ "$CNI_COMMAND" = DEL ] && touch ${released}`,
      `[ "$CNI_COMMAND" = ADD ] && ip link add nic0 type bridge && echo '${JSON.stringify(answer)}'`,
      "exit 0",
    ];
    await writeFile(join(node.directory, "fake"), `${script.join("\n")}\n`, { mode: 0o755 });
    const config = { type: "host-device", device: "nic0", restoreAddresses: true, ipam: { type: "fake" } };
    const path = `${node.directory}:${engine.directory}`;
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config, path }]);
    const container = await network.container("container");
    const error = (await network.addOne(0, container)).expectError([5, 7]);
    expect(error.msg).toMatch(/192\.168\.7\.0/);
    expect(error.details).toMatch(/not taken back: .*another interface of that name/s);
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["10.22.0.2/24"]);
    expect(existsSync(released)).toBe(false);
    await node.exec(["ip", "link", "delete", "nic0"]);
    await network.del(container);
    expect(existsSync(released)).toBe(true);
    expect(await stateOf(node)).toEqual(before);
  });

  test("also an ADD that fails moves the device back under the lock", async () => {
    await using node = await nodeWithDevice();
    const ipam = { ...four, routes: [{ dst: "192.168.7.0/24", gw: "203.0.113.1" }] };
    const network = deviceNetwork(node, engine, { ipam });
    const trace = join(node.directory, "trace");
    const wrapper = ["strace", "-f", "-e", "trace=open,openat", "-o", trace];
    (await network.addOne(0, await network.container("container"), { wrapper })).expectOrderlyFailure();
    const locked = (await readFile(trace, "utf8")).match(/host-device\/lock"/g) ?? [];
    expect(locked.length).toBeGreaterThan(1);
  });

  test("GC takes no device of the host's for one that was lost, while a container lives that may have that", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine);
    await node.exec(["ip", "link", "set", "dev", "nic0", "down"]);
    await node.exec(["ip", "link", "set", "dev", "nic0", "name", "spare", "alias", "nic0"]);
    await network.gc([await network.container("container")]);
    expect(await node.hasLink("spare")).toBe(true);
    await network.gc([]);
    expect(await node.hasLink("spare")).toBe(false);
    expect((await stateOf(node)).link.ifalias ?? "").toBe("");
  });

  test("while the host has given its name away, DEL leaves the device and its address alone, and can be repeated", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true, ipam: four });
    const container = await network.container("container");
    await network.add(container);
    const inside = await stateOf(container.sandbox, "eth0");
    await node.exec(["ip", "link", "add", "nic0", "type", "bridge"]);
    (await network.delOne(0, container)).expectError(101, /another interface of that name.*\n?.*repeat the call/s);
    expect(await stateOf(container.sandbox, "eth0")).toEqual(inside);
    expect(await isReserved(node, "10.22.0.2")).toBe(true);
    await network.check(container);
    await node.exec(["ip", "link", "delete", "nic0"]);
    await network.del(container);
    expect(await stateOf(node)).toEqual(before);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
  });

  test("a device that GC cannot give back keeps its address, and nobody else's", async () => {
    await using node = await nodeWithDevice();
    await node.exec(["ip", "link", "add", "nic1", "type", "veth", "peer", "name", "cable1"]);
    const network = deviceNetwork(node, engine, { ipam: four });
    const other = deviceNetwork(node, engine, { device: "nic1", ipam: four });
    const stuck = await network.container("stuck");
    const stale = await other.container("stale");
    const alive = await other.container("alive");
    await network.add(stuck);
    await other.add(stale);
    await node.exec(["ip", "link", "add", "nic2", "type", "veth", "peer", "name", "cable2"]);
    const third = deviceNetwork(node, engine, { device: "nic2", ipam: four });
    await third.add(alive);
    await node.exec(["ip", "link", "add", "nic0", "type", "bridge"]);
    const valid = { "cni.dev/valid-attachments": [{ containerID: "alive", ifname: "eth0" }] };
    (await network.call(0, "GC", undefined, valid)).expectError(101, /another interface of that name/);
    expect(await node.hasLink("nic1")).toBe(true);
    expect(await isReserved(node, "10.22.0.2")).toBe(true);
    expect(await isReserved(node, "10.22.0.3")).toBe(false);
    expect(await isReserved(node, "10.22.0.4")).toBe(true);
    await node.exec(["ip", "link", "delete", "nic0"]);
    await network.gc([alive]);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
    await third.del(alive);
  });

  test("cards that never come back keep neither GC nor each other's DEL waiting", async () => {
    await using node = await nodeWithDevice();
    await fakeHardware(node, "e1000e", "pci");
    const names = ["nic0", "nic1", "nic2", "nic3"];
    for (const name of names.slice(1)) {
      const hardware = `/sys/devices/pci0000:64/0000:66:00.${name.at(-1)}`;
      const script = `d=/sys/devices/virtual/net/${name}; mkdir -p $d ${hardware} && ln -s ${hardware} $d/device`;
      await node.exec(["sh", "-c", script]);
      await node.exec(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}-cable`]);
    }
    const lives: { network: TestNetwork; container: TestAttachment }[] = [];
    for (const device of names) {
      const network = deviceNetwork(node, engine, { device });
      const container = await network.container(device);
      await network.add(container);
      // The links end with it, and the directory of their hardware stays, as where something holds a namespace without a name.
      await container.sandbox.remove();
      lives.push({ network, container });
    }
    // Each is waited for for three seconds.
    const env = { FERRULE_DEADLINE: "8" };
    const any = deviceNetwork(node, engine);
    const gc = await any.call(0, "GC", undefined, { "cni.dev/valid-attachments": [] }, { env });
    gc.expectSuccess();
    expect(gc.stderr.match(/nic[0-3] has not come back from container/g)).toHaveLength(names.length);
    const calls = lives.map(({ network, container }) => network.delOne(0, container, { env }));
    for (const call of await Promise.all(calls)) call.expectSuccess();
    expect(await recordsOf(node)).toHaveLength(names.length);
    await node.exec(["rm", "-r", "/sys/devices/pci0000:64"]);
    for (const { network, container } of lives) await network.del(container);
    expect(await recordsOf(node)).toEqual([]);
  });

  test("a damaged record is set aside and the alias tells the name", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine, { ipam: four });
    const container = await network.container("container");
    await network.add(container);
    const [record = ""] = await recordsOf(node);
    await writeFile(join(node.directory, "state/var-lib-cni/host-device", record), '{"format": "ferr');
    const call = await network.delOne(0, container);
    call.expectSuccess();
    expect(call.stderr).toMatch(/set aside as .*damaged-/);
    expect(await node.hasLink("nic0")).toBe(true);
    expect(await recordsOf(node)).toEqual([`damaged-${record}`]);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
    await network.del(container);
  });

  test("a device whose master is gone comes back without it, and stderr says so", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true });
    const container = await network.container("container");
    await network.add(container);
    await node.exec(["ip", "link", "delete", "br7"]);
    const call = await network.delOne(0, container);
    call.expectSuccess();
    expect(call.stderr).toMatch(/nic0 does not get back its master br7/);
    const { master: _, ...others } = before.link;
    expect((await stateOf(node)).link).toMatchObject(others);
  });

  test("what the host has on the device stays on the host, and uses it again", async () => {
    await using node = await nodeWithDevice();
    const lines = [
      "link set dev nic0 nomaster",
      "link set dev cable up",
      "link add upper link nic0 type macvlan mode bridge",
      "link set dev upper up",
      "address add 192.0.4.1/24 dev upper",
      "route add 198.51.104.0/24 via 192.0.4.9 dev upper",
    ];
    await node.exec(["ip", "-batch", "-"], { stdin: `${lines.join("\n")}\n` });
    const before = await stateOf(node, "upper");
    const network = deviceNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    await network.del(container);
    expect(await stateOf(node, "upper")).toEqual(before);
    expect((await linkOf(node, "upper")).link).toBe("nic0");
  });

  test("an alternative name that is CNI_IFNAME does not stand in the way, and comes back", async () => {
    await using node = await nodeWithDevice();
    await node.exec(["ip", "link", "property", "add", "dev", "nic0", "altname", "eth0"]);
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true, device: "eth0" });
    const container = await network.container("container");
    await network.add(container);
    await network.del(container);
    const after = await stateOf(node);
    expect(after.link.altnames.toSorted()).toEqual(before.link.altnames.toSorted());
    expect(after.link.ifname).toBe("nic0");
  });

  test("of two ADDs for one device at once one succeeds, and its DEL gives back what there was before both", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { restoreAddresses: true, ipam: four });
    const containers = [await network.container("one"), await network.container("two")];
    const calls = await Promise.all(containers.map((container) => network.addOne(0, container)));
    expect(calls.filter((call) => call.status === 0)).toHaveLength(1);
    const loser = calls.find((call) => call.status !== 0);
    loser?.expectError(101, /container (one|two) \(eth0, network testnet\) has it/);
    for (const container of containers) await network.del(container);
    expect(await stateOf(node)).toEqual(before);
    expect(await recordsOf(node)).toEqual([]);
  });

  test("a device that somebody has put back and into service is left as it is", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    await container.sandbox.exec(["ip", "link", "set", "dev", "eth0", "netns", node.name, "name", "nic0"]);
    await node.exec(["ip", "link", "set", "dev", "nic0", "alias", "rack-3/5", "mtu", "1350", "up"]);
    await network.del(container);
    expect((await stateOf(node)).link).toMatchObject({ mtu: 1350, ifalias: "rack-3/5" });
    expect(await recordsOf(node)).toEqual([]);
  });

  test("a late DEL does not take the device from another container, which has got it in a namespace at the same path", async () => {
    await using node = await nodeWithDevice();
    const network = deviceNetwork(node, engine);
    const late = await network.container("late");
    const next = await network.container("next", "eth0", late.sandbox);
    await network.add(late);
    await network.del(late);
    await network.add(next);
    const inside = await stateOf(next.sandbox, "eth0");
    await network.del(late);
    expect(await stateOf(next.sandbox, "eth0")).toEqual(inside);
    await network.check(next);
  });

  test("a late DEL leaves the device to the container that has got its namespace's number", async () => {
    await using node = await nodeWithDevice();
    const { network, late, next } = await lateAndNext(node, engine);
    const inside = await stateOf(next.sandbox, "eth0");
    for (const result of [late.result, undefined]) await network.del({ ...late, result });
    expect(await stateOf(next.sandbox, "eth0")).toEqual(inside);
    await network.check(next);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
    expect(await isReserved(node, "10.22.0.3")).toBe(true);
    await network.del(next);
    expect(await node.hasLink("nic0")).toBe(true);
    expect(await recordsOf(node)).toEqual([]);
  });

  test("GC leaves the device to the container that has got the number of a dead one's namespace", async () => {
    await using node = await nodeWithDevice();
    const { network, next } = await lateAndNext(node, engine);
    const inside = await stateOf(next.sandbox, "eth0");
    await network.gc([next]);
    expect(await stateOf(next.sandbox, "eth0")).toEqual(inside);
    await network.check(next);
    expect(await isReserved(node, "10.22.0.2")).toBe(false);
    expect(await isReserved(node, "10.22.0.3")).toBe(true);
    await network.gc([]);
    expect(await node.hasLink("nic0")).toBe(true);
    expect(await recordsOf(node)).toEqual([]);
  });

  test("a card of a namespace that has ended is looked for on the host alone when another container has got the number", async () => {
    await using node = await nodeWithDevice();
    await fakeHardware(node, "e1000e", "pci");
    await node.exec(["ip", "link", "add", "nic1", "type", "veth", "peer", "name", "cable1"]);
    await node.exec(["mkdir", "/sys/devices/virtual/net/nic1"]);
    const network = deviceNetwork(node, engine);
    const late = await network.container("late");
    await network.add(late);
    await endAndNumberAgain(node, late);
    const other = deviceNetwork(node, engine, { device: "nic1" });
    const next = await other.container("next", "eth0", late.sandbox);
    await other.add(next);
    await late.sandbox.exec(["ip", "link", "add", "mine", "type", "veth", "peer", "name", "mine-peer"]);
    await late.sandbox.exec(["ip", "link", "set", "dev", "mine", "alias", "nic0"]);
    const valid = { "cni.dev/valid-attachments": [{ containerID: "next", ifname: "eth0" }] };
    const gc = await network.call(0, "GC", undefined, valid);
    gc.expectSuccess();
    expect(gc.stderr).toMatch(/nic0 has not come back from container late .*still holds its namespace;/);
    expect(await late.sandbox.hasLink("mine")).toBe(true);
    expect(await recordsOf(node)).toHaveLength(2);
    await node.exec(["rm", "-r", "/sys/devices/pci0000:64"]);
    await network.del(late);
    expect(await late.sandbox.hasLink("mine")).toBe(true);
    await other.check(next);
    await other.del(next);
    expect(await node.hasLink("nic1")).toBe(true);
  });

  test("two devices of one container come back each, whatever it calls them", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    await node.exec(["ip", "link", "add", "nic1", "type", "veth", "peer", "name", "cable1"]);
    const one = deviceNetwork(node, engine);
    const other = deviceNetwork(node, engine, { device: "nic1" });
    const first = await one.container("container");
    const second = await other.container("container", "eth1", first.sandbox);
    await one.add(first);
    const renaming = "link set dev eth0 down\nlink set dev eth0 name mine\n";
    await first.sandbox.exec(["ip", "-batch", "-"], { stdin: renaming });
    await other.add(second);
    await one.del(first);
    await other.del(second);
    expect((await stateOf(node)).link).toEqual(before.link);
    expect(await node.hasLink("nic1")).toBe(true);
    expect(await recordsOf(node)).toEqual([]);
  });

  test("DEL after a refused ADD leaves the container's own interface", async () => {
    await using node = await nodeWithDevice();
    const before = await stateOf(node);
    const network = deviceNetwork(node, engine, { ipam: four });
    for (const alias of ["mine", "nic0"]) {
      const container = await network.container(`container-${alias}`);
      await makeOwn(container, "veth", alias);
      const inside = await stateOf(container.sandbox, "eth0");
      (await network.addOne(0, container)).expectError(101, /eth0/);
      await network.del(container);
      expect(await stateOf(container.sandbox, "eth0")).toEqual(inside);
      expect(await node.hasLink("mine")).toBe(false);
      expect(await stateOf(node)).toEqual(before);
    }
    // Nor where the host has no such device because another container has it.
    const holder = await network.container("holder");
    await network.add(holder);
    const other = await network.container("other");
    await makeOwn(other, "veth", "nic0");
    (await network.addOne(0, other)).expectError(101, /eth0/);
    await network.del(other);
    expect(await other.sandbox.hasLink("eth0")).toBe(true);
    await network.check(holder);
    await network.del(holder);
    expect((await stateOf(node)).link).toEqual(before.link);
  });

  const choices = [
    { what: "by name", config: { device: "nic0" } },
    { what: "by hardware address", config: { device: "", hwaddr: "02:00:00:00:23:00" } },
  ];
  test.each(choices)(
    "a container cannot put an interface on the host by its alias (device $what)",
    async ({ config }) => {
      await using node = await nodeWithDevice();
      const network = deviceNetwork(node, engine, { ...config, restoreAddresses: true, ipam: four });
      const before = await stateOf(node);
      const container = await network.container("container");
      await network.add(container);
      await network.del(container);
      // With all that ADD's result tells of the device.
      await makeOwn(container, "veth", "ens9", "02:00:00:00:23:00");
      await container.sandbox.exec(["ip", "address", "add", "10.22.0.2/24", "dev", "eth0"]);
      await network.del(container);
      expect(await node.hasLink("ens9")).toBe(false);
      await network.del({ ...container, result: undefined });
      expect(await node.hasLink("ens9")).toBe(false);
      expect(await container.sandbox.hasLink("eth0")).toBe(true);
      expect(await stateOf(node)).toEqual(before);
      // Nor while the device is nowhere to be seen, unless the configuration's own words fit.
      await node.exec(["ip", "link", "delete", "nic0"]);
      await container.sandbox.exec(["ip", "link", "set", "dev", "eth0", "address", "02:00:00:00:99:99"]);
      await network.del({ ...container, result: undefined });
      expect(await node.hasLink("ens9")).toBe(false);
    },
  );

  const bridges = [
    { what: "another alias", config: { device: "nic0" }, alias: "ens9", warning: undefined },
    {
      what: "the device's name in its alias",
      config: { device: "nic1" },
      alias: "nic1",
      warning: /eth0 is left to the container/,
    },
    {
      what: "the device's hardware address",
      config: { device: "", hwaddr: "02:00:00:00:23:99" },
      alias: "ens9",
      warning: /eth0 is left to the container/,
    },
  ];
  test.each(bridges)(
    "a bridge under the interface's name does not keep a container from being deleted ($what)",
    async ({ config, alias, warning }) => {
      await using node = await nodeWithDevice();
      await node.exec(["ip", "link", "add", "nic1", "type", "veth", "peer", "name", "cable1"]);
      await node.exec(["ip", "link", "set", "dev", "nic1", "address", "02:00:00:00:23:99"]);
      const network = deviceNetwork(node, engine, { ...config, ipam: four });
      const container = await network.container("container");
      await network.add(container);
      const [record = ""] = await recordsOf(node);
      await rm(join(node.directory, "state/var-lib-cni/host-device", record));
      await container.sandbox.exec(["ip", "link", "delete", "eth0"]);
      await makeOwn(container, "bridge", alias, "02:00:00:00:23:99");
      const call = await network.delOne(0, container);
      call.expectSuccess();
      if (warning !== undefined) expect(call.stderr).toMatch(warning);
      expect(await container.sandbox.hasLink("eth0")).toBe(true);
      expect(await node.hasLink(alias)).toBe(false);
      expect(await isReserved(node, "10.22.0.2")).toBe(false);
    },
  );

  test("a stray device whose name is taken does not keep another from being given", async () => {
    await using node = await nodeWithDevice();
    await node.exec(["ip", "link", "add", "nic1", "type", "veth", "peer", "name", "cable1"]);
    const network = deviceNetwork(node, engine);
    const container = await network.container("container");
    await network.add(container);
    await container.sandbox.exec(["ip", "link", "set", "dev", "eth0", "netns", node.name, "name", "dev7"]);
    await node.exec(["ip", "link", "add", "nic0", "type", "bridge"]);
    const other = deviceNetwork(node, engine, { device: "nic1" });
    const call = await other.addOne(0, await other.container("other"));
    call.expectSuccess();
    expect(call.stderr).toMatch(/dev7, once nic0, is not restored: .*another interface of that name/);
    await node.exec(["ip", "link", "delete", "nic0"]);
    await network.del(container);
    expect((await stateOf(node)).link).toMatchObject({ mtu: 1400, master: "br7", ifalias: "rack-3/5" });
  });

  test("IPv6 is off in the container where no IPv6 address was asked for, and on where one was", async () => {
    await using node = await nodeWithDevice();
    for (const { ipam, expected } of [
      { ipam: four, expected: ["10.22.0.2/24"] },
      { ipam: dual, expected: ["10.22.0.3/24", "2001:db8:22::2/64"] },
    ]) {
      const network = deviceNetwork(node, engine, { ipam });
      const container = await network.container("container");
      await network.add(container);
      expect(await addressesOn(container.sandbox, "eth0")).toEqual(expected);
      const [link] = await container.sandbox.ip("address", "show", "dev", "eth0");
      const six = link?.["addr_info"].filter((each: Json) => each.family === "inet6");
      expect(six.length > 0).toBe(expected.length === 2);
      await network.del(container);
      await container.sandbox.remove();
    }
  });
});
