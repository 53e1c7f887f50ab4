/** A node that lacks something: the right code, a message that names it, what helps in the details, and no change to the host. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { dual, four } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const base = { cniVersion: "1.1.0", name: "testnet" };
const bridge = { ...base, type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipam: four };
const ptp = { ...base, type: "ptp", ipMasq: true, ipam: four };

/** Runs what follows with a mount namespace of its own, changed by `script`. */
function mounted(script: string): string[] {
  return ["unshare", "--mount", "sh", "-ec", `${script}\nexec "$@"`, "sh"];
}
const readOnlyParameters = mounted("mount --bind /proc/sys /proc/sys\nmount -o remount,bind,ro /proc/sys");
const withoutIptables = mounted(
  "for file in /usr/sbin/ip*tables* /sbin/ip*tables*; do test ! -e $file || mount --bind /dev/null $file; done",
);
const withoutNetAdmin = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];

const router = ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];

describe.each(engines)("$name", (engine) => {
  describe("where /proc/sys is read-only", () => {
    test.each([bridge, ptp])("$type attaches IPv4 networks of a node that forwards", async (config) => {
      await using node = await TestNode.create();
      const sandbox = await node.sandbox();
      await node.exec(router);
      const call = { containerId: "container", netns: sandbox, ifName: "eth0", wrapper: readOnlyParameters };
      (await callPlugin(node, engine, config.type, "STATUS", config, { wrapper: readOnlyParameters })).expectSuccess();
      (await callPlugin(node, engine, config.type, "ADD", config, call)).expectSuccess();
      await sandbox.exec(["ping", "-c", "1", "-W", "2", "10.22.0.1"]);
      (await callPlugin(node, engine, config.type, "DEL", config, call)).expectSuccess();
    });

    test("macvlan says that IPv6 cannot be switched off, and attaches where that is left to the kernel", async () => {
      await using node = await TestNode.create();
      const { namespace: outside } = await node.outside();
      await outside.exec(["ip", "address", "add", "10.22.0.1/24", "dev", "eth0"]);
      const sandbox = await node.sandbox();
      const macvlan = { ...base, type: "macvlan", master: "uplink", ipam: four };
      const call = { containerId: "container", netns: sandbox, ifName: "eth0", wrapper: readOnlyParameters };
      const refused = await callPlugin(node, engine, "macvlan", "ADD", macvlan, call);
      refused.expectError(5, /Cannot switch IPv6 off on eth0: .*read-only.*\n"ipv6": "automatic" in the configuration/);
      expect(await sandbox.hasLink("eth0")).toBe(false);
      const open = { ...macvlan, ipv6: "automatic" };
      (await callPlugin(node, engine, "macvlan", "ADD", open, call)).expectSuccess();
      await sandbox.exec(["ping", "-c", "1", "-W", "2", "10.22.0.1"]);
      (await callPlugin(node, engine, "macvlan", "DEL", open, call)).expectSuccess();
    });

    test.each([bridge, ptp])("$type says what cannot be set on one that does not", async (config) => {
      await using node = await TestNode.create();
      const sandbox = await node.sandbox();
      const before = await snapshot(node, { sandboxes: [sandbox] });
      const call = { containerId: "container", netns: sandbox, ifName: "eth0", wrapper: readOnlyParameters };
      const status = await callPlugin(node, engine, config.type, "STATUS", config, { wrapper: readOnlyParameters });
      status.expectError(50, /net\.ipv4\.ip_forward is 0 and cannot be written\nmake \/proc\/sys writable/);
      const added = await callPlugin(node, engine, config.type, "ADD", { ...config, ipam: dual }, call);
      added.expectError(5, /read-only file system, open '\/proc\/sys\/.*\n\/proc\/sys cannot be written here/);
      (await callPlugin(node, engine, config.type, "DEL", config, call)).expectSuccess();
      const left = (await snapshot(node, { sandboxes: [sandbox] })).lines.filter((line) => !line.startsWith("file:"));
      expect(left).toEqual(before.lines.filter((line) => !line.startsWith("file:")));
    });
  });

  test("a full disk: ADD fails with 5, STATUS with 50, DEL succeeds, and an address is there once there is room", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const call = { containerId: "container", netns: sandbox, ifName: "eth0" };
    await node.exec(["mkdir", "-p", "/var/lib/cni/networks"]);
    await node.exec(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/var/lib/cni/networks"]);
    await node.run(["dd", "if=/dev/zero", "of=/var/lib/cni/networks/big", "bs=4k", "count=9"]);
    (await callPlugin(node, engine, "bridge", "ADD", bridge, call)).expectError(
      5,
      /no space left on device.*\nmake room/,
    );
    (await callPlugin(node, engine, "bridge", "STATUS", bridge)).expectError(50, /no space left.*\nmake room/);
    (await callPlugin(node, engine, "bridge", "DEL", bridge, call)).expectSuccess();
    await node.exec(["rm", "/var/lib/cni/networks/big"]);
    (await callPlugin(node, engine, "bridge", "STATUS", bridge)).expectSuccess();
    (await callPlugin(node, engine, "bridge", "ADD", bridge, call)).expectSuccess();
  });

  test("a dataDir that is a file: ADD says so, and DEL has nothing to release", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const config = { ...bridge, ipam: { ...four, dataDir: "/etc/hostname" } };
    const call = { containerId: "container", netns: sandbox, ifName: "eth0" };
    const added = await callPlugin(node, engine, "bridge", "ADD", config, call);
    added.expectError(5, /not a directory.*\ndataDir \/etc\/hostname must be a directory that can be written$/);
    (await callPlugin(node, engine, "bridge", "DEL", config, call)).expectSuccess();
  });

  test("without CAP_NET_ADMIN every plugin says that it needs it", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const call = { containerId: "container", netns: sandbox, ifName: "eth0", wrapper: withoutNetAdmin };
    for (const config of [bridge, ptp]) {
      const added = await callPlugin(node, engine, config.type, "ADD", config, call);
      added.expectError(5, /operation not permitted \(EPERM\)\nrun the plugin as root .* CAP_NET_ADMIN/);
    }
    const portmap = { ...base, type: "portmap" };
    const status = await callPlugin(node, engine, "portmap", "STATUS", portmap, { wrapper: withoutNetAdmin });
    status.expectError(
      50,
      /portmap cannot use nftables: .*operation not permitted \(EPERM\)\nrun the plugin as root .* CAP_NET_ADMIN/,
    );
    const left = (await snapshot(node, { sandboxes: [sandbox] })).lines.filter((line) => !line.startsWith("file:"));
    expect(left).toEqual(before.lines.filter((line) => !line.startsWith("file:")));
  });

  test("iptables that is asked for and not installed: ADD fails with 5, STATUS with 50, and both say what to install", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    const config = { ...bridge, ipMasqBackend: "iptables" };
    const call = { containerId: "container", netns: sandbox, ifName: "eth0", wrapper: withoutIptables };
    const before = await snapshot(node, { sandboxes: [sandbox] });
    (await callPlugin(node, engine, "bridge", "ADD", config, call)).expectError(5, /not installed\ninstall iptables/);
    const status = await callPlugin(node, engine, "bridge", "STATUS", config, { wrapper: withoutIptables });
    status.expectError(50, /not installed\ninstall iptables/);
    const left = (await snapshot(node, { sandboxes: [sandbox] })).lines.filter((line) => !line.startsWith("file:"));
    expect(left).toEqual(before.lines.filter((line) => !line.startsWith("file:")));
  });

  test("a delegate that may not be executed: code 103, and what to do", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    await node.exec(["sh", "-c", `mkdir ${node.directory}/bin && touch ${node.directory}/bin/plain`]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const path = `${engine.directory}:${node.directory}/bin`;
    const call = { containerId: "container", netns: sandbox, ifName: "eth0", path };
    const added = await callPlugin(node, engine, "bridge", "ADD", { ...bridge, ipam: { type: "plain" } }, call);
    const { details } = added.expectError(103, /cannot start plugin "plain": .*\nmake it executable \(chmod \+x\)/);
    expect(details, "the same words are not said twice").toMatch(/; its DEL fails likewise$/);
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
  });
});
