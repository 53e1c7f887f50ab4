/** A sandbox with interfaces eth0 and net1 of a test's own making, for what sbr does to addresses, routes and rules. */
import type { Suite } from "../helpers/engines.ts";
import type { JsonRow, Namespace } from "../helpers/namespace.ts";
import type { TestNode } from "../helpers/node.ts";
import { callPlugin, type Json, type PluginCall, type Verb } from "../helpers/plugin.ts";

/** Both interfaces up, with these addresses; what is at their other ends is up, too. */
export async function routedSandbox(node: TestNode, commands: readonly string[] = []): Promise<Namespace> {
  const sandbox = await node.sandbox();
  const links = ["eth0", "net1"].flatMap((name) => [
    `link add ${name} type veth peer name far-${name}`,
    `link set far-${name} up`,
    `link set ${name} up`,
  ]);
  const addresses = [
    "address add 10.0.0.5/24 dev eth0",
    "address add 2001:db8:0::5/64 dev eth0 nodad",
    "address add 10.1.0.5/24 dev net1",
    "address add 2001:db8:1::5/64 dev net1 nodad",
    "route add default via 10.0.0.1",
    "route add default via 2001:db8:0::1",
  ];
  await batch(sandbox, ["link set lo up", ...links, ...addresses, ...commands]);
  return sandbox;
}

/** Commands of `ip`, one after the other. */
export async function batch(sandbox: Namespace, commands: readonly string[]): Promise<void> {
  await sandbox.exec(["ip", "-batch", "-"], { stdin: `${commands.join("\n")}\n` });
}

export interface Ip {
  readonly address: string;
  readonly gateway?: string;
}

export const both: readonly Ip[] = [
  { address: "10.1.0.5/24", gateway: "10.1.0.1" },
  { address: "2001:db8:1::5/64", gateway: "2001:db8:1::1" },
];

/** A result of the plugin before: net1 with these addresses, and eth0 with its own. */
export function resultOf(sandbox: Namespace, ips: readonly Ip[] = both): Json {
  return {
    cniVersion: "1.0.0",
    interfaces: [
      { name: "eth0", sandbox: sandbox.path },
      { name: "net1", sandbox: sandbox.path },
    ],
    ips: [...ips.map((ip) => ({ ...ip, interface: 1 })), { address: "10.0.0.5/24", interface: 0 }],
  };
}

/** One call of sbr for net1. */
export async function callSbr(
  node: TestNode,
  suite: Suite,
  verb: Verb,
  sandbox: Namespace,
  config: object = {},
  prevResult: Json = resultOf(sandbox),
): Promise<PluginCall> {
  const full = { cniVersion: "1.0.0", name: "second", type: "sbr", ...config, prevResult };
  return callPlugin(node, suite, "sbr", verb, full, { containerId: "container", netns: sandbox, ifName: "net1" });
}

/** Routes of all tables but the local one, both families, without those of IPv6's link-local addresses and the kernel's states. */
export async function routesOf(sandbox: Namespace): Promise<JsonRow[]> {
  const rows: JsonRow[] = [];
  for (const family of ["-4", "-6"]) {
    for (const row of await sandbox.ip("-d", family, "route", "show", "table", "all")) {
      if (row["table"] === "local" || /^(fe80|ff00)::/.test(String(row["dst"]))) continue;
      rows.push({ family, table: "main", ...row });
    }
  }
  return rows;
}

/** "10.1.0.5 100": address and table of each rule that names an address. */
export async function rulesOf(sandbox: Namespace): Promise<string[]> {
  const rules: string[] = [];
  for (const family of ["-4", "-6"]) {
    for (const row of await sandbox.ip(family, "rule")) {
      if (row["src"] !== "all") rules.push(`${row["src"]} ${row["table"]}`);
    }
  }
  return rules.toSorted();
}

/** The routes of a table, one line each, as `ip route` prints them. */
export async function tableOf(sandbox: Namespace, table: number | "main"): Promise<string[]> {
  const lines: string[] = [];
  for (const family of ["-4", "-6"]) {
    const { stdout } = await sandbox.run(["ip", family, "route", "show", "table", String(table)]);
    const text = stdout.replaceAll(/\s*\n\s+/g, " ");
    lines.push(...text.split("\n").map((line) => line.trim().replace(/ pref medium\b/g, "")));
  }
  return lines.filter((line) => line !== "" && !line.startsWith("fe80::")).toSorted();
}

/** A route but for its table; ways of other interfaces apart. */
export function withoutTable(row: JsonRow): string {
  const { table, flags, ...rest } = row;
  const states = ["linkdown", "dead", "offload"];
  return JSON.stringify({ ...rest, flags: (flags ?? []).filter((flag: string) => !states.includes(flag)) });
}

/** Whether a route, or a way of it, leads over net1. */
export function isOverNet1(row: JsonRow): boolean {
  return row["dev"] === "net1" || (row["nexthops"] ?? []).some((hop: JsonRow) => hop["dev"] === "net1");
}
