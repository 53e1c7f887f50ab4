/** What firewall keeps in the kernel: what is made, what is removed and when, and how little is run for it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { inject } from "../helpers/faults.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type Json, type PluginCall } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { followedFor } from "../lifecycle/stage.ts";
import { chosenBackend, type DroppingHost, droppingHosts } from "./firewall-node.ts";

/** firewall alone for a container whose addresses are made up: the rules do not need it to exist. */
function alone(number: number, options: object = {}, name = "net"): Json {
  const interfaces = [
    { name: "cni0", mac: "02:00:00:00:00:01" },
    { name: `veth${number}`, mac: "02:00:00:00:00:02" },
    { name: "eth0", mac: "02:00:00:00:00:03", sandbox: "/run/netns/none" },
  ];
  const place = `${Math.floor(number / 200)}`;
  const ips = [
    { address: `10.9.${place}.${(number % 200) + 2}/16`, interface: 2 },
    { address: `2001:db8:9:1${place}::${(number % 200) + 2}/48`, interface: 2 },
  ];
  return {
    cniVersion: "1.1.0",
    name,
    type: "firewall",
    ...options,
    prevResult: { cniVersion: "1.1.0", interfaces, ips },
  };
}

const bare = { cniVersion: "1.1.0", name: "net", type: "firewall" };
const backends = ["nftables", "iptables"];

/** As on a host where no iptables is installed. */
const withoutIptables = [
  ...["unshare", "--mount", "sh", "-ec"],
  'for file in /usr/sbin/ip*tables* /sbin/ip*tables*; do test ! -e $file || mount --bind /dev/null $file; done; exec "$@"',
  "sh",
];

/** As on a host that has only the older kind. */
const withoutNewer = [...["unshare", "--mount", "sh", "-ec"], hide("xtables-nft-multi"), "sh"];
/** As on a host that has only the newer kind. */
const withoutOlder = [...["unshare", "--mount", "sh", "-ec"], hide("xtables-legacy-multi"), "sh"];

function hide(program: string): string {
  return `mount --bind /dev/null /usr/sbin/${program}; exec "$@"`;
}

