/**
 * cnitool with the network configurations that people have (examples/conflists), as they would run it, and what it does when a
 * plugin of a list fails. Fake plugins are shell scripts beside the suite's own in CNI_PATH.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommandResult } from "../helpers/command.ts";
import { engines, projectRoot, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const examples = join(projectRoot, "examples/conflists");

/** A node with a configuration directory and room for fake plugins. */
class Cnitool {
  readonly node: TestNode;
  private readonly suite: Suite;
  private readonly plugins: Suite;

  /** `suite` has cnitool, and `plugins` what it runs. */
  constructor(node: TestNode, suite: Suite, plugins: Suite = suite) {
    this.node = node;
    this.suite = suite;
    this.plugins = plugins;
  }

  private get configurations(): string {
    return join(this.node.directory, "net.d");
  }

  private get fakes(): string {
    return join(this.node.directory, "fakes");
  }

  async configure(file: string, content: object | string): Promise<void> {
    await mkdir(this.configurations, { recursive: true });
    await writeFile(join(this.configurations, file), typeof content === "string" ? content : JSON.stringify(content));
  }

  /** A plugin that runs `script`, with the verb in $CNI_COMMAND and the request on stdin. */
  async fake(type: string, script: string): Promise<void> {
    await mkdir(this.fakes, { recursive: true });
    await writeFile(join(this.fakes, type), `#!/bin/sh\n${script}\n`);
    await chmod(join(this.fakes, type), 0o755);
  }

  /** `wrapper` is put before the executable. */
  async run(
    words: readonly string[],
    variables: Readonly<Record<string, string>> = {},
    wrapper: readonly string[] = [],
  ): Promise<CommandResult> {
    const environment = {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      NETCONFPATH: this.configurations,
      CNI_PATH: `${this.plugins.directory}:${this.fakes}`,
      ...variables,
    };
    const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return this.node.run(["env", "-i", ...set, ...wrapper, `${this.suite.directory}/cnitool`, ...words], {
      timeoutMs: 60_000,
    });
  }

  /** What it prints. @throws when it fails, or writes anything on stderr */
  async succeed(words: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const outcome = await this.run(words, variables);
    expect(`${outcome.stderr}${outcome.status}`, `cnitool ${words.join(" ")}`).toBe("0");
    return outcome.stdout;
  }

  /** What it writes on stderr. @throws when it succeeds, or prints anything */
  async fail(words: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const outcome = await this.run(words, variables);
    expect(`${outcome.stdout}${outcome.status}`, `cnitool ${words.join(" ")}`).toBe("1");
    return outcome.stderr;
  }

  /** Addresses that host-local has given away, and the records of libcni and flannel. */
  async leftovers(): Promise<string[]> {
    const script = "find /var/lib/cni /run/cni-ipam-state -type f 2>/dev/null || true"; // one of them may not be there
    const found = await this.node.exec(["sh", "-c", script]);
    return found.split("\n").filter((path) => /\/((results|flannel)\/.*|[0-9a-f]*[.:][0-9a-f.:]+)$/.test(path));
  }
}

/** An example, as far as the suite has its plugins. */
interface Example {
  readonly file: string;
  readonly network: string;
  readonly cniVersion: string;
  readonly config: Json;
  readonly left: readonly string[];
  readonly runnable: boolean;
}

function exampleOf(file: string, suite: Suite): Example {
  const config = JSON.parse(readFileSync(join(examples, file), "utf8"));
  const here = (plugin: { readonly type: string }): boolean => existsSync(join(suite.directory, plugin.type));
  const plugins: { readonly type: string }[] = config.plugins ?? [config];
  const left = plugins.filter((plugin) => !here(plugin)).map((plugin) => plugin.type);
  const runnable = plugins[0] !== undefined && here(plugins[0]);
  if (config.plugins !== undefined) config.plugins = plugins.filter(here);
  return { file, network: config.name, cniVersion: config.cniVersion, config, left, runnable };
}

