/**
 * What a plugin does with input that is wrong: the right code, a message that names the thing, nothing changed, and never an
 * abort. Both engines; one row each.
 */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../spec/errors.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { type CallVariables, callPlugin, type PluginCall, type Verb } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

/** A call that must fail, and how. Texts in `call` may contain $NODE and $SANDBOX, the paths of the namespaces. */
interface BadInput {
  readonly what: string;
  readonly plugin: string;
  readonly verb?: Verb | string;
  readonly config: object | string;
  readonly call?: CallVariables;
  readonly code: number | readonly number[];
  readonly names: RegExp;
}

const hostLocal = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };
const named = { cniVersion: "1.1.0", name: "testnet" };
const loopback = { ...named, type: "loopback" };
const bridge = { ...named, type: "bridge", bridge: "cni0", isGateway: true, ipam: hostLocal };
const ptp = { ...named, type: "ptp", ipam: hostLocal };
const prevResult = {
  cniVersion: "1.1.0",
  interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/none" }],
  ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 0 }],
};
const macvlan = { ...named, type: "macvlan", master: "nowhere", ipam: hostLocal };
const portmap = { ...named, type: "portmap", backend: "nftables", prevResult };

function withRange(range: object): object {
  return { ...bridge, ipam: { type: "host-local", ranges: [[range]] } };
}

const environmentRows: readonly BadInput[] = [
  {
    what: "CNI_CONTAINERID is missing",
    plugin: "loopback",
    config: loopback,
    call: { containerId: undefined },
    code: 4,
    names: /CNI_CONTAINERID/,
  },
  {
    what: "CNI_IFNAME is missing",
    plugin: "loopback",
    config: loopback,
    call: { ifName: undefined },
    code: 4,
    names: /CNI_IFNAME/,
  },
  {
    what: "CNI_NETNS is missing",
    plugin: "loopback",
    config: loopback,
    call: { netns: undefined },
    code: 4,
    names: /CNI_NETNS/,
  },
  { what: "CNI_PATH is empty", plugin: "loopback", config: loopback, call: { path: "" }, code: 4, names: /CNI_PATH/ },
  {
    what: "several variables are missing: all are named",
    plugin: "bridge",
    config: bridge,
    call: { containerId: undefined, ifName: undefined, netns: undefined },
    code: 4,
    names: /CNI_CONTAINERID.*CNI_NETNS.*CNI_IFNAME/,
  },
  { what: "an unknown CNI_COMMAND", plugin: "bridge", verb: "FROB", config: bridge, code: 4, names: /FROB/ },
  { what: "CNI_COMMAND in lower case", plugin: "bridge", verb: "add", config: bridge, code: 4, names: /add/ },
  {
    what: "a container id with /",
    plugin: "bridge",
    config: bridge,
    call: { containerId: "a/b" },
    code: 4,
    names: /a\/b|containerID/,
  },
  {
    what: "the container id ..",
    plugin: "bridge",
    config: bridge,
    call: { containerId: ".." },
    code: 4,
    names: /containerID/,
  },
  {
    what: "an interface name with /",
    plugin: "bridge",
    config: bridge,
    call: { ifName: "../eth0" },
    code: 4,
    names: /interface name/,
  },
  {
    what: "the interface name ..",
    plugin: "bridge",
    config: bridge,
    call: { ifName: ".." },
    code: 4,
    names: /interface name/,
  },
  {
    what: "an interface name of 16 bytes",
    plugin: "bridge",
    config: bridge,
    call: { ifName: "eth0123456789abc" },
    code: 4,
    names: /too long/,
  },
  {
    what: "an interface name with a space",
    plugin: "ptp",
    config: ptp,
    call: { ifName: "eth 0" },
    code: 4,
    names: /interface name/,
  },
  {
    what: "CNI_NETNS is a missing path",
    plugin: "bridge",
    config: bridge,
    call: { netns: "/run/netns/missing" },
    code: 4,
    names: /\/run\/netns\/missing/,
  },
  {
    what: "CNI_NETNS is a plain file",
    plugin: "bridge",
    config: bridge,
    call: { netns: "/etc/passwd" },
    code: 4,
    names: /\/etc\/passwd/,
  },
  { what: "CNI_NETNS is a directory", plugin: "ptp", config: ptp, call: { netns: "/etc" }, code: 4, names: /\/etc/ },
  {
    what: "CNI_NETNS is a namespace of another kind",
    plugin: "ptp",
    config: ptp,
    call: { netns: "/proc/self/ns/uts" },
    code: 4,
    names: /\/proc\/self\/ns\/uts/,
  },
  {
    what: "CNI_NETNS is our own namespace",
    plugin: "loopback",
    config: loopback,
    call: { netns: "/proc/self/ns/net" },
    code: 8,
    names: /netns/,
  },
  {
    what: "CNI_NETNS is our own namespace under another name",
    plugin: "bridge",
    config: bridge,
    call: { netns: "$NODE" },
    code: 8,
    names: /netns/,
  },
  {
    what: "CNI_NETNS is our own namespace, for DEL",
    plugin: "loopback",
    verb: "DEL",
    config: loopback,
    call: { netns: "$NODE" },
    code: 8,
    names: /netns/,
  },
  {
    what: "CNI_ARGS that is no list of KEY=value",
    plugin: "bridge",
    config: bridge,
    call: { args: "nonsense" },
    code: [4, 7],
    names: /CNI_ARGS|nonsense/,
  },
  {
    what: "CNI_ARGS with a MAC that is none",
    plugin: "bridge",
    config: bridge,
    call: { args: "MAC=zz" },
    code: [4, 7],
    names: /zz/,
  },
];

