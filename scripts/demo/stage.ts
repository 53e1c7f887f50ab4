/** The demonstration's stage: a node, a host outside, sandboxes, and commands run among them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { showCommand, showOutput } from "./terminal.ts";

/** Where the files of plugins and runtimes are. */
const stateDirectories = ["/etc/cni", "/run/cni", "/run/ferrule", "/run/flannel", "/var/lib/cni"];
/** Switches of the kernel that attaching containers may turn. */
const switches = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];

export class CommandFailed extends Error {}

export interface CommandOptions {
  /** Network namespace; the node itself when left out. */
  readonly in?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** What is shown of the output; all when left out, nothing when `""`. */
  readonly show?: (output: string) => string;
  /** What is typed, where the real command is longer. */
  readonly shownAs?: string;
  /** Exit status other than 0 that is expected. */
  readonly fails?: boolean;
}

/** Runs a command without showing it; its stdout. @throws CommandFailed */
export function quietly(argv: readonly string[], options: CommandOptions = {}): string {
  const inside = options.in === undefined ? argv : ["ip", "netns", "exec", options.in, ...argv];
  const [file = "", ...words] = inside;
  const { status, stdout, stderr, error } = spawnSync(file, words, {
    input: options.stdin ?? "",
    encoding: "utf8",
    env: { ...process.env, ...options.environment },
    timeout: 60_000,
  });
  if (error !== undefined) throw new CommandFailed(`${argv.join(" ")}: ${error.message}`);
  const failed = status !== 0;
  if (options.fails === true && failed) return `${stdout}${stderr}`;
  if (options.fails !== true && !failed) return stdout;
  throw new CommandFailed(`${argv.join(" ")} ended with ${status ?? "a signal"}:\n${stdout}${stderr}`.trimEnd());
}

/** Shows a command, runs it, shows what it prints; its stdout. @throws CommandFailed */
export function typed(argv: readonly string[], options: CommandOptions = {}): string {
  showCommand(options.in ?? "", options.shownAs ?? argv.join(" "));
  const output = quietly(argv, options);
  showOutput(options.show === undefined ? output : options.show(output));
  return output;
}

/** Connects the node with a host outside that knows nothing of the containers' networks. */
export function raiseOutside(): void {
  const batch = (namespace: readonly string[], lines: string): string =>
    quietly(["ip", ...namespace, "-batch", "-"], { stdin: lines });
  batch([], "netns add outside\nlink add uplink type veth peer name eth0 netns outside\n");
  // Link-local addresses of our own: the kernel's would settle some time after the first snapshot.
  batch([], ends("uplink", "1"));
  batch(["-n", "outside"], `link set lo up\n${ends("eth0", "2")}`);
  // IPv6 begins to work when the kernel has noticed the carrier, up to a second later.
  quietly(["ping", "-c", "1", "-w", "5", "2001:db8::2"]);
}

function ends(link: string, host: string): string {
  return [
    `link set ${link} addrgenmode none`,
    `address add 192.0.2.${host}/24 dev ${link}`,
    `address add 2001:db8::${host}/64 dev ${link} nodad`,
    `address add fe80::${host}/64 dev ${link} nodad`,
    `link set ${link} up`,
    "",
  ].join("\n");
}

/** A sandbox as runtimes make them: a network namespace with nothing in it but `lo`. */
export function makeSandbox(name: string): void {
  quietly(["ip", "netns", "add", name]);
}

/** Starts a program that prints "ready" when it is. */
export async function startService(namespace: string, argv: readonly string[]): Promise<ChildProcess> {
  const service = spawn("ip", ["netns", "exec", namespace, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(service, "exit").then(() => {
    throw new CommandFailed(`${argv.join(" ")} ended at once`);
  });
  await Promise.race([once(service.stdout, "data"), ended]);
  ended.catch(() => undefined);
  return service;
}

/** Everything that attaching containers can change on the node, as text; equal texts mean that nothing is left. */
export function snapshot(): string[] {
  const lines: string[] = [];
  for (const [title, argv] of [
    ["link", ["ip", "-d", "-o", "link"]],
    ["address", ["ip", "-o", "address"]],
    ["route", ["ip", "route", "show", "table", "all"]],
    ["route6", ["ip", "-6", "route", "show", "table", "all"]],
    ["rule", ["ip", "rule"]],
    ["rule6", ["ip", "-6", "rule"]],
    ["qdisc", ["tc", "qdisc"]],
    ["nft", ["nft", "list", "ruleset"]],
  ] as const) {
    for (const line of quietly(argv).split("\n")) if (line.trim() !== "") lines.push(`${title}: ${line.trimEnd()}`);
  }
  for (const name of switches) lines.push(`sysctl: ${name} = ${readFileSync(`/proc/sys/${name}`, "utf8").trim()}`);
  for (const directory of stateDirectories) lines.push(...files(directory));
  return lines;
}

function files(directory: string): string[] {
  const lines: string[] = [];
  let names: string[];
  try {
    names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch (_) {
    return lines;
  }
  for (const name of names.sort()) {
    const path = join(directory, name);
    const isDirectory = statSync(path).isDirectory();
    lines.push(isDirectory ? `directory: ${path}` : `file: ${path}: ${JSON.stringify(readFileSync(path, "utf8"))}`);
  }
  return lines;
}

/** What one snapshot has more than the other. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...come];
}
