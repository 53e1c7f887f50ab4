/**
 * All that plugins may leave on a node or in a sandbox, as text lines, so that "nothing is left" is one comparison. What the
 * kernel changes by itself (timers, carrier, link-local addresses and their routes) is left out.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { currentMachine } from "./machine.ts";
import type { JsonRow, Namespace } from "./namespace.ts";
import { stateDirectories, type TestNode } from "./node.ts";
import { quoted } from "./shell.ts";

/** A snapshot: sections of lines. */
export interface Snapshot {
  readonly lines: readonly string[];
}

export interface SnapshotOptions {
  /** More directories whose files count, such as a dataDir. */
  readonly directories?: readonly string[];
  /** Sandboxes that count too. */
  readonly sandboxes?: readonly Namespace[];
}

/** Global sysctls that plugins set, and those they set for an interface. */
const globalSysctls = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/all/accept_ra"];
const interfaceSysctls = [
  ...["ipv4/conf/*/route_localnet", "ipv4/conf/*/rp_filter", "ipv4/conf/*/arp_notify", "ipv4/conf/*/proxy_arp"],
  ...["ipv4/conf/*/forwarding", "ipv4/conf/*/arp_filter", "ipv6/conf/*/accept_ra", "ipv6/conf/*/disable_ipv6"],
  ...["ipv6/conf/*/accept_dad", "ipv6/conf/*/proxy_ndp", "ipv6/conf/*/keep_addr_on_down", "ipv6/conf/*/forwarding"],
];

const sysctls = [...globalSysctls, ...interfaceSysctls.map((each) => `net/${each}`)].map((each) => `/proc/sys/${each}`);

type Section = readonly [name: string, command: string];

/**
 * Each prints one section; a tool that fails (no such table, no such family) prints nothing. A fault is tried at hundreds of steps, with
 * snapshots after each, so programs are few: `ip` does several things at once, iptables is asked where it may have tables, and the
 * shell reads the sysctls itself.
 */
const everywhere: readonly Section[] = [
  ["4", "ip -j -d -4 -batch - <<E\nlink\naddress\nroute show table all\nrule\nE"],
  ["6", "ip -j -d -6 -batch - <<E\naddress\nroute show table all\nrule\nE"],
  [
    "sysctl",
    `for each in ${sysctls.join(" ")}; do value=; read -r value <$each; echo "\${each#/proc/sys/}:$value"; done`,
  ],
];
/** No plugin makes rules or queues in a sandbox. */
const onNode: readonly Section[] = [
  ["qdisc", "tc -j qdisc"],
  ["nft", "rules=$(nft list ruleset); printf '%s' \"$rules\""],
  ["iptables", 'case $rules in *"table ip "*) iptables-save ;; esac'],
  ["ip6tables", 'case $rules in *"table ip6 "*) ip6tables-save ;; esac'],
  ["legacy", "test ! -s /proc/net/ip_tables_names || iptables-legacy-save"],
  ["legacy6", "test ! -s /proc/net/ip6_tables_names || ip6tables-legacy-save"],
];

/** Prints sections, each behind a line with its place and name. */
function scriptOf(place: string, sections: readonly Section[]): string {
  return sections.map(([name, command]) => `printf '\\036${place} ${name}\n'\n${command}`).join("\n");
}

/** The state of a node, and of sandboxes if given. */
export async function snapshot(node: TestNode, options: SnapshotOptions = {}): Promise<Snapshot> {
  const scripts = [scriptOf("node", [...everywhere, ...onNode])];
  for (const [index, sandbox] of (options.sandboxes ?? []).entries()) {
    scripts.push(`nsenter --net=${sandbox.path} sh -c ${quoted(scriptOf(`sandbox-${index}`, everywhere))}`);
  }
  const lines: string[] = [];
  for (const text of (await node.script(`{\n${scripts.join("\n")}\n} 2>/dev/null`)).split("\x1e").slice(1)) {
    const end = text.indexOf("\n");
    const [place = "", name = ""] = text.slice(0, end).split(" ");
    for (const line of sectionLines(name, text.slice(end))) lines.push(`${place} ${line}`);
  }
  const roots = stateDirectories.map((path) => join(node.directory, "state", path.slice(1).replaceAll("/", "-")));
  for (const root of [...roots, ...(options.directories ?? [])]) {
    lines.push(...(await fileLines(root, root.startsWith(node.directory) ? root.slice(node.directory.length) : root)));
  }
  return { lines };
}

/** Asserts that two snapshots are the same; the difference is what vitest prints. */
export function expectSame(after: Snapshot, before: Snapshot, what = "nothing is left"): void {
  expect(after.lines, what).toEqual(before.lines);
}

/**
 * Takes snapshots until one equals `before`, for what the kernel removes in its own time (the links of a removed namespace);
 * the last one is compared.
 */
export async function expectSameEventually(
  take: () => Promise<Snapshot>,
  before: Snapshot,
  what = "nothing is left",
  timeoutMs = currentMachine() === undefined ? 10_000 : 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let after = await take();
  while (after.lines.join("\n") !== before.lines.join("\n") && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    after = await take();
  }
  expectSame(after, before, what);
}