const configRows: readonly BadInput[] = [
  { what: "no configuration at all", plugin: "bridge", config: "", code: 6, names: /./ },
  { what: "malformed JSON", plugin: "bridge", config: '{"cniVersion": "1.1.0", ', code: 6, names: /./ },
  { what: "bytes that are no text", plugin: "bridge", config: "\u0000\u0001\u0002", code: 6, names: /./ },
  { what: "JSON that is no object", plugin: "bridge", config: "[]", code: 6, names: /./ },
  { what: "the JSON text null", plugin: "loopback", config: "null", code: [6, 7], names: /./ },
  {
    what: "two JSON documents",
    plugin: "loopback",
    config: `${JSON.stringify(loopback)}${JSON.stringify(loopback)}`,
    code: 6,
    names: /./,
  },
  {
    what: "an unknown version",
    plugin: "bridge",
    config: { ...bridge, cniVersion: "9.9.9" },
    code: 1,
    names: /9\.9\.9/,
  },
  {
    what: "a version that is none",
    plugin: "bridge",
    config: { ...bridge, cniVersion: "one" },
    code: [1, 6],
    names: /one/,
  },
  {
    what: "a version that is a number",
    plugin: "bridge",
    config: { ...bridge, cniVersion: 1 },
    code: [6, 7],
    names: /cniVersion/,
  },
  {
    what: "no name",
    plugin: "bridge",
    config: { cniVersion: "1.1.0", type: "bridge", ipam: hostLocal },
    code: 7,
    names: /name/,
  },
  {
    what: "a name with /",
    plugin: "bridge",
    config: { ...bridge, name: "../../etc" },
    code: 7,
    names: /\.\.\/\.\.\/etc|name/,
  },
  {
    what: "the name ..",
    plugin: "host-local",
    config: { ...bridge, type: "host-local", name: ".." },
    code: 7,
    names: /name/,
  },
  { what: "a name that is a number", plugin: "bridge", config: { ...bridge, name: 7 }, code: [6, 7], names: /name/ },
  {
    what: "a boolean that is a text",
    plugin: "bridge",
    config: { ...bridge, isGateway: "yes" },
    code: 7,
    names: /isGateway/,
  },
  { what: "a number that is a text", plugin: "bridge", config: { ...bridge, mtu: "large" }, code: 7, names: /mtu/ },
  {
    what: "a bridge name with /",
    plugin: "bridge",
    config: { ...bridge, bridge: "../cni0" },
    code: 7,
    names: /\.\.\/cni0|bridge/,
  },
  {
    what: "a bridge name of 16 bytes",
    plugin: "bridge",
    config: { ...bridge, bridge: "br0123456789abcd" },
    code: 7,
    names: /bridge|too long/,
  },
  { what: "a VLAN beyond 4094", plugin: "bridge", config: { ...bridge, vlan: 4095 }, code: 7, names: /4095/ },
  {
    what: "hairpin and promiscuous mode at once",
    plugin: "bridge",
    config: { ...bridge, hairpinMode: true, promiscMode: true },
    code: 7,
    names: /hairpin/i,
  },
  {
    what: "a masquerade backend that is none",
    plugin: "bridge",
    config: { ...bridge, ipMasq: true, ipMasqBackend: "pf" },
    code: 7,
    names: /pf/,
  },
  {
    what: "an IPAM section that is a text",
    plugin: "bridge",
    config: { ...bridge, ipam: "host-local" },
    code: 7,
    names: /ipam/,
  },
  { what: "ptp without IPAM", plugin: "ptp", config: { ...named, type: "ptp" }, code: 7, names: /ipam|no plugin name/ },
  {
    what: "a subnet that is none",
    plugin: "bridge",
    config: withRange({ subnet: "10.1.0.0/99" }),
    code: 7,
    names: /10\.1\.0\.0\/99/,
  },
  {
    what: "a subnet with host bits",
    plugin: "bridge",
    config: withRange({ subnet: "10.1.0.5/24" }),
    code: 7,
    names: /10\.1\.0/,
  },
  {
    what: "a subnet that is too small",
    plugin: "bridge",
    config: withRange({ subnet: "10.1.0.0/31" }),
    code: 7,
    names: /10\.1\.0\.0\/31/,
  },
  {
    what: "a range that starts outside its subnet",
    plugin: "bridge",
    config: withRange({ subnet: "10.1.0.0/24", rangeStart: "10.2.0.1" }),
    code: 7,
    names: /10\.2\.0\.1/,
  },
  {
    what: "ranges that overlap",
    plugin: "bridge",
    config: {
      ...bridge,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.1.0.0/16" }]] },
    },
    code: 7,
    names: /overlap/,
  },
  {
    what: "host-local without ranges",
    plugin: "host-local",
    config: { ...named, type: "host-local", ipam: { type: "host-local" } },
    code: 7,
    names: /range/,
  },
  {
    what: "host-local without an IPAM section",
    plugin: "host-local",
    config: { ...named, type: "host-local" },
    code: 7,
    names: /ipam/,
  },
  {
    what: "a static address without a prefix",
    plugin: "static",
    config: { ...named, type: "static", ipam: { type: "static", addresses: [{ address: "10.1.0.5" }] } },
    code: 7,
    names: /10\.1\.0\.5/,
  },
  {
    what: "a mode that is none",
    plugin: "macvlan",
    config: { ...macvlan, mode: "source" },
    code: 7,
    names: /mode: "source" is not one of bridge, private, vepa, passthru/,
  },
  {
    what: "a hardware address that is none",
    plugin: "macvlan",
    config: { ...macvlan, mac: "zz" },
    code: 7,
    names: /mac: expected a hardware address .*, found "zz"/,
  },
  {
    what: "a hardware address in CNI_ARGS that is none",
    plugin: "macvlan",
    config: macvlan,
    call: { args: "MAC=zz" },
    code: 7,
    names: /CNI_ARGS: MAC: .*"zz"/,
  },
  {
    what: "a negative length of queue",
    plugin: "macvlan",
    config: { ...macvlan, bcqueuelen: -1 },
    code: 7,
    names: /bcqueuelen: -1 is out of range/,
  },
  {
    what: "a negative MTU",
    plugin: "macvlan",
    config: { ...macvlan, mtu: -1 },
    code: 7,
    names: /mtu: -1 is out of range/,
  },
  {
    what: "a parent that is not there",
    plugin: "macvlan",
    config: macvlan,
    code: 7,
    names: /Link not found: there is no interface "nowhere"/,
  },
  {
    what: "a mode that is none",
    plugin: "ipvlan",
    config: { ...named, type: "ipvlan", mode: "bogus" },
    code: 7,
    names: /mode: "bogus" is not one of l2, l3, l3s/,
  },
  {
    what: "a parent that is not there",
    plugin: "ipvlan",
    config: { ...named, type: "ipvlan", master: "nowhere", ipam: hostLocal },
    code: 7,
    names: /Link not found: there is no interface "nowhere"/,
  },
  {
    what: "a prevResult with two interfaces and no master",
    plugin: "ipvlan",
    config: { ...named, type: "ipvlan", prevResult: { ...prevResult, interfaces: [{ name: "a" }, { name: "b" }] } },
    code: 7,
    names: /PrevResult lacks a single named interface/,
  },
  {
    what: "portmap without a prevResult",
    plugin: "portmap",
    config: { ...named, type: "portmap" },
    code: 7,
    names: /chained|prevResult/i,
  },
  {
    what: "a prevResult that is a text",
    plugin: "portmap",
    config: { ...portmap, prevResult: "none" },
    code: [6, 7],
    names: /prevResult/,
  },
  {
    what: "a host port beyond 65535",
    plugin: "portmap",
    config: { ...portmap, runtimeConfig: { portMappings: [{ hostPort: 65536, containerPort: 80, protocol: "tcp" }] } },
    code: 7,
    names: /65536/,
  },
  {
    what: "a container port of zero",
    plugin: "portmap",
    config: { ...portmap, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 0, protocol: "tcp" }] } },
    code: 7,
    names: /container ?port/i,
  },
  {
    what: "a protocol that is none",
    plugin: "portmap",
    config: { ...portmap, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "icmp" }] } },
    code: 7,
    names: /icmp/,
  },
  {
    what: "a host address that is none",
    plugin: "portmap",
    config: {
      ...portmap,
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "here" }] },
    },
    code: 7,
    names: /here/,
  },
];

