/**
 * A node on which a program runs containers: podman, or containerd's ctr, from Debian's packages as scripts/get-clients unpacks
 * them, with crun and a file system of busybox alone. There is no image and no registry. Used by the tests of clients.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { CommandResult } from "../helpers/command.ts";
import { projectRoot, type Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import type { Snapshot } from "../helpers/snapshot.ts";

const unpacked = join(projectRoot, ".cache/clients");
const libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map((path) => join(unpacked, path)).join(":");

/** What the programs are given before their own arguments. No cgroup is made: those are the machine's. */
const programs: readonly (readonly [name: string, ...words: string[]])[] = [
  ["podman"],
  ["conmon"],
  ["crun", "--cgroup-manager=disabled"],
  ["containerd"],
  ["ctr"],
];

/** Where the programs would write on the machine. */
const theirDirectories = [
  "/dev/shm",
  "/run/containerd",
  "/run/containers",
  "/run/crun",
  "/run/libpod",
  "/sys/fs/cgroup",
];

/** Programs that start containers take this long on a busy machine. */
const COMMAND_TIMEOUT_MS = 60_000;

/** Why there are no clients to test with, or `undefined` when they are there. */
export function clientsMissing(): string | undefined {
  if (existsSync(join(unpacked, "usr/bin/podman"))) return undefined;
  return (
    process.env["FERRULE_CLIENTS_MISSING"] ?? "the clients are not unpacked: run scripts/get-clients .cache/clients"
  );
}

/** The list that podman brings along. */
export const podmanConflist: string = join(unpacked, "etc/cni/net.d/87-podman-bridge.conflist");

export class ClientNode {
  readonly node: TestNode;
  /** A container's file system: busybox, and for each of the words a directory with an index.html that has it. */
  readonly rootfs: string;
  /** The programs, each as it needs to be run. */
  readonly bin: string;

  private constructor(node: TestNode) {
    this.node = node;
    this.rootfs = join(node.directory, "rootfs");
    this.bin = join(node.directory, "bin");
  }

  /** With the suite's plugins in /opt/cni/bin, and one page for each of `words` to serve. */
  static async create(suite: Suite, words: readonly string[]): Promise<ClientNode> {
    const client = new ClientNode(await TestNode.create());
    await client.hideMachine(suite);
    await client.wrapPrograms();
    for (const directory of ["bin", "dev", "proc", "sys", "etc", ...words]) {
      await mkdir(join(client.rootfs, directory), { recursive: true });
    }
    await copyFile(join(unpacked, "bin/busybox"), join(client.rootfs, "bin/busybox"));
    for (const word of words) await writeFile(join(client.rootfs, word, "index.html"), `${word}\n`);
    return client;
  }

  private async hideMachine(suite: Suite): Promise<void> {
    const opt = join(this.node.directory, "opt");
    for (const name of ["upper", "work"]) await mkdir(join(opt, name), { recursive: true });
    const overlay = `lowerdir=/opt,upperdir=${opt}/upper,workdir=${opt}/work`;
    const steps = [
      ...theirDirectories.map((path) => `mkdir -p ${path} && mount -t tmpfs tmpfs ${path}`),
      `mount -t overlay overlay -o ${overlay} /opt`,
      `mkdir -p /opt/cni/bin && mount --bind ${suite.directory} /opt/cni/bin`,
    ];
    await this.node.exec(["sh", "-c", steps.join(" && ")]);
  }

  private async wrapPrograms(): Promise<void> {
    await mkdir(this.bin);
    for (const [name, ...words] of programs) {
      const program = join(unpacked, "usr/bin", name);
      const script = `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${[program, ...words].join(" ")} "$@"\n`;
      await writeFile(join(this.bin, name), script);
      await chmod(join(this.bin, name), 0o755);
    }
  }

  /** The words before a program that keep the tests' own environment from it. */
  environment(variables: Readonly<Record<string, string>> = {}): string[] {
    const all = { PATH: `${this.bin}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: this.node.directory, ...variables };
    return ["env", "-i", ...Object.entries(all).map(([name, value]) => `${name}=${value}`)];
  }

  async run(argv: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    return this.node.run([...this.environment(variables), ...argv], { timeoutMs: COMMAND_TIMEOUT_MS });
  }

  /** Waits until the page that is served there is the word. */
  async expectPage(from: Namespace, address: string, port: number, word: string): Promise<void> {
    const client = ["timeout", "2", "socat", "-t", "2", "-", `TCP4:${address}:${port},connect-timeout=2`];
    const get = async (): Promise<string> => (await from.run(client, { stdin: "GET / HTTP/1.0\r\n\r\n" })).stdout;
    await expect.poll(get, { timeout: 5000 }).toMatch(new RegExp(`^HTTP/1\\.[01] 200 OK[^]*\r\n\r\n${word}\n$`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.dispose();
  }
}

/** What a node without containers must not have: ends of pairs, tables of the suite, reservations, records. */
export function containersIn(state: Snapshot): string[] {
  const marks = [
    /"ifname":"veth/,
    /nft: inet ferrule_\w+: table /,
    /file: .*-cni\/results\/[^ ]/,
    /file: .*\/networks\/.*\/[0-9a-f]*[.:][0-9a-f.:]+ /,
  ];
  return state.lines.filter((line) => marks.some((mark) => mark.test(line)));
}
