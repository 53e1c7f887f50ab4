/** Where one suite is measured: a network namespace that plays the node, its sandboxes, and the calls. Runs under Bun. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { peakMemory } from "./peak-memory.ts";
import { runTimed, type Timing } from "./timed-process.ts";

export interface PluginConfig {
  readonly type: string;
  readonly [key: string]: unknown;
}

export type Verb = "ADD" | "DEL" | "VERSION";

/** Whom a call is about. */
export interface Container {
  readonly id: string;
  readonly netns: string;
}

export interface PluginOutcome extends Timing {
  readonly stdout: string;
}

/** What plugins find on PATH: everything, or no more than nft. */
export type Tools = "all" | "nft";

/** A directory with nft alone. */
const nftDirectory = "/run/bench/nft";

function pathOf(tools: Tools): string {
  if (tools === "all") return "/usr/sbin:/usr/bin:/sbin:/bin";
  if (!existsSync(nftDirectory)) {
    mkdirSync(nftDirectory, { recursive: true });
    symlinkSync(Bun.which("nft") ?? "/usr/sbin/nft", join(nftDirectory, "nft"));
  }
  return nftDirectory;
}

let made = 0;

function ip(words: readonly string[]): void {
  const { status, stderr } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr.trim()}`);
}

export class BenchNode {
  readonly suite: string;
  readonly directory: string;
  /** For reservations and other files of this suite alone. */
  readonly stateDirectory: string;
  readonly name: string;
  private readonly path: string;
  private readonly namespace: NetworkNamespace;
  private readonly others: string[] = [];

  constructor(suite: string, directory: string, tools: Tools) {
    made += 1;
    this.path = pathOf(tools);
    this.suite = suite;
    this.directory = directory;
    this.name = `node-${made}`;
    this.stateDirectory = `/run/bench/${this.name}`;
    ip(["netns", "add", this.name]);
    ip(["-n", this.name, "link", "set", "lo", "up"]);
    this.namespace = NetworkNamespace.open(`/run/netns/${this.name}`);
  }

  has(plugin: string): boolean {
    return existsSync(join(this.directory, plugin));
  }

  /** Runs an action with the node's network. */
  inside<T>(action: () => T): T {
    return this.namespace.enter(action);
  }

  /** A sandbox, and the container in it. */
  container(label: string): Container {
    made += 1;
    const name = `${label}-${made}`;
    ip(["netns", "add", name]);
    this.others.push(name);
    return { id: name, netns: `/run/netns/${name}` };
  }

  /** A host outside, linked to the node; the name of its namespace. The node is 192.0.2.1. */
  outside(): string {
    const name = this.container("outside").id;
    ip(["-n", this.name, "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", name]);
    ip(["-n", this.name, "address", "add", "192.0.2.1/24", "dev", "uplink"]);
    ip(["-n", this.name, "link", "set", "uplink", "up"]);
    ip(["-n", name, "address", "add", "192.0.2.2/24", "dev", "eth0"]);
    ip(["-n", name, "link", "set", "eth0", "up"]);
    return name;
  }

  /** Links that can be given to containers, each with a cable to nowhere. */
  devices(names: readonly string[]): void {
    for (const name of names) ip(["-n", this.name, "link", "add", name, "type", "veth", "peer", "name", `${name}-far`]);
  }

  /** One call as a runtime makes it. @throws Error when the plugin fails, with its words */
  call(config: PluginConfig, verb: Verb, container?: Container, ifName = "eth0"): PluginOutcome {
    const { argv, environment, stdin } = this.commandLine(config, verb, container, ifName);
    const outcome = this.inside(() => runTimed(argv, environment, stdin));
    if (outcome.status === 0) return outcome;
    const words = `${outcome.stdout}${outcome.stderr}`.trim();
    throw new Error(`${this.suite} ${config.type} ${verb} ended with ${outcome.status}: ${words}`);
  }

  /** Kilobytes that the call has resident at most. */
  async peakMemory(config: PluginConfig, verb: Verb, container?: Container): Promise<number> {
    const { argv, environment, stdin } = this.commandLine(config, verb, container, "eth0");
    return peakMemory(["/usr/bin/nsenter", `--net=/run/netns/${this.name}`, ...argv], environment, stdin);
  }

  private commandLine(config: PluginConfig, verb: Verb, container: Container | undefined, ifName: string) {
    const environment = {
      PATH: this.path,
      CNI_COMMAND: verb,
      CNI_PATH: this.directory,
      ...(container === undefined
        ? {}
        : { CNI_CONTAINERID: container.id, CNI_NETNS: container.netns, CNI_IFNAME: ifName }),
    };
    const stdin = JSON.stringify({ cniVersion: "1.0.0", name: "benchnet", ...config });
    return { argv: [join(this.directory, config.type)], environment, stdin };
  }

  remove(): void {
    this.namespace.close();
    for (const name of [...this.others, this.name]) ip(["netns", "delete", name]);
  }
}
