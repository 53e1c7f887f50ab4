/**
 * A node with a message bus and firewalld of its own: the real programs of Debian's packages, which see nothing of the machine's
 * network, configuration and sockets.
 */
import type { Background } from "../helpers/background.ts";
import type { Suite } from "../helpers/engines.ts";
import type { TestNode } from "../helpers/node.ts";
import { FirewallNode } from "./firewall-node.ts";

/** How long firewalld may take to start; it is written in Python. */
const PATIENCE_MS = 20_000;

const directories = ["/run/dbus", "/run/firewalld", "/var/log", "/etc/firewalld"];

/** Why there is no firewalld to test with, or nothing. */
export const firewalldMissing: string | undefined = process.env["FERRULE_FIREWALLD_MISSING"];

/** Bus and firewalld of a node; they end with it at the latest. */
export class Firewalld {
  private readonly node: TestNode;
  private bus: Background | undefined;
  private daemon: Background | undefined;

  protected constructor(node: TestNode) {
    this.node = node;
  }

  /** Both run on the node. */
  static async startOn(node: TestNode): Promise<Firewalld> {
    const started = new Firewalld(node);
    await started.startBus();
    await started.start();
    return started;
  }

  protected async startBus(): Promise<void> {
    const { node } = this;
    const own = `${node.directory}/firewalld`;
    const script = directories.map(
      (path) =>
        `mkdir -p ${path} ${own}${path} && cp -a ${path}/. ${own}${path}/ && mount --bind ${own}${path} ${path}`,
    );
    await node.exec(["sh", "-ec", script.join("\n")]);
    // What it would ask the machine's kernel to load is there, or not to be had.
    await node.exec(["sh", "-ec", "mkdir -p /run/ferrule/empty && rm -f /run/dbus/*"]);
    const config = "/etc/firewalld/firewalld.conf";
    await node.exec(["sed", "-i", "-e", "s/^IPv6_rpfilter=.*/IPv6_rpfilter=no/", config]);
    this.bus = node.background(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address=1"]);
    await this.bus.waitFor(/unix:/);
  }

  /** Starts firewalld and waits until it answers. */
  async start(): Promise<void> {
    this.daemon = this.node.background(["firewalld", "--nofork", "--nopid"]);
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { stdout, stderr } = await this.node.run(["firewall-cmd", "--state"]);
      if (stdout.trim() === "running") return;
      if (performance.now() > deadline) {
        throw new Error(`firewalld does not start: ${stdout}${stderr}\n${this.daemon.stdout}${this.daemon.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends firewalld, which takes its rules along. */
  async stop(): Promise<void> {
    await this.daemon?.stop("SIGTERM");
    this.daemon = undefined;
  }

  /** Lets firewalld hang, and go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    if (this.daemon !== undefined) process.kill(this.daemon.pid, signal);
  }

  /** What firewall-cmd prints. */
  async command(...words: readonly string[]): Promise<string> {
    return (await this.node.exec(["firewall-cmd", ...words])).trim();
  }

  /** The addresses that the zone has. */
  async sources(zone = "trusted"): Promise<string[]> {
    const text = await this.command(`--zone=${zone}`, "--list-sources");
    return text === "" ? [] : text.split(" ").toSorted();
  }

  protected async stopBus(): Promise<void> {
    await this.bus?.stop();
  }
}

/** A node of the firewall's tests with bus and firewalld. */
export class FirewalldNode extends Firewalld {
  readonly lab: FirewallNode;

  private constructor(lab: FirewallNode) {
    super(lab.node);
    this.lab = lab;
  }

  /** Both run; with `started` false only the bus does. */
  static async create(suite: Suite, started = true): Promise<FirewalldNode> {
    const created = new FirewalldNode(await FirewallNode.create(suite));
    try {
      await created.startBus();
      if (started) await created.start();
    } catch (error) {
      await created.lab.node.dispose();
      throw error;
    }
    return created;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.stopBus();
    await this.lab.node.dispose();
  }
}
