/** containerd 2 and its ctr, which attaches containers through go-cni: lists in /etc/cni/net.d, plugins in /opt/cni/bin. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Background } from "../helpers/background.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import { expectSameEventually, snapshot } from "../helpers/snapshot.ts";
import { ClientNode, clientsMissing, containersIn } from "./client-node.ts";

const BOOT_TIMEOUT_MS = 20_000;

const list = {
  cniVersion: "1.1.0",
  name: "net",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipMasq: true,
      ipam: {
        type: "host-local",
        // Room for two containers.
        ranges: [
          [{ subnet: "10.5.0.0/24", rangeStart: "10.5.0.10", rangeEnd: "10.5.0.11" }],
          [{ subnet: "fd00:5::/64" }],
        ],
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

/** What crun is to make: all namespaces, and no cgroup. Older than containerd's own, which Debian 12's crun does not know. */
function specification(rootfs: string, args: readonly string[]): object {
  const capabilities = ["CAP_NET_RAW", "CAP_NET_BIND_SERVICE"];
  return {
    ociVersion: "1.0.2",
    root: { path: rootfs },
    process: {
      user: { uid: 0, gid: 0 },
      cwd: "/",
      args,
      env: ["PATH=/bin"],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })) },
  };
}

/** A node with containerd running. */
class Containerd {
  readonly client: ClientNode;
  private readonly socket: string;

  private constructor(client: ClientNode) {
    this.client = client;
    this.socket = join(client.node.directory, "containerd.sock");
  }

  static async create(suite: Suite): Promise<Containerd> {
    const client = await ClientNode.create(suite, ["one", "two"]);
    const { node } = client;
    const configuration = `
version = 3
root = "${node.directory}/root"
state = "${node.directory}/running"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
  "io.containerd.nri.v1.nri"]
[grpc]
address = "${node.directory}/containerd.sock"
`;
    await writeFile(join(node.directory, "containerd.toml"), configuration);
    await node.exec(["sh", "-c", "mkdir -p /etc/cni/net.d && cat > /etc/cni/net.d/10-net.conflist"], {
      stdin: JSON.stringify(list),
    });
    const daemon = ["containerd", "--config", join(node.directory, "containerd.toml")];
    await node.background([...client.environment(), ...daemon]).waitFor(/successfully booted/, BOOT_TIMEOUT_MS);
    return new Containerd(client);
  }

  private ctr(...words: string[]): string[] {
    return [...this.client.environment(), "ctr", "--address", this.socket, ...words];
  }

  /**
   * Starts `ctr run --cni` of a container that serves the page of its name on port 80. With "--rm" it stays until that is killed
   * and takes the network away, with "--detach" it only starts it.
   */
  async start(name: string, way: "--rm" | "--detach" = "--rm"): Promise<Background> {
    const server = `busybox ip address show dev eth0; echo started; exec busybox httpd -f -p 80 -h /${name}`;
    const directory = join(this.client.node.directory, "specifications");
    await mkdir(directory, { recursive: true });
    const file = join(directory, `${name}.json`);
    await writeFile(file, JSON.stringify(specification(this.client.rootfs, ["/bin/busybox", "sh", "-c", server])));
    const crun = join(this.client.bin, "crun");
    const run = ["run", way, "--cni", "--runc-binary", crun, "--config", file, name];
    return this.client.node.background(this.ctr(...run));
  }

  /** Kills a container; what its `ctr run` said on stderr until it had taken the network away. */
  async kill(name: string, started: Background): Promise<string> {
    await this.client.node.exec(this.ctr("task", "kill", "--signal", "SIGKILL", name));
    await started.end();
    return started.stderr;
  }

  async inside(name: string, ...words: string[]): Promise<string> {
    return this.client.node.exec(this.ctr("task", "exec", "--exec-id", "helper", name, "/bin/busybox", ...words));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

const missing = clientsMissing();
const suffix = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined).each(engines)(`$name${suffix}`, (suite) => {
  test("containers that ctr attaches reach each other and the outside, and their end leaves nothing", async () => {
    await using containerd = await Containerd.create(suite);
    const { client } = containerd;
    const { node } = client;
    const outside = await node.outside();
    // What stays for the next container: the bridge, forwarding.
    const first = await containerd.start("one");
    await first.waitFor(/started/, BOOT_TIMEOUT_MS);
    expect(await containerd.kill("one", first)).toBe("");
    const before = await snapshot(node);
    expect(containersIn(before)).toEqual([]);

    const [one, two] = [await containerd.start("one"), await containerd.start("two")];
    await Promise.all([one.waitFor(/started/, BOOT_TIMEOUT_MS), two.waitFor(/started/, BOOT_TIMEOUT_MS)]);
    const addressOf = (started: Background): string =>
      / inet (10\.5\.0\.1[01])\/24 /.exec(started.stdout)?.[1] ?? "none";
    expect([addressOf(one), addressOf(two)].toSorted()).toEqual(["10.5.0.10", "10.5.0.11"]);
    expect(one.stdout).toMatch(/ inet6 fd00:5::[0-9a-f]+\/64 /);
    for (const address of ["10.5.0.1", "fd00:5::1", addressOf(two), outside.address4, outside.address6]) {
      await containerd.inside("one", "ping", "-c", "1", "-W", "2", address);
    }
    await client.expectPage(node, addressOf(two), 80, "two");

    expect(await containerd.kill("one", one)).toBe("");
    await containerd.inside("two", "ping", "-c", "1", "-W", "2", outside.address4);
    expect(await containerd.kill("two", two)).toBe("");
    await expectSameEventually(() => snapshot(node), before);
  });

  test("a container that gets no address is refused with the plugin's words, and the others go on", async () => {
    await using containerd = await Containerd.create(suite);
    const [one, two] = [await containerd.start("one"), await containerd.start("two")];
    await Promise.all([one.waitFor(/started/, BOOT_TIMEOUT_MS), two.waitFor(/started/, BOOT_TIMEOUT_MS)]);
    const before = await snapshot(containerd.client.node);
    // Otherwise ctr waits for the container that it did not start, whosever plugins these are.
    const three = await containerd.start("three", "--detach");
    await three.end();
    expect(three.stderr).toMatch(/plugin type="bridge" failed \(add\): .*10\.5\.0\.10-10\.5\.0\.11/);
    await expectSameEventually(() => snapshot(containerd.client.node), before);
    await containerd.inside("two", "ping", "-c", "1", "-W", "2", "10.5.0.1");
  });
});
