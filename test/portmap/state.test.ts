/** What portmap keeps in the kernel: who holds a port, what is removed and when, and how little is run for it. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { inject } from "../helpers/faults.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { callPlugin, type Json } from "../helpers/plugin.ts";
import { expectSame, expectSameEventually, snapshot } from "../helpers/snapshot.ts";
import { followedFor } from "../lifecycle/stage.ts";
import { MappedNode } from "./mapped-node.ts";

const web = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const dns = { hostPort: 5300, containerPort: 53, protocol: "udp" };

/** An ADD of portmap alone for a container whose address is made up: the rules do not need it to exist. */
function alone(name: string, index: number, mappings: readonly object[], options: object = {}): Json {
  const address = `10.9.${Math.floor(index / 200)}.${(index % 200) + 2}/16`;
  return {
    cniVersion: "1.1.0",
    name,
    type: "portmap",
    runtimeConfig: { portMappings: mappings },
    prevResult: { cniVersion: "1.1.0", ips: [{ address }] },
    ...options,
  };
}

describe.each(engines)("$name", (engine) => {
  const call = (lab: MappedNode, verb: string, containerId: string, config: Json, netns = "/run/netns/none") =>
    callPlugin(lab.node, engine, "portmap", verb, config, { containerId, netns, ifName: "eth0" });

  test("a taken port is refused with its holder's name, and nothing of the refused container is left", async () => {
    await using lab = await MappedNode.create(engine);
    const network = lab.network([
      [web, dns],
      [dns, { ...web, hostPort: 8081 }],
    ]);
    const holder = await network.container("holder");
    await network.add(holder);
    const rules = await lab.node.exec(["nft", "list", "ruleset"]);
    const late = await network.container("late");
    await network.add(late, 1);
    const error = (await network.addOne(1, late)).expectError(101, /5300\/udp/);
    expect(error.msg).toContain("container holder (eth0, network testnet)");
    expect(await lab.node.exec(["nft", "list", "ruleset"])).toBe(rules);
    await network.del(holder);
    (await network.addOne(1, late)).expectSuccess();
  });

  test("the ports of a container whose namespace is gone may be taken, and its late DEL does not take them back", async () => {
    await using lab = await MappedNode.create(engine);
    const network = lab.network([[web], [web]]);
    const dead = await network.container("dead");
    await network.add(dead);
    await dead.sandbox.remove();
    const heir = await network.container("heir");
    await network.add(heir);
    await network.check(heir);
    await network.del(dead);
    await network.check(heir);
  });

  test("a repeated ADD replaces what the attachment had", async () => {
    await using lab = await MappedNode.create(engine);
    await lab.node.exec(["true"]);
    (await call(lab, "ADD", "c", alone("net", 0, [web, dns]))).expectSuccess();
    (await call(lab, "ADD", "c", alone("net", 1, [web]))).expectSuccess();
    const rules = await lab.node.exec(["nft", "list", "ruleset"]);
    expect(rules).toContain(": 10.9.0.3 . 80");
    expect(rules).not.toContain("10.9.0.2");
    expect(rules).not.toContain("5300");
    (await call(lab, "CHECK", "c", alone("net", 1, [web]))).expectSuccess();
  });

  test.each(["nftables", "iptables"])(
    "%s: DEL without mappings and prevResult removes all, and again nothing",
    async (backend) => {
      await using lab = await MappedNode.create(engine);
      const config = alone("net", 0, [web, dns], { backend });
      // What iptables' backend shares stays, as in the reference.
      (await call(lab, "ADD", "first", config)).expectSuccess();
      (await call(lab, "DEL", "first", config)).expectSuccess();
      const before = await snapshot(lab.node);
      (await call(lab, "ADD", "c", config)).expectSuccess();
      (await call(lab, "CHECK", "c", config)).expectSuccess();
      const bare = { cniVersion: "1.1.0", name: "net", type: "portmap" };
      for (const _ of [1, 2]) (await call(lab, "DEL", "c", bare, "")).expectSuccess();
      expectSame(await snapshot(lab.node), before);
    },
  );

  test("the last one out takes the table along, and an attachment of another network stays", async () => {
    await using lab = await MappedNode.create(engine);
    (await call(lab, "ADD", "c", alone("one", 0, [web]))).expectSuccess();
    (await call(lab, "ADD", "c", alone("two", 1, [dns]))).expectSuccess();
    (await call(lab, "DEL", "c", alone("one", 0, []))).expectSuccess();
    (await call(lab, "CHECK", "c", alone("two", 1, [dns]))).expectSuccess();
    (await call(lab, "DEL", "c", alone("two", 1, []))).expectSuccess();
    expect(await lab.node.exec(["nft", "list", "tables"])).toBe("");
  });

  test("nothing is executed on the way of nftables, nor by a DEL that finds nothing", async () => {
    await using lab = await MappedNode.create(engine);
    const trace = join(lab.node.directory, "trace");
    for (const verb of ["ADD", "CHECK", "DEL", "DEL"]) {
      const traced = await callPlugin(lab.node, engine, "portmap", verb, alone("net", 0, [web, dns]), {
        containerId: "c",
        netns: "/run/netns/none",
        ifName: "eth0",
        wrapper: ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace],
      });
      traced.expectSuccess();
      expect((await readFile(trace, "utf8")).match(/execve\(/g), verb).toHaveLength(1);
    }
  });

  test("a kernel that fails to answer is not taken for one without nf_tables", async () => {
    await using lab = await MappedNode.create(engine);
    const wrapper = inject({ kind: "error", call: "sendto", errno: "ENOBUFS", lasts: true }, 1, followedFor(engine));
    const before = await snapshot(lab.node);
    const bare = { cniVersion: "1.1.0", name: "net", type: "portmap" };
    const status = await callPlugin(lab.node, engine, "portmap", "STATUS", bare, { wrapper });
    status.expectError(50, /portmap cannot use nftables: .*ENOBUFS.*\n.*short of memory/);
    const variables = { containerId: "c", netns: "/run/netns/none", ifName: "eth0", wrapper };
    const added = await callPlugin(lab.node, engine, "portmap", "ADD", alone("net", 0, [web]), variables);
    added.expectError(5, /ENOBUFS.*\n.*short of memory/);
    expectSame(await snapshot(lab.node), before);
  });

  test("a lost table is built again by the next ADD, and CHECK tells whose mappings are gone", async () => {
    await using lab = await MappedNode.create(engine);
    (await call(lab, "ADD", "a", alone("net", 0, [web]))).expectSuccess();
    await lab.node.exec(["nft", "flush", "ruleset"]);
    (await call(lab, "CHECK", "a", alone("net", 0, [web]))).expectError(102);
    (await call(lab, "ADD", "b", alone("net", 1, [dns]))).expectSuccess();
    (await call(lab, "CHECK", "b", alone("net", 1, [dns]))).expectSuccess();
    (await call(lab, "CHECK", "a", alone("net", 0, [web]))).expectError(102, /8080/);
    (await call(lab, "ADD", "a", alone("net", 0, [web]))).expectSuccess();
    (await call(lab, "CHECK", "a", alone("net", 0, [web]))).expectSuccess();
  });

  const isOpen = async (lab: MappedNode): Promise<boolean> =>
    (await lab.node.exec(["cat", "/proc/sys/net/ipv4/conf/cni22/route_localnet"])) === "1\n";

  describe.each(["nftables", "iptables"])(
    "%s: after a flush of all rules, which takes along the guard of 127.0.0.0/8",
    (backend) => {
      test("the next ADD guards again, and the last DEL closes the interface", async () => {
        await using lab = await MappedNode.create(engine);
        const network = lab.network([[web], [dns]], { backend });
        const one = await network.container("one");
        await network.add(one);
        await lab.node.exec(["nft", "flush", "ruleset"]);
        const two = await network.container("two");
        await network.add(two);
        await network.del(one);
        expect(await isOpen(lab), "the second container's mapping needs it").toBe(true);
        await network.del(two);
        expect(await isOpen(lab)).toBe(false);
        expect(await lab.node.exec(["nft", "list", "ruleset"])).not.toMatch(/ferrule|FERRULE/);
      });

      test("the container's DEL closes the interface", async () => {
        await using lab = await MappedNode.create(engine);
        const network = lab.network([[web]], { backend });
        const container = await network.container("container");
        await network.add(container);
        await lab.node.exec(["nft", "flush", "ruleset"]);
        expect(await isOpen(lab)).toBe(true);
        await network.del(container);
        expect(await isOpen(lab)).toBe(false);
      });

      test("what the node has on by default stays on", async () => {
        await using lab = await MappedNode.create(engine);
        await lab.node.exec(["sysctl", "-qw", "net.ipv4.conf.default.route_localnet=1"]);
        const network = lab.network([[web], [web]], { backend });
        for (const name of ["one", "two"]) {
          const container = await network.container(name);
          await network.add(container);
          await lab.node.exec(["nft", "flush", "ruleset"]);
          await network.del(container);
          expect(await isOpen(lab)).toBe(true);
        }
      });
    },
  );

  describe("iptables: what keeps others from 127.0.0.0/8", () => {
    const raw = (lab: MappedNode): Promise<string> => lab.node.exec(["iptables-save", "-t", "raw"]);
    const iptables = { backend: "iptables" };

    test.each(["DEL", "GC"])(
      "is shared, and goes with the last mapping's %s, which closes the interface",
      async (verb) => {
        await using lab = await MappedNode.create(engine);
        const network = lab.network([[web], [dns]], iptables);
        const one = await network.container("one");
        const two = await network.container("two");
        await network.add(one);
        const guard = await raw(lab);
        expect(guard).toMatch(/-A PREROUTING -d 127\.0\.0\.0\/8 ! -i lo .* -j FERRULE-PORTMAP/);
        await network.add(two);
        const leave = async (container: TestAttachment, rest: readonly TestAttachment[]): Promise<void> =>
          verb === "DEL" ? network.del(container) : network.gc(rest);
        await leave(one, [two]);
        expect([rulesIn(await raw(lab)), await isOpen(lab)]).toEqual([rulesIn(guard), true]);
        await network.check(two);
        await leave(two, []);
        expect([rulesIn(await raw(lab)), await isOpen(lab)]).toEqual([[], false]);
      },
    );

    const losses = [
      { command: "iptables -t raw -F PREROUTING", isNoticed: true },
      { command: "iptables -t raw -F FERRULE-PORTMAP", isNoticed: true },
      // As a node where all mappings are the reference's, which has no guard.
      { command: "nft delete table ip raw", isNoticed: false },
    ];

    test.each(losses)("any ADD mends $command, and CHECK notices it: $isNoticed", async ({ command, isNoticed }) => {
      await using lab = await MappedNode.create(engine);
      const network = lab.network([[web], [dns]], iptables);
      const one = await network.container("one");
      await network.add(one);
      const before = rulesIn(await raw(lab));
      await lab.node.exec(command.split(" "));
      const check = await network.checkOne(1, one);
      if (isNoticed) check.expectError(102, /127\.0\.0\.0\/8|localhost/);
      else check.expectSuccess();
      await network.add(await network.container("two"));
      expect(rulesIn(await raw(lab))).toEqual(expect.arrayContaining(before.filter((line) => / -j /.test(line))));
      await network.check(one);
    });

    test("forgets an interface that a container has for itself as it leaves", async () => {
      await using lab = await MappedNode.create(engine);
      const ipam = { type: "host-local", subnet: "10.22.0.0/24" };
      const network = new TestNetwork(lab.node, "1.1.0", [
        { suite: engine, config: { type: "ptp", ipam } },
        {
          suite: engine,
          config: { type: "portmap", ...iptables },
          runtimeConfig: (index) => ({ portMappings: [{ ...web, hostPort: 8080 + index }] }),
        },
      ]);
      const lasting = await network.container("lasting");
      await network.add(lasting);
      const before = await snapshot(lab.node);
      for (const leave of ["DEL", "GC"]) {
        const container = await network.container(leave);
        await network.add(container);
        const end = container.result.interfaces[0].name;
        expect(await raw(lab)).toContain(`-i ${end} `);
        if (leave === "DEL") {
          (await network.delOne(1, container)).expectSuccess();
          expect(await lab.node.exec(["cat", `/proc/sys/net/ipv4/conf/${end}/route_localnet`])).toBe("0\n");
          await network.del(container);
        } else {
          await network.gc([lasting]);
        }
        await expectSameEventually(() => snapshot(lab.node), before, leave);
      }
    });

    test("the backends share an interface: it stays open until neither needs it", async () => {
      for (const [first, second] of [
        ["iptables", "nftables"],
        ["nftables", "iptables"],
      ]) {
        await using lab = await MappedNode.create(engine);
        const before = lab.network([[web]], { backend: first });
        const after = lab.network([[], [dns]], { backend: second });
        const one = await before.container("one");
        await before.add(one);
        await after.container("none");
        const two = await after.container("two");
        await after.add(two);
        await before.del(one);
        expect(await isOpen(lab), `${first} went`).toBe(true);
        await after.check(two);
        await after.del(two);
        expect(await isOpen(lab), `${second} went`).toBe(false);
      }
    });

    test("without the table raw nothing is opened: ADD fails and says what to load", async () => {
      await using lab = await MappedNode.create(engine);
      const script =
        '#!/bin/sh\n[ "$2" != raw ] || { echo "Table does not exist" >&2; exit 3; }\nexec /usr/sbin/iptables-save "$@"\n';
      await writeFile(join(lab.node.directory, "iptables-save"), script, { mode: 0o755 });
      const network = lab.network([[web]], iptables);
      const container = await network.container("container");
      await network.add(container, 1);
      const before = await snapshot(lab.node);
      const env = { PATH: `${lab.node.directory}:/usr/sbin:/usr/bin:/bin` };
      (await network.addOne(1, container, { env })).expectError(5, /table raw.*Table does not exist\n.*iptable_raw/s);
      expectSame(await snapshot(lab.node), before);
      expect(await isOpen(lab)).toBe(false);
    });
  });

  test("CHECK notices that route_localnet was switched off", async () => {
    await using lab = await MappedNode.create(engine);
    const network = lab.network([[web]]);
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    await lab.node.exec(["sysctl", "-qw", "net.ipv4.conf.cni22.route_localnet=0"]);
    (await network.checkOne(1, container)).expectError(102, /127\.0\.0\.1.*cni22\/route_localnet is 0/);
  });

  const sabotage: readonly (readonly string[])[] = [
    ["flush", "chain", "inet", "ferrule_portmap", "hostports"],
    ["flush", "chain", "inet", "ferrule_portmap", "guard"],
    ["flush", "chain", "inet", "ferrule_portmap", "neighbours"],
    ["flush", "map", "inet", "ferrule_portmap", "ports4"],
    ["flush", "set", "inet", "ferrule_portmap", "local4"],
    ["delete", "element", "inet", "ferrule_portmap", "ports4", "{ udp . 5300 }"],
  ];

  test.each(sabotage)("CHECK notices nft %s %s %s %s %s, and ADD mends it", async (...argv) => {
    await using lab = await MappedNode.create(engine);
    (await call(lab, "ADD", "c", alone("net", 0, [web, dns]))).expectSuccess();
    await lab.node.exec(["nft", ...argv]);
    (await call(lab, "CHECK", "c", alone("net", 0, [web, dns]))).expectError(102);
    (await call(lab, "ADD", "c", alone("net", 0, [web, dns]))).expectSuccess();
    (await call(lab, "CHECK", "c", alone("net", 0, [web, dns]))).expectSuccess();
  });

  test.each(["nftables", "iptables"])("%s: GC removes the dead of this network and nobody else", async (backend) => {
    await using lab = await MappedNode.create(engine);
    const options = { backend };
    const live = alone("net", 0, [web], options);
    const other = alone("other", 1, [{ ...web, hostPort: 9090 }], options);
    (await call(lab, "ADD", "live", live)).expectSuccess();
    (await call(lab, "ADD", "stranger", other)).expectSuccess();
    const before = await snapshot(lab.node);
    (await call(lab, "ADD", "dead", alone("net", 2, [dns], options))).expectSuccess();
    const valid = [{ containerID: "live", ifname: "eth0" }];
    (await call(lab, "GC", "", { ...alone("net", 0, []), "cni.dev/valid-attachments": valid })).expectSuccess();
    expectSame(await snapshot(lab.node), before, "the dead container's mappings are gone");
    (await call(lab, "CHECK", "live", live)).expectSuccess();
  });

  test.each(["nftables", "iptables"])(
    "%s: a container's name longer than a rule's comment changes nothing: CHECK, a repeated ADD, DEL and GC find its rules",
    async (backend) => {
      await using lab = await MappedNode.create(engine);
      const options = { backend };
      const alive = "a".repeat(300);
      const dead = "b".repeat(300);
      const live = alone("net", 0, [web], options);
      const passing = alone("net", 1, [dns], options);
      for (const verb of ["ADD", "CHECK"]) (await call(lab, verb, alive, live)).expectSuccess();
      const before = await snapshot(lab.node);
      for (const verb of ["ADD", "ADD", "CHECK", "DEL"]) (await call(lab, verb, dead, passing)).expectSuccess();
      expectSame(await snapshot(lab.node), before);
      (await call(lab, "ADD", dead, passing)).expectSuccess();
      const valid = [{ containerID: alive, ifname: "eth0" }];
      (await call(lab, "GC", "", { ...alone("net", 0, []), "cni.dev/valid-attachments": valid })).expectSuccess();
      expectSame(await snapshot(lab.node), before);
      (await call(lab, "CHECK", alive, live)).expectSuccess();
    },
  );

  test("a hundred at once all have their ports, and all leave", async () => {
    await using lab = await MappedNode.create(engine);
    const numbers = Array.from({ length: 100 }, (_, at) => at);
    const config = (at: number): Json => alone("net", at, [{ ...web, hostPort: 9000 + at }]);
    for (const each of await Promise.all(numbers.map((at) => call(lab, "ADD", `c${at}`, config(at)))))
      each.expectSuccess();
    const map = await lab.node.exec(["nft", "list", "map", "inet", "ferrule_portmap", "ports4"]);
    expect(map.match(/tcp \. 9\d\d\d/g)).toHaveLength(100);
    for (const each of await Promise.all(numbers.map((at) => call(lab, "DEL", `c${at}`, config(at)))))
      each.expectSuccess();
    expect(await lab.node.exec(["nft", "list", "tables"])).toBe("");
  });

  test("with ten thousand other mappings, ADD, CHECK and DEL ask for no list of them", async () => {
    await using lab = await MappedNode.create(engine);
    (await call(lab, "ADD", "keeper", alone("net", 0, [web]))).expectSuccess();
    const elements = (at: number): string => `tcp . ${10000 + at} : 10.8.${Math.floor(at / 200)}.${at % 200} . 80`;
    const rows = Array.from({ length: 10_000 }, (_, at) => elements(at)).join(", ");
    await lab.node.exec(["nft", "-f", "-"], { stdin: `add element inet ferrule_portmap ports4 { ${rows} }` });
    const config = alone("net", 1, [{ ...web, hostPort: 8088 }]);
    const trace = join(lab.node.directory, "trace");
    for (const verb of ["ADD", "CHECK", "DEL"]) {
      const wrapper = ["strace", "-f", "-qq", "-e", "trace=recvfrom", "-e", "signal=none", "-o", trace];
      const variables = { containerId: "c", netns: "/run/netns/none", ifName: "eth0", wrapper };
      (await callPlugin(lab.node, engine, "portmap", verb, config, variables)).expectSuccess();
      let received = 0;
      for (const [, count] of (await readFile(trace, "utf8")).matchAll(/= (\d+)$/gm)) received += Number(count);
      expect(received, `bytes that ${verb} was sent by the kernel`).toBeLessThan(60_000);
    }
    (await call(lab, "DEL", "keeper", alone("net", 0, [web]))).expectSuccess();
  });

  test("behind ptp every container has an interface of its own, which no trace of stays", async () => {
    await using lab = await MappedNode.create(engine);
    const { node } = lab;
    const ipam = { type: "host-local", subnet: "10.22.0.0/24" };
    const network = new TestNetwork(node, "1.1.0", [
      { suite: engine, config: { type: "ptp", ipam } },
      {
        suite: engine,
        config: { type: "portmap" },
        runtimeConfig: (index) => ({ portMappings: [{ ...web, hostPort: 8080 + index }] }),
      },
    ]);
    const lasting = await network.container("lasting");
    await network.add(lasting);
    const before = await snapshot(node);
    for (const leave of ["DEL", "GC", "killed"]) {
      const container = await network.container(leave);
      await network.add(container);
      expect((await snapshot(node)).lines).not.toEqual(before.lines);
      if (leave === "killed") await container.sandbox.remove();
      if (leave === "DEL") await network.del(container);
      else await network.gc([lasting]);
      await expectSameEventually(() => snapshot(node), before, leave);
    }
    const passing = await network.container("passing");
    await network.add(passing);
    const end = passing.result.interfaces[0].name;
    passing.result = (await network.addOne(1, passing)).expectSuccess();
    (await network.delOne(1, passing)).expectSuccess();
    expect(await node.exec(["cat", `/proc/sys/net/ipv4/conf/${end}/route_localnet`]), "after a repeated ADD").toBe(
      "0\n",
    );
    await network.del(passing);
    expectSame(await snapshot(node), before);
  });

  test("of many that want one port at once, one has it", async () => {
    await using lab = await MappedNode.create(engine);
    const numbers = Array.from({ length: 20 }, (_, at) => at);
    const netns = (await lab.node.sandbox()).path;
    const calls = await Promise.all(numbers.map((at) => call(lab, "ADD", `c${at}`, alone("net", at, [web]), netns)));
    expect(calls.filter((each) => each.status === 0)).toHaveLength(1);
    for (const each of calls) if (each.status !== 0) each.expectError(101, /8080\/tcp.*held by container c\d+/);
  });

  test.skipIf(!existsSync("/usr/sbin/iptables-legacy-save"))(
    "an iptables of the older variant is used where the host has it, and its rules are found where it has not",
    async () => {
      await using lab = await MappedNode.create(engine);
      for (const name of ["iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"]) {
        await lab.node.exec([
          "ln",
          "-s",
          `/usr/sbin/${name.replace("tables-", "tables-legacy-")}`,
          join(lab.node.directory, name),
        ]);
      }
      const config = alone("net", 0, [web, dns], { backend: "iptables" });
      const variables = {
        containerId: "c",
        netns: "/run/netns/none",
        ifName: "eth0",
        env: { PATH: lab.node.directory },
      };
      (await callPlugin(lab.node, engine, "portmap", "ADD", config, variables)).expectSuccess();
      (await callPlugin(lab.node, engine, "portmap", "CHECK", config, variables)).expectSuccess();
      expect(await lab.node.exec(["iptables-legacy-save", "-t", "nat"])).toContain("--to-destination 10.9.0.2:80");
      expect(await lab.node.exec(["nft", "list", "tables"])).toBe("");
      (await call(lab, "DEL", "c", { cniVersion: "1.1.0", name: "net", type: "portmap" })).expectSuccess();
      expect(await lab.node.exec(["iptables-legacy-save", "-t", "nat"])).not.toContain("CNI-DN-");
    },
  );

  test("STATUS says which backend is used, and 50 where it cannot be", async () => {
    await using lab = await MappedNode.create(engine);
    const status = (options: object, env: Record<string, string> = {}) =>
      callPlugin(
        lab.node,
        engine,
        "portmap",
        "STATUS",
        { cniVersion: "1.1.0", name: "net", type: "portmap", ...options },
        { env },
      );
    expect((await status({})).stderr).toMatch(/backend is nftables/);
    expect((await status({ markMasqBit: 5 })).stderr).toMatch(/backend is iptables/);
    const unprivileged = await callPlugin(
      lab.node,
      engine,
      "portmap",
      "STATUS",
      { cniVersion: "1.1.0", name: "net", type: "portmap", backend: "nftables" },
      { wrapper: ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"] },
    );
    unprivileged.expectError(50, /nftables.*CAP_NET_ADMIN/s);
  });

  describe.skipIf(referenceMissing() !== undefined)("with the reference suite", () => {
    test.each(["nftables", "iptables"])("what its %s made, our DEL removes", async (backend) => {
      await using lab = await MappedNode.create(engine);
      const network = lab.network(
        [
          [web, dns],
          [web, dns],
        ],
        { backend },
        reference,
      );
      const first = await network.container("first");
      await network.add(first);
      await network.del(first);
      const before = await snapshot(lab.node);
      const second = await network.container("second");
      await network.add(second, 1);
      const bridged = await snapshot(lab.node);
      await network.addOne(1, second);
      await ours(lab, second, "DEL");
      expectSame(withoutLocalnet(await snapshot(lab.node)), withoutLocalnet(bridged));
      await network.del(second);
      expectSame(withoutLocalnet(await snapshot(lab.node)), withoutLocalnet(before));
    });

    test.each(["nftables", "iptables"])(
      "what its %s made, our CHECK accepts as long as it is there",
      async (backend) => {
        await using lab = await MappedNode.create(engine);
        const mappings = [web, dns, { ...web, hostPort: 8081, hostIP: "192.0.2.1" }];
        const theirs = lab.network([mappings], { backend }, reference);
        const ours = lab.network([mappings]);
        const container = await theirs.container("container");
        await theirs.add(container);
        await ours.check(container);
        if (backend === "nftables") await lab.node.exec(["nft", "flush", "chain", "ip6", "cni_hostport", "hostports"]);
        else await lab.node.exec(["ip6tables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"]);
        (await ours.checkOne(1, container)).expectError(102, /8080\/tcp.*missing/);
      },
    );

    test.each(["nftables", "iptables"])(
      "a port that its %s holds is refused, and what leads to the container's own address replaced",
      async (backend) => {
        await using lab = await MappedNode.create(engine);
        const theirs = lab.network([[web]], { backend }, reference);
        const ours = lab.network([[{ ...web, hostIP: "192.0.2.1" }], [web]]);
        const holder = await theirs.container("holder");
        await theirs.add(holder);
        const before = await snapshot(lab.node);
        const late = await ours.container("late");
        await ours.add(late, 1);
        (await ours.addOne(1, late)).expectError(101, /192\.0\.2\.1:8080\/tcp: it is held by container holder/);
        await ours.del(late);
        expectSame(await snapshot(lab.node), before);
        // As after a DEL that never came to portmap: another container has the address now.
        const heir = await ours.container("heir");
        heir.result = holder.result;
        (await ours.addOne(1, heir)).expectSuccess();
        expect(await lab.node.exec(["sh", "-c", "nft list ruleset; iptables-save"])).not.toMatch(/holder|dnat to 10/);
        (await ours.checkOne(1, heir)).expectSuccess();
      },
    );

    test("DEL on one network, and a failing ADD, leave what its nftables made for the container on another", async () => {
      await using lab = await MappedNode.create(engine);
      const { node } = lab;
      const theirs = lab.network([[web]], { backend: "nftables" }, reference);
      const other = lab.network([[dns]], { backend: "nftables" }, reference, "other");
      const one = await theirs.container("container");
      await theirs.add(one);
      const before = await node.exec(["nft", "list", "ruleset"]);
      const two = await other.container("container", "eth1", one.sandbox);
      await other.add(two);
      const ours = lab.network([[dns]], {}, engine, "other");
      (await ours.delOne(1, two)).expectSuccess();
      expect(await node.exec(["nft", "list", "ruleset"])).toBe(before);
      await node.exec(["sysctl", "-qw", "net.ipv4.conf.cni23.route_localnet=0"]);
      // The sysctl cannot be written, which is the last that ADD does.
      await node.exec(["mount", "--bind", "-o", "ro", "/proc/sys", "/proc/sys"]);
      await node.exec(["mount", "-o", "remount,ro,bind", "/proc/sys"]);
      (await ours.addOne(1, two)).expectError(5, /read-only/i);
      expect(await node.exec(["nft", "list", "ruleset"])).toBe(before);
    });

    test.each(["nftables", "iptables"])(
      "the last DEL here leaves the way from 127.0.0.1 to a container that its %s has mapped",
      async (backend) => {
        await using lab = await MappedNode.create(engine);
        const own = lab.network([[dns]]);
        const theirs = lab.network([[], [web]], { backend }, reference);
        const mine = await own.container("mine");
        await own.add(mine);
        await theirs.container("none");
        const other = await theirs.container("other");
        await theirs.add(other);
        await lab.serve(other.sandbox, "theirs", 80);
        await lab.ready(other, 80);
        expect(await lab.ask(lab.node, "127.0.0.1", 8080)).toMatch(/^theirs/);
        await own.del(mine);
        expect(await lab.node.exec(["nft", "list", "tables"])).not.toContain("ferrule_portmap");
        expect(await lab.ask(lab.node, "127.0.0.1", 8080)).toMatch(/^theirs/);
      },
    );

    test("in iptables either suite's mappings outlive the other's, and with the last DEL of ours nothing is open and unguarded", async () => {
      await using lab = await MappedNode.create(engine);
      const options = { backend: "iptables" };
      const own = lab.network([[web]], options);
      const theirs = lab.network([[], [dns]], options, reference);
      const mine = await own.container("mine");
      await own.add(mine);
      await theirs.container("none");
      const other = await theirs.container("other");
      await theirs.add(other);
      await own.del(mine);
      await theirs.check(other);
      expect(await lab.node.exec(["iptables-save", "-t", "raw"]), "as long as the reference's mapping").toMatch(
        /-j DROP/,
      );
      expect(await isOpen(lab)).toBe(true);
      (await ours(lab, other, "DEL")).expectSuccess();
      expect(rulesIn(await lab.node.exec(["iptables-save", "-t", "raw"]))).toEqual([]);
      expect(await isOpen(lab)).toBe(false);
      const again = await own.container("again");
      await own.add(again, 1);
      (
        await own.call(1, "ADD", again, { prevResult: again.result, runtimeConfig: { portMappings: [web] } })
      ).expectSuccess();
      await theirs.delOne(1, again);
      expect(await lab.node.exec(["iptables-save", "-t", "raw"]), "the reference does not know it").toMatch(/-j DROP/);
      await own.gc([]);
      expect(rulesIn(await lab.node.exec(["iptables-save", "-t", "raw"]))).toEqual([]);
    });

    test("what our iptables made, its CHECK accepts and its DEL removes", async () => {
      await using lab = await MappedNode.create(engine);
      const mappings = [
        web,
        dns,
        { ...web, hostPort: 8081, hostIP: "192.0.2.1" },
        { ...web, hostPort: 8082, hostIP: "::" },
      ];
      const network = lab.network([mappings], { backend: "iptables" }, reference);
      const container = await network.container("container");
      await network.add(container, 1);
      container.result = (await ours(lab, container, "ADD", mappings)).expectSuccess();
      await network.check(container);
      (await ours(lab, container, "CHECK", mappings)).expectSuccess();
      await network.del(container);
      expect(await lab.node.exec(["iptables-save", "-t", "nat"])).not.toContain("CNI-DN-");
      expect(await lab.node.exec(["ip6tables-save", "-t", "nat"])).not.toContain("CNI-DN-");
    });

    function ours(lab: MappedNode, container: TestAttachment, verb: string, mappings: readonly object[] = []) {
      const config = {
        cniVersion: "1.1.0",
        name: "testnet",
        type: "portmap",
        ...(verb === "DEL" ? {} : { backend: "iptables", prevResult: container.result }),
        runtimeConfig: { portMappings: mappings },
      };
      const { containerId, ifName, sandbox } = container;
      return callPlugin(lab.node, engine, "portmap", verb, config, { containerId, ifName, netns: sandbox });
    }
  });
});

/** Rules and chains of iptables-save's text. */
function rulesIn(saved: string): string[] {
  return saved.split("\n").filter((line) => /^(-A|:[A-Z-]+ -)/.test(line));
}

/** The reference leaves route_localnet on. */
function withoutLocalnet(state: { readonly lines: readonly string[] }): { readonly lines: readonly string[] } {
  return { lines: state.lines.filter((line) => !line.includes("route_localnet")) };
}
