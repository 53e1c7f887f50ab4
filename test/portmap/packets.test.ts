/** What mapped ports do to packets: who reaches the container, and what is left alone. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { MappedNode, type Transport } from "./mapped-node.ts";

const web = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const backends = ["nftables", "iptables"] as const;

/** Kernels may lack SCTP sockets. */
async function hasSctp(where: Namespace): Promise<boolean> {
  const { stderr } = await where.run(["timeout", "0.3", "socat", "-dd", "SCTP6-LISTEN:51", "/dev/null"]);
  return /listening/.test(stderr);
}

describe.each(engines)("$name", (engine) => {
  describe.each(backends)("%s", (backend) => {
    test("a mapped port is reached from outside, from the host, from localhost, from the container and from a sibling", async () => {
      await using lab = await MappedNode.create(engine);
      const { node, outside } = lab;
      const network = lab.network([[web], []], { backend });
      const container = await network.container("server");
      const sibling = await network.container("sibling");
      await network.add(container);
      await network.add(sibling);
      await lab.serve(container.sandbox, "hello", 80);
      await lab.ready(container, 80);
      for (const address of [outside.nodeAddress4, outside.nodeAddress6]) {
        for (const from of [outside.namespace, node, container.sandbox, sibling.sandbox]) {
          expect(await lab.ask(from, address, 8080), `from ${from.name} to ${address}`).toMatch(/^hello/);
        }
      }
      expect(await lab.ask(node, "127.0.0.1", 8080), "from localhost").toMatch(/^hello/);
      expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8080), "the client's address is kept").toContain(
        "c000:0202",
      );
      await network.check(container);
      await network.del(container);
      expect(await lab.tryToAsk(outside.namespace, outside.nodeAddress4, 8080), "nothing is mapped after DEL").toBe("");
    });

    test.each(["UDP", "SCTP"] as const)("%s is mapped too", async (transport: Transport) => {
      await using lab = await MappedNode.create(engine);
      const network = lab.network([[{ hostPort: 5000, containerPort: 50, protocol: transport.toLowerCase() }]], {
        backend,
      });
      const container = await network.container("server");
      await network.add(container);
      if (transport === "SCTP" && !(await hasSctp(container.sandbox))) return;
      await lab.serve(container.sandbox, "hello", 50, transport);
      await lab.ready(container, 50, transport);
      for (const address of [lab.outside.nodeAddress4, lab.outside.nodeAddress6]) {
        expect(await lab.ask(lab.outside.namespace, address, 5000, transport), address).toMatch(/^hello/);
      }
    });

    test("masqAll hides the client's address", async () => {
      await using lab = await MappedNode.create(engine);
      const network = lab.network([[web]], { backend, masqAll: true });
      const container = await network.container("server");
      await network.add(container);
      await lab.serve(container.sandbox, "hello", 80);
      await lab.ready(container, 80);
      expect(await lab.ask(lab.outside.namespace, lab.outside.nodeAddress4, 8080)).toMatch(/hello.*0a16:0001/);
    });

    test("traffic through the node to somebody else's port of the same number is untouched (CVE-2025-67499)", async () => {
      await using lab = await MappedNode.create(engine);
      const { outside } = lab;
      const network = lab.network([[web], []], { backend });
      const container = await network.container("server");
      const client = await network.container("client");
      await network.add(container);
      await network.add(client);
      await outside.namespace.exec(["ip", "route", "add", "10.22.0.0/24", "via", outside.nodeAddress4]);
      await outside.namespace.exec(["ip", "route", "add", "2001:db8:22::/64", "via", outside.nodeAddress6]);
      await lab.serve(container.sandbox, "container", 80);
      await lab.serve(outside.namespace, "foreign", 8080);
      await lab.ready(container, 80);
      for (const address of [outside.address4, outside.address6]) {
        expect(await lab.ask(client.sandbox, address, 8080), address).toMatch(/^foreign/);
      }
    });

    test("a container cannot reach the host's localhost, though route_localnet is on (CVE-2020-8558)", async () => {
      await using lab = await MappedNode.create(engine);
      const { node } = lab;
      const network = lab.network([[web]], { backend });
      const container = await network.container("server");
      await network.add(container);
      expect(await node.exec(["cat", "/proc/sys/net/ipv4/conf/cni22/route_localnet"])).toBe("1\n");
      node.background(["socat", "TCP4-LISTEN:99,bind=127.0.0.1,fork,reuseaddr", "SYSTEM:echo secret"]);
      const gateway = container.result.ips[0].gateway;
      const inside = (...argv: string[]): Promise<string> => container.sandbox.exec(argv);
      await inside("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
      await inside("ip", "link", "set", "lo", "up");
      await inside("ip", "address", "delete", "127.0.0.1/8", "dev", "lo");
      await inside("ip", "route", "replace", "127.0.0.1", "via", gateway, "dev", "eth0");
      expect(await lab.ask(node, "127.0.0.1", 99)).toBe("secret");
      expect(await lab.tryToAsk(container.sandbox, "127.0.0.1", 99)).toBe("");
      await node.exec(
        backend === "nftables"
          ? ["nft", "flush", "chain", "inet", "ferrule_portmap", "guard"]
          : ["iptables", "-t", "raw", "-F", "PREROUTING"],
      );
      expect(await lab.ask(container.sandbox, "127.0.0.1", 99), "without the guard the attack works").toBe("secret");
      await network.del(container);
      expect(await node.exec(["cat", "/proc/sys/net/ipv4/conf/cni22/route_localnet"])).toBe("0\n");
    });

    test("what somebody else translates at the usual priority stays theirs (CVE-2019-9946)", async () => {
      await using lab = await MappedNode.create(engine);
      const { node, outside } = lab;
      const network = lab.network([[web], []], { backend });
      const container = await network.container("server");
      const service = await network.container("service");
      // The service's rules are there first, as kube-proxy's are on a node.
      await node.exec(["iptables", "-t", "nat", "-N", "SERVICES"]);
      await node.exec(["iptables", "-t", "nat", "-A", "PREROUTING", "-j", "SERVICES"]);
      await network.add(container);
      await network.add(service);
      const address = service.result.ips[0].address.split("/")[0];
      const to = [
        "-d",
        outside.nodeAddress4,
        "-p",
        "tcp",
        "--dport",
        "8080",
        "-j",
        "DNAT",
        "--to-destination",
        `${address}:80`,
      ];
      await node.exec(["iptables", "-t", "nat", "-A", "SERVICES", ...to]);
      await lab.serve(container.sandbox, "container", 80);
      await lab.serve(service.sandbox, "service", 80);
      await lab.ready(container, 80);
      await lab.ready(service, 80);
      expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8080)).toMatch(/^service/);
    });

    test("a UDP client that never pauses reaches the container that has the port now", async () => {
      await using lab = await MappedNode.create(engine);
      const { outside } = lab;
      const mapping = { hostPort: 5300, containerPort: 53, protocol: "udp" };
      const network = lab.network([[mapping], [mapping]], { backend });
      const ask = (): Promise<string> =>
        lab.ask(outside.namespace, outside.nodeAddress4, 5300, "UDP", ",sourceport=4000");
      await lab.serve(lab.node, "host", 5300, "UDP");
      expect(await ask(), "before any mapping").toMatch(/^host/);
      const first = await network.container("first");
      await network.add(first);
      await lab.serve(first.sandbox, "first", 53, "UDP");
      await lab.ready(first, 53, "UDP");
      expect(await ask()).toMatch(/^first/);
      await network.del(first);
      expect(await ask(), "after DEL").toMatch(/^host/);
      const second = await network.container("second");
      await network.add(second);
      await lab.serve(second.sandbox, "second", 53, "UDP");
      await lab.ready(second, 53, "UDP");
      expect(await ask()).toMatch(/^second/);
    });
  });

  test("a mapping of one address of the host goes before another container's of all", async () => {
    await using lab = await MappedNode.create(engine);
    const { node, outside } = lab;
    await node.exec(["ip", "address", "add", "192.0.2.9/24", "dev", "uplink"]);
    const network = lab.network([[web], [{ ...web, hostIP: "192.0.2.9" }]], { backend: "nftables" });
    for (const name of ["everywhere", "there"]) {
      const container = await network.container(name);
      await network.add(container);
      await lab.serve(container.sandbox, name, 80);
      await lab.ready(container, 80);
    }
    expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8080)).toMatch(/^everywhere/);
    expect(await lab.ask(outside.namespace, "192.0.2.9", 8080)).toMatch(/^there/);
  });

  test("conditions hold for one container's mappings and not for another's", async () => {
    await using lab = await MappedNode.create(engine);
    const { outside } = lab;
    await outside.namespace.exec(["ip", "address", "add", "192.0.2.7/24", "dev", "eth0"]);
    const picky = lab.network([[web]], { conditionsV4: ["ip", "saddr", "{ 192.0.2.7, 198.51.100.0/24 }"] });
    const open = lab.network([[{ ...web, hostPort: 8081 }]], {}, engine, "other");
    const one = await picky.container("picky");
    const two = await open.container("open");
    await picky.add(one);
    await open.add(two);
    await lab.serve(one.sandbox, "picky", 80);
    await lab.serve(two.sandbox, "open", 80);
    await lab.ready(one, 80);
    await lab.ready(two, 80);
    expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8080, "TCP", ",bind=192.0.2.7")).toMatch(/^picky/);
    expect(await lab.tryToAsk(outside.namespace, outside.nodeAddress4, 8080, "TCP", ",bind=192.0.2.2")).toBe("");
    expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8081, "TCP", ",bind=192.0.2.2")).toMatch(/^open/);
    await picky.check(one);
    await picky.del(one);
    expect(await lab.tryToAsk(outside.namespace, outside.nodeAddress4, 8080, "TCP", ",bind=192.0.2.7")).toBe("");
  });
});
