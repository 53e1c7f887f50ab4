/** The harness itself: what the other end-to-end tests rely on. */
import { describe, expect, test } from "vitest";
import { runCommand } from "./command.ts";
import { engines } from "./engines.ts";
import { TestNode } from "./node.ts";
import { callPlugin } from "./plugin.ts";
import { expectSame, snapshot } from "./snapshot.ts";

describe("TestNode", () => {
  test("two nodes see neither each other's links nor each other's files", async () => {
    await using one = await TestNode.create();
    await using two = await TestNode.create();
    await one.exec(["ip", "link", "add", "br0", "type", "bridge"]);
    await one.exec(["touch", "/var/lib/cni/here"]);
    expect(await one.hasLink("br0")).toBe(true);
    expect((await one.run(["test", "-e", "/sys/class/net/br0"])).status, "its own /sys").toBe(0);
    expect(await two.hasLink("br0")).toBe(false);
    expect((await two.run(["test", "-e", "/var/lib/cni/here"])).status).toBe(1);
  });

  test("a sandbox made after the node is reachable from it, and gone with it", async () => {
    const node = await TestNode.create();
    const sandbox = await node.sandbox();
    expect(await node.exec(["ip", "-n", sandbox.name, "-o", "link"])).toMatch(/lo:/);
    await node.dispose();
    expect((await node.run(["true"])).status).not.toBe(0);
  });

  test("the outside host reaches the node over both families", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    await outside.namespace.exec(["ping", "-c", "1", "-W", "2", outside.nodeAddress4]);
    await outside.namespace.exec(["ping", "-c", "1", "-W", "2", outside.nodeAddress6]);
  });
});

describe("snapshot", () => {
  const changes: readonly { readonly argv: readonly string[] }[] = [
    { argv: ["ip", "link", "add", "br0", "type", "bridge"] },
    { argv: ["ip", "address", "add", "198.51.100.1/32", "dev", "lo"] },
    { argv: ["ip", "route", "add", "blackhole", "198.51.100.0/24", "table", "77"] },
    { argv: ["ip", "rule", "add", "from", "198.51.100.1", "table", "77"] },
    { argv: ["tc", "qdisc", "add", "dev", "lo", "clsact"] },
    { argv: ["nft", "add", "table", "inet", "left_over"] },
    { argv: ["iptables", "-t", "nat", "-N", "LEFT-OVER"] },
    { argv: ["ip6tables", "-t", "nat", "-N", "LEFT-OVER"] },
    { argv: ["sysctl", "-qw", "net.ipv4.conf.lo.route_localnet=1"] },
    { argv: ["sh", "-c", "echo left over > /var/lib/cni/file"] },
    { argv: ["mkdir", "/run/cni/directory"] },
  ];

  test.each(changes)("sees $argv", async ({ argv }) => {
    await using node = await TestNode.create();
    const before = await snapshot(node);
    expectSame(await snapshot(node), before, "an idle node does not change");
    await node.exec(argv);
    expect((await snapshot(node)).lines).not.toEqual(before.lines);
  });

  test.each(changes.filter(({ argv }) => /^(ip|sysctl)$/.test(argv[0] ?? "")))(
    "sees $argv in a sandbox",
    async ({ argv }) => {
      await using node = await TestNode.create();
      const sandboxes = [await node.sandbox("one"), await node.sandbox("two")];
      const before = await snapshot(node, { sandboxes });
      await sandboxes[1]?.exec(argv);
      const after = (await snapshot(node, { sandboxes })).lines;
      expect(after).not.toEqual(before.lines);
      const more = after.filter((line) => !before.lines.includes(line));
      expect(more.filter((line) => !line.startsWith("sandbox-1 "))).toEqual([]);
    },
  );
});

describe("runCommand", () => {
  const shells = [
    { by: "a shell", stdin: "{}", received: "{}\n" },
    { by: "this process", stdin: "{", received: "{" },
  ] as const;

  test.each(shells)("passes words, environment and stdin as they are, by $by", async ({ stdin, received }) => {
    const words = ["it's", "$HOME", "a  b", "*", "\\n", ""];
    const script = 'cat; env; printf "[%s]" "$@"';
    const env = { PATH: "/usr/bin:/bin", A: "it's $PATH" };
    const { stdout } = await runCommand(["/bin/bash", "-c", script, "-", ...words], { stdin, env });
    expect(stdout.slice(0, received.length)).toBe(received);
    expect(stdout).toMatch(/^A=it's \$PATH$/m);
    expect(stdout).not.toMatch(/^(HOME|OLDPWD)=/m);
    expect(stdout.endsWith(words.map((word) => `[${word}]`).join(""))).toBe(true);
  });

  test.each(shells)("tells the status, also of a program that a signal ended, by $by", async ({ stdin }) => {
    expect((await runCommand(["sh", "-c", "exit 7"], { stdin })).status).toBe(7);
    expect((await runCommand(["sh", "-c", "kill -KILL $$"], { stdin })).status).toBe(137);
    expect((await runCommand(["/no/such/program"], { stdin })).status).toBe(127);
  });

  test.each(shells)("kills what takes too long, and goes on, by $by", async ({ stdin }) => {
    const before = performance.now();
    await expect(runCommand(["sleep", "60"], { stdin, timeoutMs: 100 })).rejects.toThrow("took longer than 100 ms");
    expect(performance.now() - before).toBeLessThan(30_000);
    expect((await runCommand(["echo", "on"], { stdin })).stdout).toBe("on\n");
  });
});

describe.each(engines)("$name", (engine) => {
  test("a call's failure is an error object", async () => {
    await using node = await TestNode.create();
    const call = await callPlugin(node, engine, "loopback", "ADD", {
      cniVersion: "1.0.0",
      name: "net",
      type: "loopback",
    });
    call.expectError(4, /CNI_CONTAINERID/);
  });
});