const delegateRows: readonly BadInput[] = [
  {
    what: "a delegate that is not there",
    plugin: "bridge",
    config: { ...bridge, ipam: { type: "nowhere" } },
    code: 103,
    names: /nowhere/,
  },
  {
    what: "a delegate's name with /",
    plugin: "bridge",
    config: { ...bridge, ipam: { type: "../../bin/sh" } },
    code: [7, 103],
    names: /\.\.\/\.\.\/bin\/sh/,
  },
  {
    what: "the delegate's name ..",
    plugin: "ptp",
    config: { ...ptp, ipam: { type: ".." } },
    code: [7, 103],
    names: /\.\./,
  },
];

const versionRows: readonly BadInput[] = ["0.1.0", "0.2.0", "0.3.0", "0.3.1"].map((version) => ({
  what: `CHECK in version ${version}`,
  plugin: "loopback",
  verb: "CHECK",
  config: { ...loopback, cniVersion: version },
  code: ErrorCode.IncompatibleVersion,
  names: /CHECK/,
}));
const newVerbRows: readonly BadInput[] = ["0.1.0", "0.3.1", "0.4.0", "1.0.0"].flatMap((version) =>
  ["GC", "STATUS"].map((verb) => ({
    what: `${verb} in version ${version}`,
    plugin: "bridge",
    verb,
    config: { ...bridge, cniVersion: version, "cni.dev/valid-attachments": [] },
    code: ErrorCode.IncompatibleVersion,
    names: new RegExp(verb),
  })),
);