describe.each(engines)("$name", (engine) => {
  const call = (
    node: TestNode,
    verb: string,
    containerId: string,
    config: Json,
    netns = "/run/netns/none",
    wrapper?: readonly string[],
  ): Promise<PluginCall> =>
    callPlugin(node, engine, "firewall", verb, config, { containerId, netns, ifName: "eth0", wrapper });
  const status = (node: TestNode, config: Json = bare, wrapper?: readonly string[]): Promise<PluginCall> =>
    callPlugin(node, engine, "firewall", "STATUS", config, { wrapper });

  describe.each(backends)("%s", (backend) => {
    const options = { backend, ingressPolicy: "isolated" };

    test("the result is prevResult", async () => {
      await using node = await TestNode.create();
      const config = alone(0, options);
      const result = (await call(node, "ADD", "c", config)).expectSuccess();
      expect(result.ips).toMatchObject(config.prevResult.ips);
      expect(result.interfaces).toMatchObject(config.prevResult.interfaces);
    });

    test("the reference's DEL without prevResult leaves the rules; here it removes all, and again nothing", async () => {
      await using node = await TestNode.create();
      // What iptables' backend shares stays, as in the reference.
      (await call(node, "ADD", "first", alone(0, options))).expectSuccess();
      (await call(node, "DEL", "first", alone(0, options))).expectSuccess();
      const before = await snapshot(node);
      (await call(node, "ADD", "c", alone(1, options))).expectSuccess();
      for (const _ of [1, 2]) (await call(node, "DEL", "c", bare, "")).expectSuccess();
      expectSame(await snapshot(node), before);
    });

    test("a repeated ADD changes nothing, and one with other addresses replaces them", async () => {
      await using node = await TestNode.create();
      (await call(node, "ADD", "c", alone(0, options))).expectSuccess();
      const before = await snapshot(node);
      (await call(node, "ADD", "c", alone(0, options))).expectSuccess();
      expectSame(await snapshot(node), before);
      (await call(node, "ADD", "c", alone(1, options))).expectSuccess();
      expect((await snapshot(node)).lines.join("\n")).not.toMatch(/10\.9\.0\.2\b/);
      (await call(node, "CHECK", "c", alone(1, options))).expectSuccess();
      (await call(node, "CHECK", "c", alone(0, options))).expectError(102);
    });

    test("a late DEL of a stale container leaves the rules of the one that has its address now", async () => {
      await using node = await TestNode.create();
      (await call(node, "ADD", "stale", alone(0, options))).expectSuccess();
      (await call(node, "ADD", "heir", alone(0, options))).expectSuccess();
      for (const _ of [1, 2]) (await call(node, "DEL", "stale", alone(0, options))).expectSuccess();
      (await call(node, "CHECK", "heir", alone(0, options))).expectSuccess();
      (await call(node, "DEL", "heir", bare)).expectSuccess();
      expect((await snapshot(node)).lines.join("\n")).not.toContain("10.9.0.2");
    });

    test("GC removes the dead of this network and nobody else", async () => {
      await using node = await TestNode.create();
      (await call(node, "ADD", "live", alone(0, options))).expectSuccess();
      (await call(node, "ADD", "other", alone(1, options, "othernet"))).expectSuccess();
      const before = await snapshot(node);
      for (const number of [2, 3]) (await call(node, "ADD", `dead${number}`, alone(number, options))).expectSuccess();
      const config = { ...bare, ...options, "cni.dev/valid-attachments": [{ containerID: "live", ifname: "eth0" }] };
      (await callPlugin(node, engine, "firewall", "GC", config)).expectSuccess();
      expectSame(await snapshot(node), before);
      (await call(node, "CHECK", "live", alone(0, options))).expectSuccess();
    });

    test("DEL finds what another backend has made", async () => {
      await using node = await TestNode.create();
      const other = { ...options, backend: backends.find((each) => each !== backend) };
      (await call(node, "ADD", "c", alone(0, options))).expectSuccess();
      (await call(node, "DEL", "c", alone(0, other))).expectSuccess();
      expect((await snapshot(node)).lines.join("\n")).not.toContain("10.9.0.2");
    });

    test("twenty at a time, and nothing is left behind or lost", async () => {
      await using node = await TestNode.create();
      (await call(node, "ADD", "first", alone(0, options))).expectSuccess();
      (await call(node, "DEL", "first", alone(0, options))).expectSuccess();
      const before = await snapshot(node);
      const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
      const all = (verb: string) =>
        Promise.all(
          numbers.map(async (number) => (await call(node, verb, `c${number}`, alone(number, options))).expectSuccess()),
        );
      await all("ADD");
      await all("CHECK");
      await all("DEL");
      expectSame(await snapshot(node), before);
    });

    test("the reference's CHECK makes what is missing; here it changes nothing", async () => {
      await using node = await TestNode.create();
      const before = await snapshot(node);
      (await call(node, "CHECK", "c", alone(0, options))).expectError(102);
      expectSame(await snapshot(node), before);
    });

    test("what a flush took is back with the next ADD of the container, and CHECK tells before", async () => {
      await using node = await TestNode.create();
      (await call(node, "ADD", "c", alone(0, options))).expectSuccess();
      const before = await snapshot(node);
      await node.exec(["nft", "flush", "ruleset"]);
      (await call(node, "CHECK", "c", alone(0, options))).expectError(102);
      (await call(node, "ADD", "c", alone(0, options))).expectSuccess();
      (await call(node, "CHECK", "c", alone(0, options))).expectSuccess();
      const lines = (state: { readonly lines: readonly string[] }) =>
        state.lines.filter((line) => !/nft: ip6? /.test(line));
      expect(lines(await snapshot(node))).toEqual(lines(before));
    });

    test("an ingressPolicy that nothing can serve is refused before anything is changed", async () => {
      await using node = await TestNode.create();
      const before = await snapshot(node);
      const config = alone(0, options);
      const noHost = {
        ...config,
        prevResult: {
          ...config.prevResult,
          interfaces: config.prevResult.interfaces.slice(2),
          ips: [{ address: "10.9.0.2/16" }],
        },
      };
      (await call(node, "ADD", "c", noHost)).expectError(7, /ingressPolicy "isolated" needs an interface of the host/);
      expectSame(await snapshot(node), before);
    });
  });

  const sabotage: readonly (readonly string[])[] = [
    ["flush", "chain", "inet", "ferrule_firewall", "forward"],
    ["flush", "chain", "inet", "ferrule_firewall", "isolation"],
    ["flush", "chain", "bridge", "ferrule_firewall", "forward"],
    ["flush", "map", "inet", "ferrule_firewall", "accepted4"],
    ["flush", "set", "inet", "ferrule_firewall", "bridges"],
    ["flush", "set", "inet", "ferrule_firewall", "owners"],
    ["flush", "set", "bridge", "ferrule_firewall", "apart"],
    ["delete", "table", "bridge", "ferrule_firewall"],
  ];
  test.each(sabotage)("CHECK notices nft %s %s %s %s, and ADD mends it", async (...argv) => {
    await using node = await TestNode.create();
    const config = alone(0, { backend: "nftables", ingressPolicy: "isolated" });
    (await call(node, "ADD", "c", config)).expectSuccess();
    const before = await snapshot(node);
    await node.exec(["nft", ...argv]);
    (await call(node, "CHECK", "c", config)).expectError(102);
    (await call(node, "ADD", "c", config)).expectSuccess();
    (await call(node, "CHECK", "c", config)).expectSuccess();
    expectSame(await snapshot(node), before);
  });

  test.each([
    ["the chains' rules", "flush chain inet ferrule_firewall forward; flush chain inet ferrule_firewall isolation"],
    ["the bridges' rules", "flush chain bridge ferrule_firewall forward"],
  ])("what a flush took of %s is back for all with the next ADD of another container", async (_, flush) => {
    await using node = await TestNode.create();
    const options = { backend: "nftables", ingressPolicy: "isolated" };
    (await call(node, "ADD", "one", alone(0, options))).expectSuccess();
    await node.exec(["nft", flush]);
    (await call(node, "CHECK", "one", alone(0, options))).expectError(102, /has lost rules/);
    (await call(node, "ADD", "two", alone(1, options))).expectSuccess();
    (await call(node, "CHECK", "one", alone(0, options))).expectSuccess();
    (await call(node, "CHECK", "two", alone(1, options))).expectSuccess();
  });

  test("CHECK notices a mark that the packets do not get", async () => {
    await using node = await TestNode.create();
    const marking = { backend: "nftables", acceptMark: 65536 };
    (await call(node, "ADD", "c", alone(0, { backend: "nftables" }))).expectSuccess();
    (await call(node, "CHECK", "c", alone(0, marking))).expectError(
      102,
      /another verdict than "goto accept_with_65536"/,
    );
    (await call(node, "ADD", "c", alone(0, marking))).expectSuccess();
    (await call(node, "CHECK", "c", alone(0, marking))).expectSuccess();
    const other = { ...marking, acceptMark: 131072 };
    (await call(node, "CHECK", "c", alone(0, other))).expectError(102, /another verdict/);
    (await call(node, "CHECK", "c", alone(0, { backend: "nftables" }))).expectError(
      102,
      /another verdict than "accept"/,
    );
  });

  test.each([
    ["-F", "FORWARD"],
    ["-F", "CNI-FORWARD"],
    ["-F", "CNI-ISOLATION-STAGE-1"],
    ["-F", "CNI-ISOLATION-STAGE-2"],
    ["-D", "CNI-FORWARD", "-s", "10.9.0.2", "-j", "ACCEPT"],
  ])("CHECK notices iptables %s %s, and ADD mends it", async (...argv) => {
    await using node = await TestNode.create();
    const config = alone(0, { backend: "iptables", ingressPolicy: "isolated" });
    (await call(node, "ADD", "c", config)).expectSuccess();
    await node.exec(["iptables", ...argv]);
    (await call(node, "CHECK", "c", config)).expectError(102, /expected rule not found/);
    (await call(node, "ADD", "c", config)).expectSuccess();
    (await call(node, "CHECK", "c", config)).expectSuccess();
  });

  test.each<[DroppingHost | "none", string]>([
    ["none", "nftables"],
    ["nftables", "nftables"],
    ["iptables-nft", "iptables"],
    ["iptables-legacy", "iptables"],
  ])("where the host filters by %s, the backend is %s", async (host, backend) => {
    await using node = await TestNode.create();
    const commands = host === "none" ? ["iptables -t nat -A POSTROUTING -j RETURN"] : droppingHosts[host];
    for (const command of commands) await node.exec(["sh", "-c", command]);
    const said = await status(node);
    said.expectSuccess();
    expect(chosenBackend(said)).toBe(backend);
    (await call(node, "ADD", "c", alone(0))).expectSuccess();
    expect((await node.run(["nft", "list", "table", "inet", "ferrule_firewall"])).status === 0).toBe(
      backend === "nftables",
    );
    (await call(node, "CHECK", "c", alone(0))).expectSuccess();
    (await call(node, "DEL", "c", alone(0))).expectSuccess();
  });

  test("a kernel that fails to answer is not taken for one without nf_tables", async () => {
    await using node = await TestNode.create();
    const wrapper = inject({ kind: "error", call: "sendto", errno: "ENOBUFS" }, 1, followedFor(engine));
    const words = /firewall cannot use nftables: .*ENOBUFS.*\n.*short of memory/;
    const before = await snapshot(node);
    (await status(node, bare, wrapper)).expectError(50, words);
    (await call(node, "ADD", "c", alone(0), "/run/netns/none", wrapper)).expectError(5, words);
    expectSame(await snapshot(node), before);
  });

  test("where both kinds of iptables filter, both have the rules, and lose them", async () => {
    await using node = await TestNode.create();
    for (const kind of ["nft", "legacy"]) await node.exec([`iptables-${kind}`, "-P", "FORWARD", "DROP"]);
    (await call(node, "ADD", "c", alone(0))).expectSuccess();
    (await call(node, "CHECK", "c", alone(0))).expectSuccess();
    const both = async (): Promise<boolean[]> =>
      Promise.all(
        ["nft", "legacy"].map(async (kind) => (await node.exec([`iptables-${kind}-save`])).includes("10.9.0.2/32")),
      );
    expect(await both()).toEqual([true, true]);
    (await call(node, "DEL", "c", bare)).expectSuccess();
    expect(await both()).toEqual([false, false]);
  });

  test("the reference takes any other backend for none; here it is refused, and the empty one is the default", async () => {
    await using node = await TestNode.create();
    (await call(node, "ADD", "c", alone(0, { backend: "nftable" }))).expectError(7, /"nftable" is not one of/);
    (await call(node, "DEL", "c", alone(0, { backend: "nftable" }))).expectSuccess();
    (await call(node, "ADD", "c", alone(0, { backend: "", ingressPolicy: "" }))).expectSuccess();
  });

  test("without any program of iptables: nftables works, and iptables says what to install", async () => {
    await using node = await TestNode.create();
    for (const verb of ["ADD", "CHECK", "DEL"]) {
      (await call(node, verb, "c", alone(0), "/run/netns/none", withoutIptables)).expectSuccess();
    }
    const asked = { ...bare, backend: "iptables" };
    (await status(node, asked, withoutIptables)).expectError(
      50,
      /neither iptables nor ip6tables is installed\ninstall/,
    );
    const added = await call(node, "ADD", "c", alone(0, { backend: "iptables" }), "/run/netns/none", withoutIptables);
    added.expectError(5, /neither iptables nor ip6tables is installed\ninstall/);
    (await call(node, "DEL", "c", alone(0, { backend: "iptables" }), "", withoutIptables)).expectSuccess();
  });

  test("rules of iptables that cannot be added to stop nothing unless the policy is to drop", async () => {
    await using node = await TestNode.create();
    await node.exec(["sh", "-c", "iptables-nft -N OTHERS && iptables-nft -A FORWARD -j OTHERS"]);
    const said = await status(node, bare, withoutIptables);
    said.expectSuccess();
    expect(chosenBackend(said)).toBe("nftables");
    expect(said.stderr).toMatch(/table filter \(IPv4\) has rules about what is forwarded, .* install iptables/);
    for (const verb of ["ADD", "CHECK", "DEL"]) {
      (await call(node, verb, "c", alone(0), "/run/netns/none", withoutIptables)).expectSuccess();
    }
  });

  test.each([
    { kind: "nft", wrapper: withoutNewer },
    { kind: "legacy", wrapper: withoutOlder },
  ])(
    "a host that drops by iptables-$kind and has only the other kind's programs is told so",
    async ({ kind, wrapper }) => {
      await using node = await TestNode.create();
      await node.exec([`iptables-${kind}`, "-P", "FORWARD", "DROP"]);
      const before = await snapshot(node);
      const reason = new RegExp(`of its kind "${kind}" drops what is forwarded, .*\ninstall iptables-${kind}`);
      (await status(node, bare, wrapper)).expectError(50, reason);
      for (const backend of [undefined, "iptables"]) {
        const asked = alone(0, { backend });
        (await call(node, "ADD", "c", asked, "/run/netns/none", wrapper)).expectError(5, /iptables/);
        (await call(node, "CHECK", "c", asked, "/run/netns/none", wrapper)).expectError(5, /iptables/);
      }
      expectSame(await snapshot(node), before);
      const own = alone(0, { backend: "nftables" });
      (await call(node, "ADD", "c", own, "/run/netns/none", wrapper)).expectSuccess();
      (await call(node, "DEL", "c", own, "", wrapper)).expectSuccess();
    },
  );

  test("rules of iptables that outlived its programs stop DEL and GC only where they are the container's", async () => {
    await using node = await TestNode.create();
    const gone = { ...bare, "cni.dev/valid-attachments": [] };
    const collect = (wrapper: readonly string[]) => callPlugin(node, engine, "firewall", "GC", gone, { wrapper });
    (await call(node, "ADD", "other", alone(1, { backend: "iptables" }, "othernet"))).expectSuccess();
    (await call(node, "ADD", "c", alone(0, { backend: "nftables" }))).expectSuccess();
    (await collect(withoutIptables)).expectSuccess();
    (await call(node, "DEL", "c", alone(0), "", withoutIptables)).expectSuccess();
    (await call(node, "ADD", "c", alone(0, { backend: "iptables" }))).expectSuccess();
    for (const config of [bare, alone(0)]) {
      const refused = await call(node, "DEL", "c", config, "", withoutIptables);
      refused.expectError(5, /has rules to be removed, and no iptables that keeps its rules in nf_tables is installed/);
    }
    for (const wrapper of [withoutIptables, withoutNewer]) {
      (await collect(wrapper)).expectError(5, /FERRULE-FIREWALL has rules to be removed/);
    }
    (await collect([])).expectSuccess();
    expect(await node.exec(["iptables-save", "-t", "filter"])).not.toContain("10.9.0.2/32");
  });

  test("nothing is executed on the way of nftables, nor by a DEL that finds nothing", async () => {
    await using node = await TestNode.create();
    const trace = join(node.directory, "trace");
    for (const verb of ["ADD", "CHECK", "DEL", "DEL"]) {
      const strace = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace];
      (await call(node, verb, "c", alone(0), "/run/netns/none", strace)).expectSuccess();
      expect((await readFile(trace, "utf8")).match(/execve\(/g), verb).toHaveLength(1);
    }
  });

  test("iptables: one reading and one change for each family, and nothing is run twice", async () => {
    await using node = await TestNode.create();
    const trace = join(node.directory, "trace");
    const strace = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace];
    (await call(node, "ADD", "c", alone(0, { backend: "iptables" }), "/run/netns/none", strace)).expectSuccess();
    expect((await readFile(trace, "utf8")).match(/execve\(.* = 0/g)).toHaveLength(5);
  });

  test("the administrator's own table survives the last container, with his rules", async () => {
    await using node = await TestNode.create();
    const config = alone(0, { ingressPolicy: "isolated" });
    await node.exec(["nft", "table inet ferrule_firewall { chain admin { ip daddr 192.0.2.9 drop; }; }"]);
    const before = await snapshot(node);
    (await call(node, "ADD", "c", config)).expectSuccess();
    (await call(node, "CHECK", "c", config)).expectSuccess();
    (await call(node, "DEL", "c", config)).expectSuccess();
    const ruleset = await node.exec(["nft", "list", "ruleset"]);
    expect(ruleset).toContain("ip daddr 192.0.2.9 drop");
    expect(ruleset).not.toContain("10.9.0.2");
    expect(ruleset).not.toContain("cni0");
    expect(before.lines.length).toBeGreaterThan(0);
  });
});