const bridgeWith = (...more: object[]): object => ({
  cniVersion: "1.1.0",
  name: "net",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipam: { type: "host-local", subnet: "10.1.0.0/16", routes: [{ dst: "0.0.0.0/0" }] },
    },
    ...more,
  ],
});

/** What flanneld would write. */
const subnetFile =
  "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

/** The node's second interface, and a router on its segment. */
async function secondInterface(node: TestNode): Promise<void> {
  const router = await node.sandbox("router");
  await node.exec(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", router.name]);
  await node.exec(["ip", "link", "set", "eth1", "up"]);
  await router.exec(["ip", "link", "set", "eth0", "up"]);
  await router.exec(["ip", "address", "add", "192.168.1.1/24", "dev", "eth0"]);
}

/** The whole life of an attachment, by the `plugins` of a suite. */
async function runThrough(suite: Suite, plugins: Suite, example: Example): Promise<void> {
  await using node = await TestNode.create();
  const cnitool = new Cnitool(node, suite, plugins);
  const sandbox = await node.sandbox();
  await cnitool.configure(example.file, example.config);
  await node.exec(["tee", "/run/flannel/subnet.env"], { stdin: subnetFile });
  await secondInterface(node);
  const words = [example.network, sandbox.path];

  const described = `network ${example.network}, cniVersion ${example.cniVersion}\n`;
  expect(await cnitool.succeed(["validate", ...words])).toMatch(described);
  const result = JSON.parse(await cnitool.succeed(["add", ...words]));
  expect(result.cniVersion).toBe(example.cniVersion);
  const gateway: string = result.ip4?.gateway ?? result.ips[0].gateway;
  await sandbox.exec(["ping", "-c", "1", "-W", "2", gateway]);
  expect(await cnitool.leftovers()).not.toEqual([]);

  if (/^0\.[123]/.test(example.cniVersion)) {
    expect(await cnitool.fail(["check", ...words])).toMatch(/does not support the CHECK command/);
  } else {
    expect(await cnitool.succeed(["check", ...words])).toBe("");
  }
  expect(await cnitool.run(["status", ...words])).toMatchObject({ status: 0, stdout: "" }); // stderr is for the plugins' remarks
  expect(await cnitool.succeed(["del", ...words])).toBe("");
  expect(await sandbox.hasLink("eth0")).toBe(false);
  expect(await cnitool.leftovers()).toEqual([]);
  expect(await cnitool.succeed(["del", ...words])).toBe("");
}

describe.each(engines)("$name", (suite) => {
  const files = readdirSync(examples).filter((file) => /\.conf(list)?$/.test(file));
  for (const example of files.map((file) => exampleOf(file, suite))) {
    const without = example.left.length === 0 ? "" : ` (without ${example.left.join(", ")}: not in the suite yet)`;
    test.skipIf(!example.runnable)(`${example.file} attaches, checks and detaches${without}`, async () => {
      await runThrough(suite, suite, example);
    });
  }

  // The reference has all but flannel, and so lists run in full that this suite has not all plugins of.
  const missing = referenceMissing();
  for (const example of files.map((file) => exampleOf(file, reference))) {
    if (missing === undefined && !example.runnable) continue;
    const reason = missing === undefined ? "" : ` (${missing})`;
    test.skipIf(missing !== undefined)(`${example.file} runs with the reference's plugins${reason}`, async () => {
      await runThrough(suite, reference, example);
    });
  }

  test.skipIf(!existsSync(join(suite.directory, "portmap")))(
    "CAP_ARGS reach the plugin that declares them",
    async () => {
      await using node = await TestNode.create();
      const cnitool = new Cnitool(node, suite);
      const sandbox = await node.sandbox();
      const { namespace, nodeAddress4 } = await node.outside();
      const { config } = exampleOf("containerd.conflist", suite);
      await cnitool.configure("containerd.conflist", config);
      await node.exec(["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
      const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];
      await cnitool.succeed(["add", config.name, sandbox.path], { CAP_ARGS: JSON.stringify({ portMappings }) });
      const server = node.background(["socat", "-dd", "TCP4-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello"], sandbox);
      await server.waitFor(/listening/);
      expect(await namespace.exec(["socat", "-t", "2", "-", `TCP4:${nodeAddress4}:8080`])).toBe("hello\n");
      await cnitool.succeed(["del", config.name, sandbox.path], { CAP_ARGS: JSON.stringify({ portMappings }) });
      expect(
        (await namespace.run(["socat", "-t", "1", "-", `TCP4:${nodeAddress4}:8080,connect-timeout=1`])).status,
      ).not.toBe(0);
    },
  );

  test("CAP_ARGS of a whole chain: port, hardware address and limit are there, and nothing is left", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    const { namespace, nodeAddress4 } = await node.outside();
    const { config } = exampleOf("shared-node.conflist", suite);
    await cnitool.configure("shared-node.conflist", config);
    const capabilities = {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
      mac: "02:00:00:00:09:01",
      bandwidth: { ingressRate: 10_000_000, egressRate: 20_000_000 },
    };
    const variables = { CAP_ARGS: JSON.stringify(capabilities) };
    const words = [config.name, sandbox.path];
    await node.exec(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    const first = [config.name, (await node.sandbox()).path];
    await cnitool.succeed(["add", ...first], {}); // the bridge stays, and what portmap sets once
    await cnitool.succeed(["del", ...first], {});
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const result = JSON.parse(await cnitool.succeed(["add", ...words], variables));
    expect(await cnitool.succeed(["check", ...words], variables)).toBe("");
    const server = node.background(["socat", "-dd", "TCP4-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello"], sandbox);
    await server.waitFor(/listening/);
    expect(await namespace.exec(["socat", "-t", "2", "-", `TCP4:${nodeAddress4}:8080`])).toBe("hello\n");
    const [link] = await sandbox.ip("link", "show", "eth0");
    expect(link).toMatchObject({ address: "02:00:00:00:09:01", mtu: 1400 });
    const ifb = result.interfaces.find((each: Json) => each.name.startsWith("bwp"))?.name;
    expect(await node.exec(["tc", "qdisc", "show", "dev", ifb])).toMatch(/tbf .*rate 20Mbit .*lat 50ms/);
    expect(await node.exec(["nft", "list", "table", "inet", "ferrule_firewall"])).toContain(
      result.ips[0].address.split("/")[0],
    );
    await server.stop();
    await cnitool.succeed(["del", ...words], variables);
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
    expect(await cnitool.leftovers()).toEqual([]);
  });

  test("what an ADD in this process has locked is free when the list is taken back", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith({ type: "sbr", gateways: ["224.0.0.1"] }));
    const trace = join(node.directory, "trace");
    const strace = ["strace", "-f", "-qq", "-e", "trace=flock", "-o", trace];
    const { status, stderr } = await cnitool.run(["add", "net", sandbox.path], {}, strace);
    expect(status, stderr).toBe(1);
    expect(stderr).toMatch(/^plugin type="sbr" failed \(add\): /);
    const locks = readFileSync(trace, "utf8");
    expect(locks).toMatch(/LOCK_EX\|LOCK_NB/);
    expect(locks, "nobody waits for himself").not.toContain("EAGAIN");
    expect(await sandbox.hasLink("eth0")).toBe(false);
  });

  test("a plugin that fails has the others' work taken back, and its error is told", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith({ type: "broken" }));
    await cnitool.fake(
      "broken",
      `[ $CNI_COMMAND = ADD ] || exit 0\necho '{"cniVersion":"1.1.0","code":111,"msg":"no","details":"do"}'; exit 1`,
    );
    expect(await cnitool.fail(["add", "net", sandbox.path])).toBe('plugin type="broken" failed (add): no; do\n');
    expect(await sandbox.hasLink("eth0")).toBe(false);
    expect(await cnitool.leftovers()).toEqual([]);
  });

  const bunRefuses = suite.name === "bun" ? " (Bun itself refuses to start there)" : "";
  test.skipIf(bunRefuses !== "")(
    `a working directory that is gone matters to relative paths alone${bunRefuses}`,
    async () => {
      await using node = await TestNode.create();
      const cnitool = new Cnitool(node, suite);
      const sandbox = await node.sandbox();
      await cnitool.configure("net.conflist", bridgeWith());
      const nowhere = ["sh", "-c", 'cd "$(mktemp -d)" && rmdir "$PWD" && exec "$@"', "sh"];
      expect(await cnitool.run(["add", "net", sandbox.path], {}, nowhere)).toMatchObject({ status: 0, stderr: "" });
      const { status, stderr } = await cnitool.run(["del", "net", "blue"], {}, nowhere);
      expect(stderr).toMatch(/^cannot find blue from the working directory: .*; change to a directory that is there/);
      expect(status).toBe(1);
    },
  );

  test("SIGTERM during add has everything taken back", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith({ type: "slow" }));
    await cnitool.fake("slow", "[ $CNI_COMMAND = ADD ] || exit 0\nkill -TERM $PPID\nsleep 60");
    const outcome = await cnitool.run(["add", "net", sandbox.path]);
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/^plugin type="slow" failed \(add\): .*SIGTERM; the call can be repeated\n$/);
    expect(outcome.wallMs).toBeLessThan(20_000);
    expect(await sandbox.hasLink("eth0")).toBe(false);
    expect(await cnitool.leftovers()).toEqual([]);
  });

  test("what cannot be taken back is told, and the rest is gone", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith({ type: "broken" }));
    await cnitool.fake("broken", "exit 7");
    const words = await cnitool.fail(["add", "net", sandbox.path]);
    expect(words).toMatch(
      /^plugin type="broken" failed \(add\): netplugin failed with no error message: exit status 7; /,
    );
    expect(words).toMatch(/not taken back: plugin type="broken" failed \(delete\): .*\n$/);
    expect(await sandbox.hasLink("eth0")).toBe(false);
  });

  test("a second add fails and leaves the living attachment alone", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith());
    await cnitool.succeed(["add", "net", sandbox.path]);
    expect(await cnitool.fail(["add", "net", sandbox.path])).toMatch(/was there before and nothing was removed/);
    await sandbox.exec(["ping", "-c", "1", "-W", "2", "10.1.0.1"]);
    await cnitool.succeed(["check", "net", sandbox.path]);
  });

  test("two interfaces of one namespace come and go by themselves", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", {
      cniVersion: "1.1.0",
      name: "net",
      plugins: [{ type: "bridge", ipam: { type: "host-local", subnet: "10.1.0.0/16" } }],
    });
    await cnitool.succeed(["add", "net", sandbox.path]);
    await cnitool.succeed(["add", "net", sandbox.path, "--ifname", "net1"]);
    await cnitool.succeed(["del", "net", sandbox.path], { CNI_IFNAME: "eth0" });
    expect([await sandbox.hasLink("eth0"), await sandbox.hasLink("net1")]).toEqual([false, true]);
    expect((await cnitool.leftovers()).filter((path) => path.includes("/results/"))).toHaveLength(1);
  });

  test("gc detaches everything and passes an empty list on", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const [one, two] = [await node.sandbox(), await node.sandbox()];
    const log = join(node.directory, "gc.json");
    await cnitool.configure(
      "net.conflist",
      bridgeWith({ type: "witness", capabilities: { mac: true }, unknown: { b: null, a: 1.5 } }),
    );
    await cnitool.fake(
      "witness",
      `case $CNI_COMMAND in ADD) sed 's/.*"prevResult":\\({.*}\\)}$/\\1/' ;; GC) cat > ${log} ;; esac; exit 0`,
    );
    await cnitool.succeed(["add", "net", one.path]);
    await cnitool.succeed(["add", "net", two.path]);
    await cnitool.succeed(["gc", "net"]);
    expect([await one.hasLink("eth0"), await two.hasLink("eth0")]).toEqual([false, false]);
    expect(await cnitool.leftovers()).toEqual([]);
    expect(JSON.parse(readFileSync(log, "utf8"))).toEqual({
      type: "witness",
      unknown: { b: null, a: 1.5 },
      cniVersion: "1.1.0",
      name: "net",
      "cni.dev/valid-attachments": [],
      "cni.dev/attachments": [],
    });
  });

  test("plugins see the caller's environment with the six variables replaced", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const log = join(node.directory, "environment");
    await cnitool.configure("net.conf", { cniVersion: "1.1.0", name: "net", type: "witness" });
    await cnitool.fake("witness", `env | grep -E '^(CNI|MY)_' | sort > ${log}; echo '{"cniVersion":"1.1.0"}'`);
    await cnitool.succeed(["add", "net", "/run/netns/../netns/blue"], {
      CNI_ARGS: "A=1;B=2",
      MY_OWN: "x y",
      CNI_CONTAINERID: "z",
    });
    const lines = readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => !line.startsWith("CNI_PATH="));
    expect(lines).toEqual([
      "CNI_ARGS=A=1;B=2",
      "CNI_COMMAND=ADD",
      // The first 10 bytes of the SHA-512 of "/run/netns/blue", by sha512sum.
      `CNI_CONTAINERID=cnitool-${(await node.exec(["sh", "-c", "printf /run/netns/blue | sha512sum"])).slice(0, 20)}`,
      "CNI_IFNAME=eth0",
      "CNI_NETNS=/run/netns/blue",
      "MY_OWN=x y",
      "",
    ]);
  });

  test("a damaged record does not keep anything from being deleted", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    const sandbox = await node.sandbox();
    await cnitool.configure("net.conflist", bridgeWith());
    await cnitool.succeed(["add", "net", sandbox.path]);
    await node.exec(["sh", "-c", "for record in /var/lib/cni/results/*; do : > $record; done"]);
    expect(await cnitool.fail(["check", "net", sandbox.path])).toMatch(/^failed to get network "net" cached result: /);
    const del = await cnitool.run(["del", "net", sandbox.path]);
    expect(del.status).toBe(0);
    expect(del.stderr).toMatch(/^cnitool: the cached result of network net is of no use, which is now .*\.corrupt: /);
    expect(await sandbox.hasLink("eth0")).toBe(false);
  });

  test("a list that cannot be used is told with its file, its reason and what to do", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    await cnitool.configure("1.conflist", { name: "net", plugins: [{ mtu: 1 }] });
    expect(await cnitool.fail(["status", "net"])).toMatch(
      /\/net\.d\/1\.conflist: error parsing configuration list: failed to parse plugin config 0: error parsing configuration: missing 'type'; give/,
    );
    await cnitool.configure("1.conflist", { name: "net" });
    expect(await cnitool.fail(["status", "net"])).toMatch(/1\.conflist: no plugin configs found; /);
    await cnitool.configure("1.conflist", { name: "net", plugins: [{ type: "absent" }] });
    expect(await cnitool.fail(["validate", "net"])).toMatch(/^failed to find plugin "absent" in path \[.*; install it/);
    expect(await cnitool.fail(["status", "other"])).toMatch(
      /^no net configuration with name "other" in .*; it has net\n$/,
    );
  });

  test("status tells the first plugin that is not ready", async () => {
    await using node = await TestNode.create();
    const cnitool = new Cnitool(node, suite);
    await cnitool.configure("1.conflist", bridgeWith({ type: "unready" }));
    await cnitool.fake("unready", `echo '{"cniVersion":"1.1.0","code":50,"msg":"daemon is down"}'; exit 1`);
    expect(await cnitool.fail(["status", "net"])).toBe("daemon is down\n");
  });

  test("ferrule cnitool is the same", async () => {
    await using node = await TestNode.create();
    const outcome = await node.run([join(suite.directory, "../ferrule"), "cnitool", "--help"]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/^cnitool: /);
    expect((await node.run([`${suite.directory}/cnitool`, "frob", "net", "/x"])).status).toBe(1);
  });
});
