/**
 * The machine that a test's containers live on: a network namespace that plays the host, with its own links, routes, rule sets
 * and its own /var/lib/cni, /run/cni and /etc/cni. Made and removed within a test:
 *
 *   await using node = await TestNode.create();
 *   const sandbox = await node.sandbox();
 *
 *   outside[eth0 192.0.2.2] ──veth── [uplink 192.0.2.1] node ──(what the plugins make)── [eth0] sandbox
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Background } from "./background.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts";
import { currentMachine } from "./machine.ts";
import { Namespace, NSENTER } from "./namespace.ts";
import { Shell } from "./shell.ts";

/** Where plugins keep files; each node sees its own. */
export const stateDirectories: readonly string[] = [
  "/var/lib/cni",
  "/run/cni",
  "/run/ferrule",
  "/run/flannel",
  "/run/xtables",
  "/etc/cni",
];

export class TestNode extends Namespace {
  /** A directory of this node alone, for data, configurations and fake plugins. */
  readonly directory: string;
  /** Keeps the namespaces alive, for the kernel does not always let a mount namespace be bound to a file. */
  private readonly keeper: Background | Shell;
  private readonly others: Namespace[] = [];
  private readonly backgrounds: Background[] = [];

  private constructor(name: string, directory: string, keeper: Background | Shell) {
    // The root too: in a virtual machine, that of the mount namespace is another, and Bun's plugins refuse to start outside of it.
    super(name, [NSENTER, `--target=${keeper.pid}`, "--net", "--mount", "--root", "--wd"]);
    this.directory = directory;
    this.keeper = keeper;
  }

  /** A node with `lo` up and nothing else. */
  static override async create(label = "node"): Promise<TestNode> {
    const name = await Namespace.add(label);
    const directory = await mkdtemp(join(currentMachine()?.directory ?? tmpdir(), "ferrule-node-"));
    const mounts: string[] = [];
    for (const path of stateDirectories) {
      const own = join(directory, "state", path.slice(1).replaceAll("/", "-"));
      await mkdir(own, { recursive: true });
      mounts.push(`${own} ${path} none bind`);
    }
    // One `mount` for all of them: there are thousands of nodes.
    const table = join(directory, "fstab");
    await writeFile(table, `${mounts.join("\n")}\n`);
    // Slave propagation: namespaces that are made later appear under /run/netns here too.
    const enter = [NSENTER, `--net=/run/netns/${name}`, "/usr/bin/unshare", "--mount", "--propagation", "slave"];
    const script = `for each in ${stateDirectories.join(" ")}; do [ -d $each ] || mkdir -p $each; done; mount --all --fstab ${table} && mount -t sysfs sysfs /sys && ip link set lo up`;
    if (currentMachine() === undefined) {
      const shell = new Shell(enter);
      const { status, stderr } = await shell.runScript(script);
      if (status !== 0) await shell.stop();
      if (status !== 0) throw new Error(`the node ${name} cannot be made: ${stderr}`);
      return new TestNode(name, directory, shell);
    }
    const keeper = new Background([...enter, "sh", "-c", `${script} && echo ready && exec sleep infinity`]);
    await keeper.waitFor(/ready/);
    return new TestNode(name, directory, keeper);
  }

  /** Runs a program on the node: from the shell that is there, unless that has something to do. */
  override async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { keeper } = this;
    if (keeper instanceof Shell && keeper.isIdle && Shell.canRun(options)) return runCommand(argv, options, keeper);
    return super.run(argv, options);
  }

  /** Runs a shell's script on the node; its stdout, however it ends. */
  async script(text: string): Promise<string> {
    const { keeper } = this;
    if (keeper instanceof Shell && keeper.isIdle) return (await keeper.runScript(text)).stdout;
    return (await super.run(["sh", "-c", text])).stdout;
  }

  /** A container's network namespace; removed with the node. */
  async sandbox(label = "sandbox"): Promise<Namespace> {
    const sandbox = await Namespace.create(label);
    this.others.push(sandbox);
    return sandbox;
  }

  /**
   * A host outside: linked to this node's `uplink`, both families, and without a route to the containers, so that it sees only
   * what is masqueraded or mapped.
   */
  async outside(): Promise<Outside> {
    const outside = await Namespace.create("outside");
    this.others.push(outside);
    await this.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", outside.name]);
    await this.exec(["ip", "address", "add", "192.0.2.1/24", "dev", "uplink"]);
    await this.exec(["ip", "address", "add", "2001:db8:ffff::1/64", "dev", "uplink", "nodad"]);
    await this.exec(["ip", "link", "set", "uplink", "up"]);
    await outside.exec(["ip", "address", "add", "192.0.2.2/24", "dev", "eth0"]);
    await outside.exec(["ip", "address", "add", "2001:db8:ffff::2/64", "dev", "eth0", "nodad"]);
    await outside.exec(["ip", "link", "set", "eth0", "up"]);
    await outside.exec(["ip", "link", "set", "lo", "up"]);
    return {
      namespace: outside,
      nodeAddress4: "192.0.2.1",
      nodeAddress6: "2001:db8:ffff::1",
      address4: "192.0.2.2",
      address6: "2001:db8:ffff::2",
    };
  }

  /** Starts a program on the node (or in one of its namespaces) that ends with the node at the latest. */
  background(argv: readonly string[], where: Namespace = this): Background {
    const started = where.start(argv);
    this.backgrounds.push(started);
    return started;
  }

  /** Removes the node with its namespaces, programs and files. */
  async dispose(): Promise<void> {
    for (const started of this.backgrounds) await started.stop();
    await this.keeper.stop();
    await Namespace.removeAll([...this.others, this]);
    await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** The far end of a node's uplink. */
export interface Outside {
  readonly namespace: Namespace;
  readonly nodeAddress4: string;
  readonly nodeAddress6: string;
  readonly address4: string;
  readonly address6: string;
}
