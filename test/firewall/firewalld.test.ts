/** firewall with a real firewalld: what it is told, what it forgets, and what becomes of packets. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, type Snapshot, snapshot } from "../helpers/snapshot.ts";
import { addressOf, chosenBackend, FIREWALL, reaches } from "./firewall-node.ts";
import { FirewalldNode, firewalldMissing } from "./firewalld-node.ts";

const bare = { cniVersion: "1.1.0", name: "net22", type: "firewall" };

/** Without firewalld's own table, where chains of a zone stay from its first use on. */
async function look(firewalld: FirewalldNode): Promise<Snapshot> {
  const { lines } = await snapshot(firewalld.lab.node);
  return { lines: lines.filter((line) => !line.includes("nft: inet firewalld:")) };
}

const suites = firewalldMissing === undefined ? engines : [];
// Its package would start it on a machine that has an init (docs/testing.md); `npm test` lists what it skipped with the reason.
if (firewalldMissing !== undefined) test.skip(`skipped: ${firewalldMissing}`, () => {});

describe.each(suites)("$name", (engine) => {
  test("containers pass a firewalld that drops, from ADD to DEL, and everything is as before", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    await firewalld.command("--set-default-zone=block");
    const network = lab.network();
    const before = await look(firewalld);
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    expect(await reaches(container.sandbox, lab.outside.address4), "before ADD").toBe(false);
    container.result = (await network.addOne(FIREWALL, container)).expectSuccess();
    await network.check(container);
    expect(await firewalld.sources()).toEqual([`${addressOf(container)}/32`, `${addressOf(container, 6)}/128`]);
    expect(await reaches(container.sandbox, lab.outside.address4), "IPv4").toBe(true);
    expect(await reaches(container.sandbox, lab.outside.address6), "IPv6").toBe(true);
    const said = await network.call(FIREWALL, "STATUS");
    said.expectSuccess();
    expect(chosenBackend(said)).toBe("firewalld");
    (await network.delOne(FIREWALL, container)).expectSuccess();
    expect(await firewalld.sources()).toEqual([]);
    expect(await reaches(container.sandbox, lab.outside.address4), "after DEL").toBe(false);
    await network.del(container);
    const bridge = (line: string): boolean => /cni22|sysctl|file:|forward/.test(line);
    expect((await look(firewalld)).lines.filter((line) => !bridge(line))).toEqual(
      before.lines.filter((line) => !bridge(line)),
    );
  });

  test("the reference's CHECK takes any answer for good; here what a reload forgot is told, and the next ADD tells firewalld again", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const network = firewalld.lab.network();
    const container = await firewalld.lab.attach(network, "container");
    await network.check(container);
    await firewalld.command("--reload");
    expect(await firewalld.sources()).toEqual([]);
    (await network.checkOne(FIREWALL, container)).expectError(102, /not in firewalld's zone trusted\n.*reload/);
    (await network.addOne(FIREWALL, container)).expectSuccess();
    await network.check(container);
    expect(await firewalld.sources()).toHaveLength(2);
  });

  test("what a reload forgot of other containers is told again by the next ADD, and by GC", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const [home, trusted] = [lab.network({ firewalldZone: "home" }), lab.network()];
    const one = await lab.attach(home, "one");
    const two = await trusted.container("two");
    await trusted.add(two, FIREWALL);
    await firewalld.command("--reload");
    expect(await firewalld.sources("home")).toEqual([]);
    (await trusted.addOne(FIREWALL, two)).expectSuccess();
    await home.check(one);
    expect(await firewalld.sources()).toHaveLength(2);
    await firewalld.command("--reload");
    const valid = [one, two].map(({ containerId }) => ({ containerID: containerId, ifname: "eth0" }));
    (await home.call(FIREWALL, "GC", undefined, { "cni.dev/valid-attachments": valid })).expectSuccess();
    await home.check(one);
    await trusted.checkOne(FIREWALL, two);
    expect(await firewalld.sources()).toHaveLength(2);
  });

  test("an address that DEL could not take out of its zone, for firewalld hung, leaves it with the next DEL", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network();
    const container = await lab.attach(network, "container");
    const call = { containerId: "container", netns: "", ifName: "eth0", env: { FERRULE_DEADLINE: "2" } };
    firewalld.signal("SIGSTOP");
    const failed = await callPlugin(lab.node, engine, "firewall", "DEL", bare, call);
    firewalld.signal("SIGCONT");
    expect(failed.status).toBe(1);
    (await callPlugin(lab.node, engine, "firewall", "DEL", bare, { ...call, env: {} })).expectSuccess();
    expect(await firewalld.sources()).toEqual([]);
    (await network.checkOne(FIREWALL, container)).expectError(102);
  });

  test("DEL without prevResult and namespace, and GC, take addresses out of the zone they are in", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network({ firewalldZone: "home" });
    const [one, two, three] = [
      await lab.attach(network, "one"),
      await lab.attach(network, "two"),
      await lab.attach(network, "three"),
    ];
    expect(await firewalld.sources("home")).toHaveLength(6);
    // The zone of the configuration has changed since.
    const call = { containerId: "one", netns: "", ifName: "eth0" };
    for (const _ of [1, 2]) (await callPlugin(lab.node, engine, "firewall", "DEL", bare, call)).expectSuccess();
    expect(await firewalld.sources("home")).toHaveLength(4);
    expect(one.containerId).toBe("one");
    const valid = [{ containerID: two.containerId, ifname: "eth0" }];
    (await network.call(FIREWALL, "GC", undefined, { "cni.dev/valid-attachments": valid })).expectSuccess();
    expect(await firewalld.sources("home")).toEqual([`${addressOf(two)}/32`, `${addressOf(two, 6)}/128`]);
    await network.check(two);
    (await network.checkOne(FIREWALL, three)).expectError(102);
  });

  test("an ADD again, and one with another zone", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const container = await lab.attach(lab.network(), "container");
    (await lab.network().addOne(FIREWALL, container)).expectSuccess();
    expect(await firewalld.sources()).toHaveLength(2);
    const moved = await lab.network({ firewalldZone: "home" }).addOne(FIREWALL, container);
    moved.expectSuccess();
    expect(await firewalld.sources()).toEqual([]);
    expect(await firewalld.sources("home")).toHaveLength(2);
  });

  test("an address that somebody has put in another zone is refused with that zone's name, and all is taken back", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network();
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    await firewalld.command("--zone=public", `--add-source=${addressOf(container, 6)}/128`);
    const before = await look(firewalld);
    (await network.addOne(FIREWALL, container)).expectError(101, /it is in zone public\n.*remove-source/);
    expect(await firewalld.sources()).toEqual([]);
    expectSame(await look(firewalld), before);
    (await network.delOne(FIREWALL, container)).expectSuccess();
    expect(await firewalld.sources("public")).toHaveLength(1);
  });

  test("a zone that is not there is refused, and nothing is left", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network({ firewalldZone: "nowhere" });
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    const before = await look(firewalld);
    (await network.addOne(FIREWALL, container)).expectError(7, /firewalld has no zone "nowhere"/);
    expectSame(await look(firewalld), before);
  });

  test("a policy is in force beside firewalld, and what iptables drops is accepted there, too", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    await lab.node.exec(["iptables", "-P", "FORWARD", "DROP"]);
    const here = lab.network({ ingressPolicy: "same-bridge" });
    const there = lab.network({ ingressPolicy: "same-bridge" }, { subnet: 23 });
    const [one, two] = [await lab.attach(here, "one"), await lab.attach(here, "two")];
    const far = await lab.attach(there, "far");
    const said = await here.call(FIREWALL, "STATUS");
    expect(chosenBackend(said)).toBe("firewalld and iptables");
    expect(await reaches(one.sandbox, lab.outside.address4)).toBe(true);
    expect(await reaches(one.sandbox, addressOf(two))).toBe(true);
    expect(await reaches(one.sandbox, addressOf(far))).toBe(false);
    await here.check(one);
    await here.del(one);
    await here.check(two);
  });

  test("each ingressPolicy beside firewalld, without any help of iptables", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    await firewalld.command("--set-default-zone=block");
    for (const [ingressPolicy, within, between] of [
      ["open", true, true],
      ["same-bridge", true, false],
      ["isolated", false, false],
    ] as const) {
      const here = lab.network({ ingressPolicy });
      const there = lab.network({ ingressPolicy }, { subnet: 23 });
      expect(chosenBackend(await here.call(FIREWALL, "STATUS"))).toBe("firewalld");
      const attached = (network: typeof here, name: string) => lab.attach(network, `${name}-${ingressPolicy}`);
      const [one, two, far] = [await attached(here, "one"), await attached(here, "two"), await attached(there, "far")];
      for (const family of [4, 6] as const) {
        const what = `${ingressPolicy}, IPv${family}`;
        expect(await reaches(one.sandbox, addressOf(two, family)), `${what}, within`).toBe(within);
        expect(await reaches(one.sandbox, addressOf(far, family)), `${what}, between`).toBe(between);
        expect(await reaches(far.sandbox, addressOf(two, family)), `${what}, and back`).toBe(between);
      }
      expect(await reaches(one.sandbox, lab.outside.address4), `${ingressPolicy}, outside`).toBe(true);
      await here.check(one);
      for (const each of [one, two]) await here.del(each);
      await there.del(far);
    }
  });

  test("the bus is found by DBUS_SYSTEM_BUS_ADDRESS, and one that says nothing sensible is none", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network({ backend: "firewalld" });
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    const env = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/run/dbus/elsewhere" };
    const refused = await network.addOne(FIREWALL, container, { env });
    refused.expectError(5, /firewall cannot use firewalld: connect to \/run\/dbus\/elsewhere: no such file/);
    await lab.node.exec(["mv", "/run/dbus/system_bus_socket", "/run/dbus/elsewhere"]);
    (await network.addOne(FIREWALL, container, { env })).expectSuccess();
    const refusing = `
      const server = require("node:net").createServer((peer) => peer.write("REJECTED EXTERNAL\\r\\n"));
      server.listen("/run/dbus/strange", () => console.log("listening"));`;
    const strange = lab.node.background([process.execPath, "-e", refusing]);
    await strange.waitFor(/listening/);
    const there = { env: { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/run/dbus/strange" } };
    (await network.addOne(FIREWALL, container, there)).expectError(5, /does not let us in: REJECTED EXTERNAL/);
    const unset = await lab.network().call(FIREWALL, "STATUS", undefined, {}, there);
    expect(chosenBackend(unset)).toBe("nftables");
  });

  test("a bus that will not say whether firewalld runs is not taken for none", async () => {
    await using firewalld = await FirewalldNode.create(engine, false);
    const { lab } = firewalld;
    const network = lab.network();
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    const before = await look(firewalld);
    // An error (3) without a body; its header's fields are the error's name (4), 39 characters, and the serial that it answers (5).
    const denying = `
      const name = "org.freedesktop.DBus.Error.AccessDenied";
      const head = Buffer.from([0x6c, 3, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 56, 0, 0, 0, 4, 1, 0x73, 0, name.length, 0, 0, 0]);
      const tail = Buffer.from([0, 5, 1, 0x75, 0, 1, 0, 0, 0]);
      const server = require("node:net").createServer((peer) => {
        peer.on("error", () => {});
        peer.on("data", (data) => {
          if (data.includes("AUTH")) peer.write("DATA\\r\\nOK 0123\\r\\n");
          else if (data.includes("Hello")) peer.write(Buffer.concat([head, Buffer.from(name), tail]));
        });
      });
      server.listen("/run/dbus/denying", () => console.log("listening"));`;
    await lab.node.background([process.execPath, "-e", denying]).waitFor(/listening/);
    const there = { env: { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/run/dbus/denying" } };
    const words = /cannot find out whether firewalld runs: .*AccessDenied\nsee systemctl status dbus/;
    (await network.addOne(FIREWALL, container, there)).expectError(5, words);
    (await network.call(FIREWALL, "STATUS", undefined, {}, there)).expectError(50, words);
    expectSame(await look(firewalld), before);
  });

  test("where only the bus runs: ADD and STATUS say what is missing, DEL succeeds with a note, and unset it is another backend", async () => {
    await using firewalld = await FirewalldNode.create(engine, false);
    const { lab } = firewalld;
    const network = lab.network({ backend: "firewalld" });
    const container = await network.container("container");
    await network.add(container, FIREWALL);
    const before = await look(firewalld);
    (await network.addOne(FIREWALL, container)).expectError(5, /firewalld: it is not running\nstart firewalld/);
    (await network.call(FIREWALL, "STATUS")).expectError(50, /firewalld: it is not running\nstart firewalld/);
    (await network.checkOne(FIREWALL, container)).expectError(5, /not running/);
    const deleted = await network.delOne(FIREWALL, container);
    deleted.expectSuccess();
    expect(deleted.stderr).toMatch(/firewalld cannot be reached/);
    expectSame(await look(firewalld), before);
    expect(chosenBackend(await lab.network().call(FIREWALL, "STATUS"))).toBe("nftables");
  });

  test("firewalld that has ended since: DEL and GC succeed", async () => {
    await using firewalld = await FirewalldNode.create(engine);
    const { lab } = firewalld;
    const network = lab.network();
    const [one] = [await lab.attach(network, "one"), await lab.attach(network, "two")];
    await firewalld.stop();
    (await network.delOne(FIREWALL, one)).expectSuccess();
    (await network.call(FIREWALL, "GC", undefined, { "cni.dev/valid-attachments": [] })).expectSuccess();
    expect(await lab.node.exec(["nft", "list", "tables"])).not.toContain("ferrule_firewall");
  });

  const reason = referenceMissing();
  describe.skipIf(reason !== undefined)(
    `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    () => {
      test.each([
        { what: "ADD by the reference, DEL by us", adds: reference, deletes: engine },
        { what: "ADD by us, DEL by the reference", adds: engine, deletes: reference },
      ])("$what", async ({ adds, deletes }) => {
        await using firewalld = await FirewalldNode.create(engine);
        const { lab } = firewalld;
        const options = { backend: "firewalld" };
        const adding = lab.network(options, { suite: adds, version: "1.0.0" });
        const deleting = lab.network(options, { suite: deletes, version: "1.0.0" });
        const container = await lab.attach(adding, "container");
        expect(await firewalld.sources()).toHaveLength(2);
        (await deleting.delOne(FIREWALL, container)).expectSuccess();
        expect(await firewalld.sources()).toEqual([]);
      });
    },
  );
});
