/**
 * podman, the last release with CNI, with the list it brings along: bridge, host-local, portmap, firewall and tuning.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { expectSameEventually, snapshot } from "../helpers/snapshot.ts";
import { ClientNode, clientsMissing, containersIn, podmanConflist } from "./client-node.ts";

/** A node with podman, which keeps all its files in the node's directory. */
class Podman {
  readonly client: ClientNode;
  private readonly variables: Readonly<Record<string, string>>;

  private constructor(client: ClientNode) {
    this.client = client;
    this.variables = {
      CONTAINERS_CONF: join(client.node.directory, "containers.conf"),
      CONTAINERS_STORAGE_CONF: join(client.node.directory, "storage.conf"),
    };
  }

  static async create(suite: Suite): Promise<Podman> {
    const client = await ClientNode.create(suite, ["one", "two"]);
    const { directory } = client.node;
    const settings = `
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${suite.directory}", "${reference.directory}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
conmon_path = ["${client.bin}/conmon"]
runtime = "crun"
tmp_dir = "${directory}/tmp"
[engine.runtimes]
crun = ["${client.bin}/crun"]
`;
    const storage = `[storage]\ndriver = "vfs"\nrunroot = "${directory}/running"\ngraphroot = "${directory}/storage"\n`;
    await writeFile(join(directory, "containers.conf"), settings);
    await writeFile(join(directory, "storage.conf"), storage);
    await client.node.exec(["sh", "-c", `mkdir -p /etc/cni/net.d && cp ${podmanConflist} /etc/cni/net.d/`]);
    return new Podman(client);
  }

  /** What it prints. @throws when it fails, or complains */
  async succeed(...words: string[]): Promise<string> {
    const outcome = await this.client.run(["podman", ...words], this.variables);
    expect(`${outcome.stderr}${outcome.status}`, `podman ${words.join(" ")}`).toBe("0");
    return outcome.stdout;
  }

  /** What it complains. @throws when it succeeds */
  async fail(...words: string[]): Promise<string> {
    const outcome = await this.client.run(["podman", ...words], this.variables);
    expect(outcome.status, `podman ${words.join(" ")}`).not.toBe(0);
    return outcome.stderr;
  }

  /** Starts a container that serves the page of its name on port 80. */
  async serve(name: string, ...options: string[]): Promise<void> {
    const server = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", `/${name}`];
    await this.succeed("run", "-d", "--name", name, ...options, "--rootfs", this.client.rootfs, ...server);
  }

  /** Runs a program of busybox in a container. */
  async inside(name: string, ...words: string[]): Promise<string> {
    return this.succeed("exec", name, "/bin/busybox", ...words);
  }

  async remove(...names: string[]): Promise<void> {
    await this.succeed("rm", "-f", "-t", "0", ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

const missing = clientsMissing() ?? referenceMissing();
const suffix = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined).each(engines)(`$name${suffix}`, (suite) => {
  test("containers of podman's own network are reached, from the outside too, and podman rm leaves nothing", async () => {
    await using podman = await Podman.create(suite);
    const { client } = podman;
    const { node } = client;
    const { namespace: outside, nodeAddress4 } = await node.outside();
    // What stays for the next container: the bridge, forwarding, the chains that firewall makes.
    await podman.serve("one", "-p", "8080:80");
    await podman.remove("one");
    const before = await snapshot(node);
    expect(containersIn(before)).toEqual([]);

    await podman.serve("one", "-p", "8080:80");
    await podman.serve("two", "-p", "127.0.0.1:8081:80", "-p", "5353:53/udp");
    const ours = containersIn(await snapshot(node)).filter((line) => line.includes("table inet ferrule_"));
    expect(ours.join("\n"), "these plugins did it").toMatch(suite === reference ? /^$/ : /masquerade[\s\S]*portmap/);
    const addressOfTwo = (await podman.succeed("inspect", "two", "-f", "{{.NetworkSettings.IPAddress}}")).trim();
    expect(await podman.inside("two", "ip", "-4", "address", "show", "dev", "eth0")).toContain(` ${addressOfTwo}/16 `);
    await podman.inside("one", "ping", "-c", "1", "-W", "2", "10.88.0.1");
    await client.expectPage(outside, nodeAddress4, 8080, "one");
    await client.expectPage(node, "127.0.0.1", 8080, "one");
    await client.expectPage(node, "127.0.0.1", 8081, "two");
    expect(await podman.inside("one", "wget", "-q", "-O", "-", `http://${addressOfTwo}/`)).toBe("two\n");
    expect(await podman.inside("two", "wget", "-q", "-O", "-", `http://${nodeAddress4}:8080/`)).toBe("one\n");

    await podman.remove("one");
    await client.expectPage(node, "127.0.0.1", 8081, "two");
    await podman.remove("two");
    await expectSameEventually(() => snapshot(node), before);
  });

  test("a container that podman restarts is reached again", async () => {
    await using podman = await Podman.create(suite);
    const { node } = podman.client;
    await podman.serve("one", "-p", "8080:80");
    await podman.succeed("restart", "-t", "0", "one");
    await podman.client.expectPage(node, "127.0.0.1", 8080, "one");
    const records = containersIn(await snapshot(node)).filter((line) => /results|networks/.test(line));
    expect(records, "one reservation and one record").toHaveLength(2);
  });

  test("podman network reload puts back what somebody flushed", async () => {
    await using podman = await Podman.create(suite);
    const { node } = podman.client;
    const { namespace: outside, nodeAddress4 } = await node.outside();
    await podman.serve("one", "-p", "8080:80");
    await podman.client.expectPage(outside, nodeAddress4, 8080, "one");
    await node.exec(["nft", "flush", "ruleset"]);
    await podman.succeed("network", "reload", "one");
    await podman.client.expectPage(outside, nodeAddress4, 8080, "one");
    await podman.remove("one");
    await expect.poll(async () => containersIn(await snapshot(node))).toEqual([]);
  });

  test("a network that podman makes has both families, and gives the address and the MAC asked for", async () => {
    await using podman = await Podman.create(suite);
    const subnets = ["--subnet", "10.99.0.0/24", "--subnet", "fd00:99::/64"];
    await podman.succeed("network", "create", "--disable-dns", "--ipv6", ...subnets, "blue");
    const fixed = ["--ip", "10.99.0.77", "--mac-address", "02:00:00:00:00:77"];
    await podman.serve("one", "--network", "blue", ...fixed, "-p", "8080:80");
    const addresses = await podman.inside("one", "ip", "address", "show", "dev", "eth0");
    expect(addresses).toMatch(/link\/ether 02:00:00:00:00:77 /);
    expect(addresses).toMatch(/inet 10\.99\.0\.77\/24 /);
    expect(addresses).toMatch(/inet6 fd00:99::[0-9a-f]+\/64 /);
    await podman.inside("one", "ping", "-c", "1", "-W", "2", "fd00:99::1");
    await podman.client.expectPage(podman.client.node, "127.0.0.1", 8080, "one");

    const words = await podman.fail(
      ...["run", "--rm", "--network", "blue", "--ip", "10.99.0.77"],
      ...["--rootfs", podman.client.rootfs, "/bin/busybox", "true"],
    );
    expect(words, "the plugin's own words").toMatch(/plugin type="bridge" failed \(add\): .*10\.99\.0\.77/);
    await podman.client.expectPage(podman.client.node, "127.0.0.1", 8080, "one");
    await podman.remove("one");
    await podman.succeed("network", "rm", "blue");
    await expect.poll(async () => containersIn(await snapshot(podman.client.node))).toEqual([]);
  });
});
