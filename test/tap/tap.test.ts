/** tap: what the device is, who may open it, the frames that pass it, and what of it is refused, checked and removed. */
import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Background } from "../helpers/background.ts";
import type { CommandResult } from "../helpers/command.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import { CallCounter, describeFault, type Fault, inject, steps } from "../helpers/faults.ts";
import { addressesOn, answers, dual, expectAnswer, fixed, four, linkOf } from "../helpers/interface-network.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const withRoutes = { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] };

function tapNetwork(node: TestNode, suite: Suite, config: object = {}, name = "testnet"): TestNetwork {
  return new TestNetwork(node, "1.1.0", [{ suite, config: { type: "tap", ...config } }], name);
}

/** A network with one container attached. */
async function attached(
  node: TestNode,
  suite: Suite,
  config: object = {},
): Promise<{ network: TestNetwork; container: TestAttachment }> {
  const network = tapNetwork(node, suite, config);
  const container = await network.container("container");
  await network.add(container);
  return { network, container };
}

/**
 * A program in the sandbox that opens the tap `eth0` and carries its frames to and from `vm0` in another namespace, which plays the
 * virtual machine.
 */
async function plugIn(node: TestNode, sandbox: Namespace): Promise<{ machine: Namespace; monitor: Background }> {
  const machine = await node.sandbox("machine");
  const tapOptions = (name: string): string => `TUN,tun-type=tap,tun-name=${name},iff-no-pi`;
  const other = `nsenter --net=${machine.path} socat - ${tapOptions("vm0")},iff-up`.replaceAll(",", "\\,");
  // 5 is SOCK_SEQPACKET: a frame is a message.
  const monitor = node.background(["socat", "-d", "-d", tapOptions("eth0"), `EXEC:${other},socktype=5`], sandbox);
  await monitor.waitFor(/starting data transfer loop/);
  for (let tries = 0; tries < 500 && !(await machine.hasLink("vm0")); tries++);
  await machine.exec(["ip", "link", "set", "vm0", "up"]);
  return { machine, monitor };
}

