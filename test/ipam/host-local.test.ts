/** host-local as a runtime drives it: both executables, its files, and the reference suite on the same directory. */
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type PluginCall, type Verb } from "../helpers/plugin.ts";

/** One network of one node. */
class Network {
  readonly node: TestNode;
  readonly dataDir: string;

  constructor(node: TestNode) {
    this.node = node;
    this.dataDir = join(node.directory, "networks");
  }

  config(ipam: object, more: object = {}): object {
    return {
      cniVersion: "1.1.0",
      name: "pods",
      type: "bridge",
      ipam: { type: "host-local", dataDir: this.dataDir, ...ipam },
      ...more,
    };
  }

  get directory(): string {
    return join(this.dataDir, "pods");
  }

  async files(): Promise<string[]> {
    return (await readdir(this.directory)).toSorted();
  }

  async addresses(): Promise<string[]> {
    return (await this.files()).filter((name) => name !== "lock" && !name.startsWith("last_reserved_ip."));
  }
}

const small = { ranges: [[{ subnet: "10.1.0.0/29" }]] };

for (const suite of engines) {
  describe(`host-local on ${suite.name}`, () => {
    async function call(
      network: Network,
      verb: Verb,
      config: object,
      containerId = "dummy",
      more: { ifName?: string; args?: string; netns?: string; env?: Record<string, string> } = {},
      by = suite,
    ): Promise<PluginCall> {
      const perContainer = verb === "ADD" || verb === "DEL" || verb === "CHECK";
      const variables = perContainer ? { containerId, ifName: "eth0", netns: "/some/where", ...more } : more;
      return await callPlugin(network.node, by, "host-local", verb, config, variables);
    }

    test("two sets, the first of two subnets: exact result, exact files, and nothing but the bookkeeping after DEL", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      await writeFile(join(node.directory, "resolv.conf"), "nameserver 192.0.2.3\n");
      const config = network.config({
        ranges: [[{ subnet: "10.1.2.0/24" }, { subnet: "10.2.2.0/24" }], [{ subnet: "2001:db8:1::/64" }]],
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "192.168.0.0/16", gw: "1.1.1.1", mtu: 1400 }],
        resolvConf: join(node.directory, "resolv.conf"),
      });
      const added = await call(network, "ADD", config);
      expect(added.expectSuccess()).toEqual({
        cniVersion: "1.1.0",
        ips: [
          { address: "10.1.2.2/24", gateway: "10.1.2.1" },
          { address: "2001:db8:1::2/64", gateway: "2001:db8:1::1" },
        ],
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "192.168.0.0/16", gw: "1.1.1.1", mtu: 1400 }],
        dns: { nameservers: ["192.0.2.3"] },
      });
      expect(added.stderr, "the first use of a subnet is no news").toBe("");
      const files = ["10.1.2.2", "2001:db8:1::2", "last_reserved_ip.0", "last_reserved_ip.1", "lock"];
      expect(await network.files()).toEqual(files.toSorted());
      expect(await readFile(join(network.directory, "10.1.2.2"), "utf8")).toBe("dummy\r\neth0");
      expect(await readFile(join(network.directory, "last_reserved_ip.0"), "utf8")).toBe("10.1.2.2");
      (await call(network, "CHECK", config)).expectSuccess();
      (await call(network, "DEL", config)).expectSuccess();
      (await call(network, "DEL", config)).expectSuccess();
      expect(await network.addresses()).toEqual([]);
      expect((await call(network, "ADD", config)).expectSuccess().ips[0].address, "the next, not the same").toBe(
        "10.1.2.3/24",
      );
    });

    test("a repeated ADD is refused while the attachment may be in use", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      (await call(network, "ADD", config)).expectSuccess();
      (await call(network, "ADD", config)).expectError(
        101,
        /10\.1\.0\.2 has been allocated to dummy, duplicate allocation is not allowed\n.*dummy \(eth0\)/,
      );
      (await call(network, "ADD", config, "dummy", { ifName: "eth1" })).expectSuccess();
      expect(await network.addresses()).toEqual(["10.1.0.2", "10.1.0.3"]);
      (await call(network, "DEL", config)).expectSuccess();
      expect(await network.addresses()).toEqual(["10.1.0.3"]);
    });

    test("a repeated ADD after one that died gets the same address, until the interface has it", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      const sandbox = await node.sandbox();
      const add = async (): Promise<PluginCall> => await call(network, "ADD", config, "pod", { netns: sandbox.path });
      expect((await add()).expectSuccess().ips[0].address).toBe("10.1.0.2/29");
      expect((await add()).expectSuccess().ips[0].address, "no interface").toBe("10.1.0.2/29");
      await sandbox.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other"]);
      expect((await add()).expectSuccess().ips[0].address, "an interface without it").toBe("10.1.0.2/29");
      await sandbox.exec(["ip", "address", "add", "10.1.0.2/29", "dev", "eth0"]);
      (await add()).expectError(101, /duplicate allocation/);
      expect(await network.addresses()).toEqual(["10.1.0.2"]);
    });

    test("an exhausted set has a code of its own, names itself, and fails STATUS until something is released", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config({ ranges: [[{ subnet: "10.1.0.0/30" }], [{ subnet: "10.2.0.0/29" }]] });
      (await call(network, "STATUS", config)).expectSuccess();
      expect(await readdir(node.directory), "STATUS leaves nothing").not.toContain("networks");
      (await call(network, "ADD", config, "c1")).expectSuccess();
      (await call(network, "ADD", config, "c2")).expectError(
        100,
        /failed to allocate for range 0: no IP addresses available in range set: 10\.1\.0\.1-10\.1\.0\.2\n.*every address of range set 0 \(1 in all\)/,
      );
      expect(await network.addresses(), "all or nothing").toEqual(["10.1.0.2", "10.2.0.2"]);
      (await call(network, "STATUS", config)).expectError(50, /no IP addresses available in range set/);
      (await call(network, "DEL", config, "c1")).expectSuccess();
      (await call(network, "STATUS", config)).expectSuccess();
    });

    test("requested addresses come from all three places, and a taken one names its holder", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const ipam = { ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/24" }], [{ subnet: "fd00::/64" }]] };
      const config = network.config(ipam, {
        args: { cni: { ips: ["10.2.0.88"] } },
        runtimeConfig: { ips: ["fd00::88/64"] },
      });
      const args = { args: "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.1.0.88/24" };
      const result = (await call(network, "ADD", config, "c1", args)).expectSuccess();
      expect(result.ips.map((ip: { address: string }) => ip.address)).toEqual([
        "10.1.0.88/24",
        "10.2.0.88/24",
        "fd00::88/64",
      ]);
      const taken =
        /requested IP address 10\.1\.0\.88 is not available in range set 10\.1\.0\.1-10\.1\.0\.254\n.*c1 \(eth0\)/;
      (await call(network, "ADD", network.config(ipam), "c2", args)).expectError(101, taken);
      const outside = network.config(ipam, { args: { cni: { ips: ["172.16.0.5"] } } });
      (await call(network, "ADD", outside, "c3")).expectError(7, /failed to allocate all requested IPs: 172\.16\.0\.5/);
      expect(await network.addresses()).toHaveLength(3);
    });

    test("DEL releases where the configuration's ranges and CNI_ARGS became invalid, which the reference cannot", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      (await call(network, "ADD", network.config(small))).expectSuccess();
      (await call(network, "DEL", network.config({ ranges: [] }), "dummy", { args: "nonsense" })).expectSuccess();
      expect(await network.addresses()).toEqual([]);
      (await call(network, "DEL", network.config({ dataDir: "/nowhere" }))).expectSuccess();
    });

    test("DEL and CHECK know files of old releases; white space in files does not matter", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      await mkdir(network.directory, { recursive: true });
      await writeFile(join(network.directory, "10.1.0.5"), "old\n");
      await writeFile(join(network.directory, "10.1.0.6"), "  spaced\r\neth0  \n");
      const config = network.config(small);
      (await call(network, "CHECK", config, "old")).expectSuccess();
      (await call(network, "CHECK", config, "spaced")).expectSuccess();
      (await call(network, "CHECK", config, "unknown")).expectError(
        102,
        /Failed to find address added by container unknown/,
      );
      (await call(network, "DEL", config, "old")).expectSuccess();
      (await call(network, "DEL", config, "spaced")).expectSuccess();
      expect(await network.addresses()).toEqual([]);
    });

    test("CHECK compares prevResult with what is reserved, which the reference does not", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      (await call(network, "ADD", config)).expectSuccess();
      const prevResult = { cniVersion: "1.1.0", ips: [{ address: "10.1.0.4/29" }] };
      (await call(network, "CHECK", network.config(small, { prevResult }))).expectError(
        102,
        /10\.1\.0\.4 is not reserved/,
      );
    });

    test("GC releases what no valid attachment holds, and keeps old files of living containers", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      for (const id of ["alive", "dead"]) (await call(network, "ADD", config, id)).expectSuccess();
      await writeFile(join(network.directory, "10.1.0.4"), "alive");
      await writeFile(join(network.directory, "10.1.0.5"), "gone");
      const valid = (list: object[]): object => network.config(small, { "cni.dev/valid-attachments": list });
      (await call(network, "GC", valid([{ containerID: "alive", ifname: "eth0" }]))).expectSuccess();
      expect(await network.addresses()).toEqual(["10.1.0.2", "10.1.0.4"]);
      (await call(network, "GC", valid([]))).expectSuccess();
      expect(await network.addresses()).toEqual([]);
    });

    test("an empty file of a crash is reported and its address given again", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      await mkdir(network.directory, { recursive: true });
      await writeFile(join(network.directory, "10.1.0.2"), "");
      const added = await call(network, "ADD", network.config(small));
      expect(added.expectSuccess().ips[0].address).toBe("10.1.0.2/29");
      expect(added.stderr).toMatch(/10\.1\.0\.2 names no container/);
    });

    test("whoever holds an address is named with its interface, and since when", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      await mkdir(network.directory, { recursive: true });
      const file = join(network.directory, "10.1.0.4");
      await writeFile(file, "c9\r\nnet1");
      const config = network.config(small);
      const ages: readonly (readonly [number, string])[] = [
        [200, "3 minutes"],
        [7300, "2 hours"],
        [90_000, "1 day"],
      ];
      for (const [seconds, words] of ages) {
        const written = Date.now() / 1000 - seconds;
        await utimes(file, written, written);
        const holder = new RegExp(`held by container c9 \\(net1\\) for ${words}`);
        (await call(network, "ADD", config, "c1", { args: "IP=10.1.0.4" })).expectError(101, holder);
        (await call(network, "ADD", config, "c9", { ifName: "net1" })).expectError(101, holder);
      }
      expect(await network.addresses()).toEqual(["10.1.0.4"]);
    });

    test.each([
      ["inodes", "nr_inodes", "%c %d"],
      ["blocks", "nr_blocks", "%b %f"],
    ])("a disk that runs out of %s at any step: ADD fails and leaves nothing", async (what, option, format) => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const { dataDir } = network;
      const config = network.config({ ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd00::/64" }]] });
      await node.exec(["mkdir", dataDir]);
      await node.exec(["mount", "-t", "tmpfs", "tmpfs", dataDir]);
      const list = async (): Promise<string> =>
        await node.exec(["sh", "-c", `cd ${dataDir} && find . -type f | sort && sort .ferrule/pods/*@*`]);
      (await call(network, "ADD", config, "c1")).expectSuccess();
      const before = await list();
      let failures = 0;
      let outcome = 1;
      for (let free = 0; free < 10; free += 1) {
        const [total, unused] = (await node.exec(["stat", "-f", "-c", format, dataDir])).split(" ");
        await node.exec(["mount", "-o", `remount,${option}=${Number(total) - Number(unused) + free}`, dataDir]);
        const added = await call(network, "ADD", config, "c2");
        outcome = added.status;
        if (outcome !== 0) failures += 1;
        if (outcome !== 0) added.expectError(5, /Cannot reserve .*(network |networks\/)pods: ENOSPC/);
        else (await call(network, "DEL", config, "c2")).expectSuccess();
        expect(await list(), `${free} ${what} free, ADD ended with ${outcome}: ${added.stdout}`).toBe(before);
      }
      expect(failures).toBeGreaterThan(1);
      expect(outcome, "with enough of them it works").toBe(0);
    });

    test("what a killed ADD left beside the reservations goes with its DEL, with GC, and does not hinder its next ADD", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      const index = join(network.dataDir, ".ferrule/pods");
      const leave = async (id: string): Promise<void> => await writeFile(join(index, `eth0@${id}~new`), "half");
      const files = async (): Promise<string[]> => (await readdir(index)).toSorted();
      (await call(network, "ADD", config, "c1")).expectSuccess();
      for (const id of ["c1", "c2", "c3"]) await leave(id);
      (await call(network, "ADD", config, "c2")).expectSuccess();
      expect(await files()).toEqual(["complete", "eth0@c1", "eth0@c1~new", "eth0@c2", "eth0@c3~new"]);
      (await call(network, "DEL", config, "c1")).expectSuccess();
      expect(await files()).toEqual(["complete", "eth0@c2", "eth0@c3~new"]);
      const valid = { "cni.dev/valid-attachments": [{ containerID: "c2", ifname: "eth0" }] };
      (await call(network, "GC", network.config(small, valid))).expectSuccess();
      (await call(network, "DEL", config, "c2")).expectSuccess();
      expect(await files(), "nothing of any attachment").toEqual(["complete"]);
      expect(await readdir(network.dataDir)).toEqual([".ferrule", "pods"]);
    });

    test("the wait for the lock ends at the deadline and names the holder", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      await mkdir(network.directory, { recursive: true });
      const lock = join(network.directory, "lock");
      await writeFile(lock, "");
      const holder = node.background(["flock", "--no-fork", lock, "sh", "-c", "echo locked; exec sleep 60"]);
      await holder.waitFor(/locked/);
      const config = network.config(small);
      (await call(network, "ADD", config, "c1", { env: { FERRULE_DEADLINE: "1" } })).expectError(11, /held by/);
      (await call(network, "STATUS", config)).expectError(50, /held by/);
      expect(await network.addresses()).toEqual([]);
    });

    test("containers that come at once get addresses of their own", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config({ ranges: [[{ subnet: "10.1.0.0/24" }]] });
      const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
      const calls = await Promise.all(ids.map((id) => call(network, "ADD", config, id)));
      expect(new Set(calls.map((each) => each.expectSuccess().ips[0].address)).size).toBe(20);
      await Promise.all(ids.map(async (id) => (await call(network, "DEL", config, id)).expectSuccess()));
      expect(await network.addresses()).toEqual([]);
    });

    test("ADD and DEL open no other reservation, however many there are", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config({ ranges: [[{ subnet: "10.1.0.0/16" }]] });
      (await call(network, "ADD", config, "first")).expectSuccess();
      for (let index = 0; index < 300; index++) {
        const name = `10.1.${100 + Math.floor(index / 200)}.${index % 200}`;
        await writeFile(join(network.directory, name), `other${index}\r\neth0`);
      }
      (await call(network, "ADD", config, "second")).expectSuccess();
      for (const verb of ["ADD", "DEL"] as const) {
        const trace = join(node.directory, `${verb}.trace`);
        const wrapper = ["strace", "-f", "-e", "trace=open,openat", "-o", trace];
        const variables = { containerId: "third", ifName: "eth0", netns: "/some/where", wrapper };
        (await callPlugin(node, suite, "host-local", verb, config, variables)).expectSuccess();
        expect(await readFile(trace, "utf8")).not.toMatch(/pods\/10\.1\.10[0-9]\./);
      }
    });

    test.skipIf(referenceMissing() !== undefined)("the reference and this suite work on one directory", async () => {
      await using node = await TestNode.create();
      const network = new Network(node);
      const config = network.config(small);
      const theirs = async (verb: Verb, id: string): Promise<PluginCall> =>
        await call(network, verb, config, id, {}, reference);
      const ours = async (verb: Verb, id: string): Promise<PluginCall> => await call(network, verb, config, id);
      (await theirs("ADD", "a")).expectSuccess();
      (await ours("ADD", "b")).expectSuccess();
      (await theirs("ADD", "c")).expectSuccess();
      expect(await network.addresses()).toEqual(["10.1.0.2", "10.1.0.3", "10.1.0.4"]);
      (await ours("ADD", "a")).expectError(101, /duplicate allocation/);
      expect((await theirs("ADD", "b")).stdout).toMatch(/duplicate allocation/);
      for (const id of ["a", "b", "c"]) {
        (await ours("CHECK", id)).expectSuccess();
        (await theirs("CHECK", id)).expectSuccess();
      }
      (await theirs("DEL", "b")).expectSuccess();
      (await ours("DEL", "a")).expectSuccess();
      (await ours("DEL", "c")).expectSuccess();
      expect(await network.addresses()).toEqual([]);
      // A directory whose time somebody set to ours, and an index that knows nothing of its content, still read right.
      (await ours("ADD", "d")).expectSuccess();
      await utimes(network.directory, 1, 1);
      (await ours("DEL", "d")).expectSuccess();
      expect(await network.addresses()).toEqual([]);
    });
  });
}