function sectionLines(name: string, text: string): string[] {
  switch (name) {
    case "4":
    case "6":
      return familyLines(name, rows(text));
    case "qdisc":
      // In the order in which links came into the namespace.
      return (
        rows(text)
          .map((row) => `qdisc: ${stable(row)}`)
          // An htb counts packets among its options.
          .map((line) => line.replace(/"direct_packets_stat":\d+/, '"direct_packets_stat":0'))
          .toSorted()
      );
    case "nft":
      return rulesetLines(text);
    case "iptables":
    case "ip6tables":
    case "legacy":
    case "legacy6":
      // An empty table is none, and counters and dates are not state.
      return plainLines(text.replaceAll(/\[\d+:\d+\]/g, ""))
        .filter((line) => !/^(#|COMMIT|\*|:\w+ ACCEPT)/.test(line))
        .map((line) => `${name}: ${line}`);
    default:
      return plainLines(text).map((line) => `${name}: ${line}`);
  }
}

/** Each line behind the family and name of its table, and without counters. */
function rulesetLines(text: string): string[] {
  let table = "";
  const lines: string[] = [];
  for (const line of plainLines(text.replaceAll(/packets \d+ bytes \d+/g, ""))) {
    if (line.startsWith("# Warning: ")) continue;
    table = /^table (.*) \{$/.exec(line)?.[1] ?? table;
    lines.push(`nft: ${table}: ${line}`);
  }
  return lines;
}

/** Links and addresses (which have an ifindex), rules (a priority) and routes (neither). */
function familyLines(family: string, all: readonly JsonRow[]): string[] {
  const ofLinks = all.filter((row) => row["ifindex"] !== undefined).toSorted((a, b) => a["ifindex"] - b["ifindex"]);
  const links = ofLinks.filter((row) => row["addr_info"] === undefined).map((row) => stable(row));
  const addresses = ofLinks.flatMap((row) => addressLines(row));
  const others = all.filter((row) => row["ifindex"] === undefined);
  const isRule = (row: JsonRow): boolean => row["priority"] !== undefined;
  const routes = others.filter((row) => !isRule(row) && isRouteOfSomebody(row)).map((row) => stable(row));
  const rules = others.filter((row) => isRule(row) && !isRuleOfVrfs(row)).map((row) => stable(row));
  return [
    ...links.map((line) => `link: ${line}`),
    ...addresses.map((line) => `address${family}: ${line}`),
    ...routes.toSorted().map((line) => `route${family}: ${line}`),
    ...rules.map((line) => `rule${family}: ${line}`),
  ];
}

/** The kernel makes it with a namespace's first VRF and never again, so that nobody can take it back. */
function isRuleOfVrfs(row: JsonRow): boolean {
  return "l3mdev" in row;
}

/** One JSON array a line: `ip -batch` prints one for each of its lines. */
function rows(text: string): JsonRow[] {
  return plainLines(text).flatMap((line) => JSON.parse(line) as JsonRow[]);
}

function plainLines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** Members that never tell anything here, and only make differences hard to read. */
const silent =
  /^num_[rt]x_queues$|^g[sr]o_|^tso_|^inet6_addr_gen|^mcast_|^multicast_|^nf_call_|^group_(fwd|addr)|^m(in|ax)_mtu$|_(id|port|cost)$|flood$|^addr_info$/;

/** Members that the kernel changes by itself: promiscuity counts what is on top of a link, wherever that is. */
const restless =
  /timer|^promiscuity$|^topology_change|^operstate$|life_time$|^tentative$|^flags$|^link_netnsid$|^expires$|^used$/;

function stable(row: JsonRow): string {
  return JSON.stringify(row, (key, value) => {
    if (silent.test(key)) return undefined;
    if (!restless.test(key)) return value;
    if (key !== "flags" || !Array.isArray(value)) return undefined;
    return value.filter((flag) => !["NO-CARRIER", "LOWER_UP", "linkdown", "dead"].includes(flag)).toSorted();
  });
}

function addressLines(row: JsonRow): string[] {
  const lines: string[] = [];
  for (const address of row["addr_info"] ?? []) {
    if (address.scope === "link" && address.family === "inet6") continue;
    // The kernel gives lo these when it first comes up, and lets it keep them.
    if (address.local === "127.0.0.1" || address.local === "::1") continue;
    lines.push(`${row["ifname"]} ${stable(address)}`);
  }
  return lines.toSorted();
}

/** The kernel's own IPv6 routes come and go with the carrier, and when duplicate address detection ends. */
function isRouteOfSomebody(row: JsonRow): boolean {
  const madeByKernel = row["table"] === "local" && String(row["dst"]).includes(":");
  return !madeByKernel && !/^(fe80|ff00)::/.test(String(row["dst"]));
}

/** Files that remember only where to go on or when they were written, which an undone ADD need not set back. */
const cursors = /\/last_reserved_ip\.\d+$|\/\.ferrule\/[^/]+\/complete$/;

/** A file's content; the lines of an index are in no order. */
async function content(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  return path.includes("/.ferrule/") ? text.split("\n").toSorted().join("\n").trimStart() : text;
}

async function fileLines(root: string, shown: string): Promise<string[]> {
  const lines: string[] = [];
  let names: string[];
  try {
    names = await readdir(root, { recursive: true });
  } catch (_) {
    return lines;
  }
  for (const name of names.toSorted()) {
    const path = join(root, name);
    const { mode } = await stat(path);
    const permissions = (mode & 0o7777).toString(8);
    if ((mode & 0o170000) === 0o040000) lines.push(`file: ${shown}/${name}/ ${permissions}`);
    else if ((mode & 0o170000) !== 0o100000 || cursors.test(path)) lines.push(`file: ${shown}/${name} ${permissions}`);
    else lines.push(`file: ${shown}/${name} ${permissions} ${JSON.stringify(await content(path))}`);
  }
  return lines;
}