describe.each(engines)("$name", (engine) => {
  test("a program that opens the tap carries frames: a machine behind it reaches the container, both families", async () => {
    await using node = await TestNode.create();
    const { network, container } = await attached(node, engine, { ipam: withRoutes });
    const { machine } = await plugIn(node, container.sandbox);
    await machine.exec(["ip", "address", "add", "10.22.0.1/24", "dev", "vm0"]);
    await machine.exec(["ip", "address", "add", "2001:db8:22::1/64", "dev", "vm0", "nodad"]);
    await expectAnswer(machine, "10.22.0.2");
    await expectAnswer(machine, "2001:db8:22::2");
    await expectAnswer(container.sandbox, "10.22.0.1");
    await network.check(container);
    await network.del(container);
    expect(await answers(machine, "10.22.0.2")).toBe(false);
  });

  test("with `bridge` the tap is a port of a bridge in the container, and what is on the bridge reaches the machine", async () => {
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine, { bridge: "br0" });
    const container = await network.container("container");
    await container.sandbox.exec(["ip", "link", "add", "br0", "type", "bridge"]);
    await container.sandbox.exec(["ip", "link", "set", "br0", "up"]);
    await container.sandbox.exec(["ip", "address", "add", "10.23.0.1/24", "dev", "br0"]);
    await network.add(container);
    expect((await linkOf(container.sandbox, "eth0")).master).toBe("br0");
    await network.check(container);
    await container.sandbox.exec(["ip", "link", "property", "add", "dev", "br0", "altname", "guests"]);
    (await tapNetwork(node, engine, { bridge: "guests" }).checkOne(0, container)).expectSuccess();
    const { machine } = await plugIn(node, container.sandbox);
    await machine.exec(["ip", "address", "add", "10.23.0.2/24", "dev", "vm0"]);
    await expectAnswer(container.sandbox, "10.23.0.2");
    await container.sandbox.exec(["ip", "link", "set", "eth0", "nomaster"]);
    (await network.checkOne(0, container)).expectError(102, /eth0 is not a port of br0/);
  });

  test("mac, mtu, owner and group hold together, and the result tells them (the reference ignores mac and mtu then)", async () => {
    await using node = await TestNode.create();
    const config = { mac: "02:00:00:00:22:07", mtu: 1400, owner: 54321, group: 54322, ipam: four };
    const { network, container } = await attached(node, engine, config);
    const link = await linkOf(container.sandbox, "eth0");
    expect(link.address).toBe("02:00:00:00:22:07");
    expect(link.mtu).toBe(1400);
    expect(link.linkinfo.info_data).toMatchObject({ type: "tap", pi: false, vnet_hdr: false, persist: true });
    expect(await container.sandbox.exec(["ip", "-d", "link", "show", "eth0"])).toMatch(/ user 54321 group 54322 /);
    expect(container.result.interfaces).toEqual([
      { name: "eth0", mac: "02:00:00:00:22:07", mtu: 1400, sandbox: container.sandbox.path },
    ]);
    await network.check(container);
  });

  const kinds = [
    { what: "alone", more: {} },
    { what: "with owner", more: { owner: 1000 } },
    { what: "with group", more: { group: 1000 } },
    { what: "with owner and group", more: { owner: 1000, group: 1000 } },
    { what: "with queues", more: { owner: 1000, group: 1000, multiQueue: true } },
  ];
  test.each(kinds)(
    "the device is the same whatever else is asked for: frames without headers ($what)",
    async ({ more }) => {
      await using node = await TestNode.create();
      const { container } = await attached(node, engine, { mtu: 1300, ...more });
      const link = await linkOf(container.sandbox, "eth0");
      expect(link.linkinfo.info_data).toMatchObject({ type: "tap", pi: false, vnet_hdr: false, persist: true });
      expect(link.linkinfo.info_data.multi_queue).toBe("multiQueue" in more);
      expect(link.mtu).toBe(1300);
      expect(link.flags).toContain("UP");
    },
  );

  test("owner may open it without privileges, and another user may not", async () => {
    await using node = await TestNode.create();
    const { container } = await attached(node, engine, { owner: 1000 });
    // A device node that any user can open: what the tap itself permits is the question.
    const directory = join(node.directory, "open");
    await mkdir(directory, { mode: 0o755 });
    await chmod(node.directory, 0o755);
    await node.exec(["mknod", "-m", "666", join(directory, "tun"), "c", "10", "200"]);
    const open = async (user: number): Promise<CommandResult> => {
      const drop = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--inh-caps=-all"];
      const device = `TUN,tun-device=${join(directory, "tun")},tun-type=tap,tun-name=eth0,iff-no-pi`;
      return container.sandbox.run([...drop, "socat", "-u", device, "OPEN:/dev/null"]);
    };
    expect((await open(1001)).stderr).toMatch(/TUNSETIFF.*Operation not permitted/);
    // socat goes on to set the interface up, which only root may: the tap has been opened then.
    expect((await open(1000)).stderr).toMatch(/SIOCSIFFLAGS.*Operation not permitted/);
  });

  const macs = [
    { what: "mac of the configuration", args: undefined, runtimeConfig: undefined, expected: "02:00:00:00:22:01" },
    { what: "CNI_ARGS", args: "MAC=02:00:00:00:22:02", runtimeConfig: undefined, expected: "02:00:00:00:22:02" },
    {
      what: "the runtime",
      args: "MAC=02:00:00:00:22:02",
      runtimeConfig: { mac: "02:00:00:00:22:03" },
      expected: "02:00:00:00:22:03",
    },
  ];
  test.each(macs)(
    "the later wins of mac, CNI_ARGS and runtimeConfig: $what",
    async ({ args, runtimeConfig, expected }) => {
      await using node = await TestNode.create();
      const config = { type: "tap", mac: "02:00:00:00:22:01", capabilities: { mac: true } };
      const network = new TestNetwork(node, "1.1.0", [
        { suite: engine, config, args, ...(runtimeConfig === undefined ? {} : { runtimeConfig: () => runtimeConfig }) },
      ]);
      const container = await network.container("container");
      await network.add(container);
      expect((await linkOf(container.sandbox, "eth0")).address).toBe(expected);
    },
  );

  test.each(["dummy-like veth", "another tap"])(
    "an interface name that is taken is refused and stays as it was (%s)",
    async (what) => {
      await using node = await TestNode.create();
      const network = tapNetwork(node, engine, { ipam: four });
      const container = await network.container("container");
      const make = what === "another tap" ? ["ip", "tuntap", "add", "mode", "tap", "name", "eth0"] : undefined;
      await container.sandbox.exec(make ?? ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"]);
      const before = await snapshot(node, { sandboxes: [container.sandbox] });
      (await network.addOne(0, container)).expectError(101, /"eth0".* already exists/);
      expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    },
  );

  test("an address that cannot be given leaves no tap", async () => {
    await using node = await TestNode.create();
    // The second address fails when the tap is there already.
    const ipam = fixed({ address: "10.22.0.5/24" }, { address: "10.22.0.5/24" });
    const network = tapNetwork(node, engine, { ipam });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectOrderlyFailure();
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  const faults: readonly Fault[] = [
    { kind: "signal", call: "sendto", signal: "KILL" },
    { kind: "signal", call: "ioctl", signal: "KILL" },
    { kind: "error", call: "ioctl", errno: "ENOMEM" },
  ];
  test.each(faults.map((fault) => ({ fault, what: describeFault(fault) })))(
    "whenever $what, no tap is left, even without DEL",
    async ({ fault }) => {
      await using node = await TestNode.create();
      const network = tapNetwork(node, engine, { mtu: 1400, owner: 1000, group: 1000, ipam: dual });
      const container = await network.container("container");
      const followed = engine.name === "bun" ? "threads and children" : "process";
      const counter = new CallCounter(node, [fault.call], followed);
      (await network.addOne(0, container, { wrapper: counter.wrapper })).expectSuccess();
      await network.del(container);
      const count = (await counter.counts()).get(fault.call) ?? 0;
      expect(count).toBeGreaterThan(3);
      for (const nth of steps(count, 40)) {
        const call = await network.addOne(0, container, { wrapper: inject(fault, nth, followed) });
        // Losing carrier is no failure: kernels before 5.0 cannot.
        if (call.status !== 0) expect(await container.sandbox.hasLink("eth0"), `number ${nth} of ${count}`).toBe(false);
        await network.del(container);
      }
    },
  );

  test("DEL leaves an interface that is no tap alone (the reference deletes whatever has the name)", async () => {
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine);
    const container = await network.container("container");
    await container.sandbox.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"]);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0")).toBe(true);
    await container.sandbox.exec(["ip", "link", "delete", "eth0"]);
    await container.sandbox.exec(["ip", "tuntap", "add", "mode", "tun", "name", "eth0"]);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0"), "a tun of packets").toBe(true);
    await container.sandbox.exec(["ip", "link", "delete", "eth0"]);
    await container.sandbox.exec(["ip", "tuntap", "add", "mode", "tap", "name", "eth0"]);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0"), "a tap without an owner, as the reference makes it").toBe(false);
  });

  test("DEL of one network leaves the tap of another", async () => {
    await using node = await TestNode.create();
    const { container } = await attached(node, engine);
    await tapNetwork(node, engine, {}, "other").del(container);
    expect(await container.sandbox.hasLink("eth0")).toBe(true);
  });

  test("no program is run", async () => {
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine, { mtu: 1400, owner: 1000, ipam: four });
    const container = await network.container("container");
    const file = join(node.directory, "trace");
    const wrapper = ["strace", "-f", "-qqq", "-o", file, "-e", "trace=execve"];
    (await network.addOne(0, container, { wrapper })).expectSuccess();
    expect((await readFile(file, "utf8")).match(/execve\(/g)?.length).toBe(1);
  });

  test("IPv6 addresses are usable at once, and nothing waits for carrier", async () => {
    await using node = await TestNode.create();
    const { network, container } = await attached(node, engine, { ipam: withRoutes });
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["10.22.0.2/24", "2001:db8:22::2/64"]);
    const six = await container.sandbox.exec(["ip", "-6", "address", "show", "dev", "eth0", "scope", "global"]);
    expect(six).not.toMatch(/tentative/);
    expect(await container.sandbox.exec(["ip", "-6", "route"])).toMatch(/^default via 2001:db8:22::1 dev eth0/m);
    await network.check(container);
  });

  test("IPv6 stays off where IPAM gives no address of it (CVE-2024-32473's class), unless the configuration says otherwise", async () => {
    await using node = await TestNode.create();
    const off = async (config: object): Promise<string> => {
      const network = tapNetwork(node, engine, config);
      const container = await network.container("container", "tap0");
      await network.add(container);
      const value = await container.sandbox.exec(["cat", "/proc/sys/net/ipv6/conf/tap0/disable_ipv6"]);
      await network.del(container);
      return value.trim();
    };
    expect(await off({ ipam: four })).toBe("1");
    expect(await off({ ipam: four, ipv6: "automatic" })).toBe("0");
    expect(await off({ ipam: dual })).toBe("0");
    expect(await off({}), "without IPAM it is the machine's").toBe("0");
  });

  const sabotages = [
    { what: "the interface", command: "ip link del eth0", named: /interface eth0 is missing/ },
    {
      what: "that it is another interface",
      command: "ip link del eth0; ip link add eth0 type veth peer name eth1",
      named: /of kind veth, expected tun/,
    },
    {
      what: "that it is a tun of packets",
      command:
        "ip link del eth0; ip tuntap add mode tun name eth0; ip addr add 10.22.0.2/24 dev eth0; ip link set eth0 up",
      named: /hardware address|a tun of packets/,
    },
    { what: "its MTU", command: "ip link set eth0 mtu 1200", named: /MTU 1200, expected 1400/ },
    { what: "its MAC", command: "ip link set eth0 address 02:00:00:00:22:09", named: /hardware address 02:/ },
    { what: "its address", command: "ip addr del 10.22.0.2/24 dev eth0", named: /address 10\.22\.0\.2\/24/ },
    { what: "its route", command: "ip route del default", named: /route 0\.0\.0\.0\/0 via 10\.22\.0\.1/ },
    { what: "that it is down", command: "ip link set eth0 down", named: /eth0/ },
    {
      what: "its owner and queues",
      command: [
        "mac=$(cat /sys/class/net/eth0/address); ip link del eth0; ip tuntap add mode tap name eth0; ip link set eth0 address $mac mtu 1400",
        "ip addr add 10.22.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.22.0.1",
      ].join("; "),
      named: /takes one queue only/,
    },
  ];
  test.each(sabotages)("CHECK misses $what", async ({ command, named }) => {
    await using node = await TestNode.create();
    const ipam = { ...four, routes: [{ dst: "0.0.0.0/0" }] };
    const config = { mtu: 1400, multiQueue: true, owner: 1000, ipam };
    const { network, container } = await attached(node, engine, config);
    await network.check(container);
    await container.sandbox.exec([
      "nsenter",
      `--net=${container.sandbox.path}`,
      "unshare",
      "-m",
      "sh",
      "-c",
      `mount -t sysfs sysfs /sys; ${command}`,
    ]);
    (await network.checkOne(0, container)).expectError(102, named);
  });

  test("CHECK misses the owner", async () => {
    await using node = await TestNode.create();
    const { container } = await attached(node, engine, { owner: 1000 });
    const other = tapNetwork(node, engine, { owner: 1001 });
    (await other.checkOne(0, container)).expectError(102, /belongs to user 1000, expected user 1001/);
    const grouped = tapNetwork(node, engine, { group: 1001 });
    (await grouped.checkOne(0, container)).expectError(102, /belongs to no group, expected group 1001/);
  });

  const refused = [
    {
      what: "a bridge that is not there",
      config: { bridge: "br7" },
      code: 7,
      named: /failed to get bridge br7: there is no such/,
    },
    {
      what: "a bridge that is none",
      config: { bridge: "lo" },
      code: 7,
      named: /failed to get bridge lo: it is no bridge/,
    },
    { what: "an MTU that a tap cannot have", config: { mtu: 65535 }, code: 7, named: /mtu: 65535 is out of range/ },
    { what: "an MTU below any", config: { mtu: 20 }, code: 7, named: /invalid MTU 20: .*68 bytes/ },
    { what: "a MAC of zeros", config: { mac: "00:00:00:00:00:00" }, code: 7, named: /zero or a group's/ },
    {
      what: "an MTU that IPv6 cannot have",
      config: { mtu: 1000, ipam: fixed({ address: "2001:db8::5/64" }) },
      code: 7,
      named: /eth0 cannot have an IPv6 address: its MTU is 1000, and IPv6 needs 1280/,
    },
    { what: "an MTU out of range", config: { mtu: 70000 }, code: 7, named: /mtu: 70000 is out of range/ },
    { what: "a MAC that is none", config: { mac: "zz" }, code: 7, named: /mac: expected a hardware address/ },
    { what: "a group's MAC", config: { mac: "01:00:5e:00:00:01" }, code: 7, named: /zero or a group's/ },
    { what: "an owner that is no id", config: { owner: -1 }, code: 7, named: /owner: -1 is out of range/ },
  ];
  test.each(refused)("refused, and nothing is left: $what", async ({ config, code, named }) => {
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine, { ipam: fixed({ address: "10.22.0.5/24" }), ...config });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(code, named);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("without /dev/net/tun ADD says how to make it, and STATUS that it is not available", async () => {
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine, { ipam: fixed({ address: "10.22.0.5/24" }) });
    (await network.call(0, "STATUS")).expectSuccess();
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    await node.exec(["mount", "-t", "tmpfs", "tmpfs", "/dev/net"]);
    const error = (await network.addOne(0, container)).expectError(5, /Cannot open \/dev\/net\/tun/);
    expect(error.details).toMatch(/modprobe tun.*mknod \/dev\/net\/tun c 10 200/);
    (await network.call(0, "STATUS")).expectError(50, /Cannot open \/dev\/net\/tun/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("selinuxContext is refused where the kernel has no SELinux, and not left out silently", async (context) => {
    if (/selinuxfs/.test(await readFile("/proc/filesystems", "utf8"))) context.skip("this kernel runs with SELinux");
    await using node = await TestNode.create();
    const network = tapNetwork(node, engine, { selinuxcontext: "system_u:system_r:container_t:s0", ipam: four });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(2, /selinuxContext: .*without SELinux/);
    (await network.call(0, "STATUS")).expectError(50, /without SELinux/);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  const dnsRows = [
    { what: "no dns keeps IPAM's (the reference drops it)", dns: undefined, expected: { nameservers: ["192.0.2.53"] } },
    { what: "any key replaces all of it", dns: { domain: "b.example" }, expected: { domain: "b.example" } },
  ];
  test.each(dnsRows)("dns: $what", async ({ dns, expected }) => {
    await using node = await TestNode.create();
    const ipam = { ...fixed({ address: "10.22.0.5/24" }), dns: { nameservers: ["192.0.2.53"] } };
    const { container } = await attached(node, engine, { ipam, ...(dns === undefined ? {} : { dns }) });
    expect(container.result.dns ?? {}).toEqual(expected);
  });
});