const groups: readonly { readonly group: string; readonly rows: readonly BadInput[] }[] = [
  { group: "environment", rows: environmentRows },
  { group: "configuration", rows: configRows },
  { group: "delegates", rows: delegateRows },
  { group: "verbs and versions", rows: [...versionRows, ...newVerbRows] },
];

/** Fills in the paths of namespaces. */
function place(call: CallVariables | undefined, node: TestNode): CallVariables {
  return call?.netns === "$NODE" ? { ...call, netns: node.path } : (call ?? {});
}

describe.each(engines)("$name", (engine) => {
  describe.each(groups)("$group", ({ rows }) => {
    test.each(rows)("$what: code $code", async (row) => {
      await using node = await TestNode.create();
      const sandbox = await node.sandbox();
      const before = await snapshot(node, { sandboxes: [sandbox] });
      const call = await callPlugin(node, engine, row.plugin, row.verb ?? "ADD", row.config, {
        containerId: "container",
        netns: sandbox,
        ifName: "eth0",
        ...place(row.call, node),
      });
      call.expectError(row.code, row.names);
      expect(call.stdout).not.toMatch(/aborted/);
      expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
    });
  });

  describe("what is taken", () => {
    test("an exhausted pool: code 100, and nothing is left of the ADD that found it so", async () => {
      await using node = await TestNode.create();
      const config = withRange({ subnet: "10.1.0.0/30" });
      const first = await node.sandbox();
      (
        await callPlugin(node, engine, "bridge", "ADD", config, { containerId: "first", netns: first, ifName: "eth0" })
      ).expectSuccess();
      const second = await node.sandbox();
      const before = await snapshot(node, { sandboxes: [second] });
      const call = await callPlugin(node, engine, "bridge", "ADD", config, {
        containerId: "second",
        netns: second,
        ifName: "eth0",
      });
      call.expectError(ErrorCode.PoolExhausted, /10\.1\.0/);
      expectSame(await snapshot(node, { sandboxes: [second] }), before, "nothing was changed");
    });

    test("an exhausted pool: STATUS says so with code 50", async () => {
      await using node = await TestNode.create();
      const config = withRange({ subnet: "10.1.0.0/30" });
      const first = await node.sandbox();
      (await callPlugin(node, engine, "bridge", "STATUS", config, {})).expectSuccess();
      (
        await callPlugin(node, engine, "bridge", "ADD", config, { containerId: "first", netns: first, ifName: "eth0" })
      ).expectSuccess();
      (await callPlugin(node, engine, "bridge", "STATUS", config, {})).expectError(
        ErrorCode.NotAvailable,
        /10\.1\.0|address/,
      );
    });

    test("a requested address that somebody has: the holder is named", async () => {
      await using node = await TestNode.create();
      const config = { ...bridge, args: { cni: { ips: ["10.1.0.77"] } } };
      const first = await node.sandbox();
      (
        await callPlugin(node, engine, "bridge", "ADD", config, { containerId: "holder", netns: first, ifName: "eth0" })
      ).expectSuccess();
      const second = await node.sandbox();
      const before = await snapshot(node, { sandboxes: [second] });
      const call = await callPlugin(node, engine, "bridge", "ADD", config, {
        containerId: "second",
        netns: second,
        ifName: "eth0",
      });
      call.expectError(ErrorCode.Taken, /10\.1\.0\.77/);
      call.expectError(ErrorCode.Taken, /holder/);
      expectSame(await snapshot(node, { sandboxes: [second] }), before, "nothing was changed");
    });

    test("an interface name that the sandbox has already: code 101", async () => {
      await using node = await TestNode.create();
      const sandbox = await node.sandbox();
      await sandbox.exec(["ip", "link", "add", "eth0", "type", "bridge"]);
      const before = await snapshot(node, { sandboxes: [sandbox] });
      const call = await callPlugin(node, engine, "ptp", "ADD", ptp, {
        containerId: "container",
        netns: sandbox,
        ifName: "eth0",
      });
      call.expectError(ErrorCode.Taken, /eth0/);
      const left = (await snapshot(node, { sandboxes: [sandbox] })).lines.filter((line) => !line.startsWith("file:"));
      expect(left).toEqual(before.lines.filter((line) => !line.startsWith("file:")));
    });

    test("a bridge's name that is another kind of link", async () => {
      await using node = await TestNode.create();
      await node.exec(["ip", "link", "add", "cni0", "type", "veth", "peer", "name", "other"]);
      const sandbox = await node.sandbox();
      const used = { containerId: "first", netns: sandbox, ifName: "eth0" };
      (await callPlugin(node, engine, "bridge", "ADD", { ...bridge, bridge: "cni1" }, used)).expectSuccess();
      (await callPlugin(node, engine, "bridge", "DEL", { ...bridge, bridge: "cni1" }, used)).expectSuccess();
      const before = await snapshot(node, { sandboxes: [sandbox] });
      const call = await callPlugin(node, engine, "bridge", "ADD", bridge, {
        containerId: "container",
        netns: sandbox,
        ifName: "eth0",
      });
      call.expectOrderlyFailure();
      expect(call.stdout).toMatch(/cni0/);
      expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
    });

    // The iptables backend keeps the reference's rules, in which the first holder keeps the port.
    test("a host port that another container has (nftables): code 101, the holder is named", async () => {
      await using node = await TestNode.create();
      const taken = async (containerId: string): Promise<PluginCall> => {
        const sandbox = await node.sandbox();
        const call = { containerId, netns: sandbox, ifName: "eth0" };
        const result = (await callPlugin(node, engine, "bridge", "ADD", bridge, call)).expectSuccess();
        const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] };
        const config = { ...portmap, backend: "nftables", prevResult: result, runtimeConfig };
        return callPlugin(node, engine, "portmap", "ADD", config, call);
      };
      (await taken("holder")).expectSuccess();
      const rules = async (): Promise<string> =>
        (await node.exec(["nft", "list", "ruleset"])).replaceAll(/packets \d+ bytes \d+/g, "");
      const before = await rules();
      (await taken("second")).expectError(ErrorCode.Taken, /8080[\s\S]*holder|holder[\s\S]*8080/);
      expect(await rules(), "the holder's rules are as they were").toBe(before);
    });
  });

  describe("delegates that misbehave", () => {
    /** Runs bridge with an IPAM plugin that is this shell script. */
    async function withDelegate(
      node: TestNode,
      suite: Suite,
      script: string,
      env: Record<string, string> = {},
    ): Promise<PluginCall> {
      const directory = join(node.directory, "plugins");
      await mkdir(directory);
      await writeFile(join(directory, "fake"), `#!/bin/sh\n${script}\n`);
      await chmod(join(directory, "fake"), 0o755);
      const sandbox = await node.sandbox();
      const before = await snapshot(node, { sandboxes: [sandbox] });
      const call = await callPlugin(
        node,
        suite,
        "ptp",
        "ADD",
        { ...ptp, ipam: { type: "fake" } },
        {
          containerId: "container",
          netns: sandbox,
          ifName: "eth0",
          path: `${directory}:${suite.directory}`,
          env,
        },
      );
      expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
      return call;
    }

    const rubbish: readonly (readonly [
      what: string,
      script: string,
      code: number | readonly number[],
      names: RegExp,
    ])[] = [
      ["prints no JSON", "cat >/dev/null; echo 'panic: oh no'", [6, 103], /fake/],
      ["prints nothing", "cat >/dev/null", [6, 103], /fake/],
      [
        "prints a result of another shape",
        `cat >/dev/null; echo '{"cniVersion":"1.1.0","ips":"none"}'`,
        [6, 103],
        /fake/,
      ],
      ["prints a list", "cat >/dev/null; echo '[]'", [6, 103], /fake/],
      ["returns no address", `cat >/dev/null; echo '{"cniVersion":"1.1.0","ips":[]}'`, [7, 103], /fake|IPAM/],
      ["fails without a word", "cat >/dev/null; exit 3", 103, /fake[\s\S]*3|3[\s\S]*fake/],
      ["fails and prints no error object", "cat >/dev/null; echo oops; exit 1", 103, /oops/],
      ["fails and speaks on stderr alone", "cat >/dev/null; echo 'no lease' >&2; exit 1", 103, /no lease/],
      [
        "fails as the specification says",
        `cat >/dev/null; echo '{"cniVersion":"1.1.0","code":142,"msg":"no lease today"}'; exit 1`,
        142,
        /no lease today/,
      ],
      ["kills itself", "kill -9 $$", 103, /fake/],
      [
        "does not read its stdin",
        `exec <&-; echo '{"cniVersion":"1.1.0","code":142,"msg":"no lease today"}'; exit 1`,
        142,
        /no lease today/,
      ],
    ];

    test.each(rubbish)("a delegate that %s", async (_what, script, code, names) => {
      await using node = await TestNode.create();
      (await withDelegate(node, engine, script)).expectError(code, names);
    });

    test("a delegate that hangs is killed with its children, and the error says so", async () => {
      await using node = await TestNode.create();
      const pids = join(node.directory, "pids");
      const script = `[ "$CNI_COMMAND" = ADD ] || exit 0\necho $$ >>${pids}\nsleep 300 & echo $! >>${pids}\nwait`;
      const call = await withDelegate(node, engine, script, { FERRULE_DEADLINE: "3" });
      call.expectError([ErrorCode.DelegateFailed, ErrorCode.TryAgain], /fake/);
      expect(call.wallMs, "it ended by its own deadline").toBeLessThan(20_000);
      const running = await node.run([
        "sh",
        "-c",
        `for p in $(cat ${pids}); do [ -d /proc/$p ] && grep -v Z /proc/$p/stat; done`,
      ]);
      expect(running.stdout, "no process is left").toBe("");
    });
  });
});
