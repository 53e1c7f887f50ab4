/** What mapped ports do to packets of both families: from other networks, under conditions, beside others' marks and flows. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { MappedNode } from "./mapped-node.ts";

const web = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const backends = ["nftables", "iptables"] as const;

describe.each(engines)("$name", (engine) => {
  describe.each(backends)("%s", (backend) => {
    test("a container of another network reaches a mapped port", async () => {
      await using lab = await MappedNode.create(engine);
      const { outside } = lab;
      const network = lab.network([[web]], { backend });
      const other = lab.network([], { backend }, engine, "other");
      const server = await network.container("server");
      const client = await other.container("client");
      await network.add(server);
      await other.add(client);
      await lab.serve(server.sandbox, "hello", 80);
      await lab.ready(server, 80);
      for (const address of [outside.nodeAddress4, outside.nodeAddress6]) {
        expect(await lab.ask(client.sandbox, address, 8080), address).toMatch(/^hello/);
      }
    });

    const hosts = [
      { added: "192.0.2.9/24", usual: "nodeAddress4", any: "0.0.0.0", otherFamily: "nodeAddress6" },
      { added: "2001:db8:ffff::9/64", usual: "nodeAddress6", any: "::", otherFamily: "nodeAddress4" },
    ] as const;

    test.each(hosts)(
      "hostIP limits a mapping to one address of the host ($added), $any to one family",
      async ({ added, usual, any, otherFamily }) => {
        await using lab = await MappedNode.create(engine);
        const { node, outside } = lab;
        await node.exec(["ip", "address", "add", added, "dev", "uplink", "nodad"]);
        const one = added.split("/")[0] ?? "";
        const mappings = [
          { ...web, hostIP: one },
          { ...web, hostPort: 8081, hostIP: any },
        ];
        const network = lab.network([mappings], { backend });
        const container = await network.container("server");
        await network.add(container);
        await lab.serve(container.sandbox, "hello", 80);
        await lab.ready(container, 80);
        expect(await lab.ask(outside.namespace, one, 8080)).toMatch(/^hello/);
        expect(await lab.tryToAsk(outside.namespace, outside[usual], 8080)).toBe("");
        expect(await lab.ask(outside.namespace, outside[usual], 8081)).toMatch(/^hello/);
        expect(await lab.tryToAsk(outside.namespace, outside[otherFamily], 8081)).toBe("");
        await network.check(container);
      },
    );

    test("conditions of either family decide which clients are led to the container", async () => {
      await using lab = await MappedNode.create(engine);
      const { outside } = lab;
      const clients = { 4: "192.0.2.7", 6: "2001:db8:ffff::7" };
      await outside.namespace.exec(["ip", "address", "add", `${clients[4]}/24`, "dev", "eth0"]);
      await outside.namespace.exec(["ip", "address", "add", `${clients[6]}/64`, "dev", "eth0", "nodad"]);
      const conditions =
        backend === "nftables"
          ? { conditionsV4: ["ip", "saddr", clients[4]], conditionsV6: ["ip6", "saddr", clients[6]] }
          : { conditionsV4: ["-s", clients[4]], conditionsV6: ["-s", clients[6]] };
      const network = lab.network([[web]], { backend, ...conditions });
      const container = await network.container("server");
      await network.add(container);
      await lab.serve(container.sandbox, "hello", 80);
      await lab.ready(container, 80);
      const ask = (node: string, client: string): Promise<string> =>
        lab.ask(outside.namespace, node, 8080, "TCP", `,bind=${client}`);
      const tryToAsk = (node: string, client: string): Promise<string> =>
        lab.tryToAsk(outside.namespace, node, 8080, "TCP", `,bind=${client}`);
      expect(await ask(outside.nodeAddress4, clients[4])).toMatch(/^hello/);
      expect(await tryToAsk(outside.nodeAddress4, outside.address4)).toBe("");
      expect(await ask(outside.nodeAddress6, `[${clients[6]}]`)).toMatch(/^hello/);
      expect(await tryToAsk(outside.nodeAddress6, `[${outside.address6}]`)).toBe("");
      await network.check(container);
      await network.del(container);
      expect(await tryToAsk(outside.nodeAddress4, clients[4])).toBe("");
      expect(await tryToAsk(outside.nodeAddress6, `[${clients[6]}]`)).toBe("");
    });

    test("others' UDP flows outlive an ADD and a DEL: another container's, and one through the node to the same port elsewhere", async () => {
      await using lab = await MappedNode.create(engine);
      const { node, outside } = lab;
      const network = lab.network(
        [
          [{ hostPort: 5300, containerPort: 53, protocol: "udp" }],
          [{ hostPort: 5301, containerPort: 53, protocol: "udp" }],
        ],
        { backend },
      );
      const keeper = await network.container("keeper");
      const passing = await network.container("passing");
      await network.add(keeper);
      await lab.serve(keeper.sandbox, "keeper", 53, "UDP");
      await lab.serve(outside.namespace, "foreign", 5301, "UDP");
      await lab.ready(keeper, 53, "UDP");
      await outside.namespace.exec(["ip", "route", "add", "10.22.0.0/24", "via", outside.nodeAddress4]);
      await node.exec(["sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600"]);
      const toKeeper = (port: number): Promise<string> =>
        lab.ask(outside.namespace, outside.nodeAddress4, 5300, "UDP", `,sourceport=${port}`);
      const toForeign = (port: number): Promise<string> =>
        lab.ask(keeper.sandbox, outside.address4, 5301, "UDP", `,sourceport=${port}`);
      expect([await toKeeper(4000), await toForeign(4000)].join()).toMatch(/^keeper.*,foreign/);
      // Who is a new flow from now on is led astray: only what the kernel still remembers gets an answer.
      await node.exec(["nft", "-f", "-"], {
        stdin:
          "table ip trap { chain prerouting { type nat hook prerouting priority -110; " +
          "udp dport { 5300, 5301 } dnat to 192.0.2.1:9\n}\n}\n",
      });
      await network.add(passing);
      expect([await toKeeper(4000), await toForeign(4000)].join(), "after ADD").toMatch(/^keeper.*,foreign/);
      await network.del(passing);
      expect([await toKeeper(4000), await toForeign(4000)].join(), "after DEL").toMatch(/^keeper.*,foreign/);
      expect([await toKeeper(4001), await toForeign(4001)], "new flows").toEqual(["", ""]);
    });
  });

  test("a chain of others that marks lets localhost and the container itself reach the mapped port (externalSetMarkChain)", async () => {
    await using lab = await MappedNode.create(engine);
    const { node, outside } = lab;
    for (const iptables of ["iptables", "ip6tables"]) {
      const nat = (...argv: string[]): Promise<string> => node.exec([iptables, "-t", "nat", ...argv]);
      await nat("-N", "MARK-MASQ");
      await nat("-A", "MARK-MASQ", "-j", "MARK", "--set-xmark", "0x4000/0x4000");
      await nat("-A", "POSTROUTING", "-m", "mark", "--mark", "0x4000/0x4000", "-j", "MASQUERADE");
    }
    const network = lab.network([[web]], { backend: "iptables", externalSetMarkChain: "MARK-MASQ" });
    const container = await network.container("server");
    await network.add(container);
    await lab.serve(container.sandbox, "hello", 80);
    await lab.ready(container, 80);
    expect(await lab.ask(node, "127.0.0.1", 8080), "from localhost").toMatch(/^hello/);
    for (const address of [outside.nodeAddress4, outside.nodeAddress6]) {
      expect(await lab.ask(container.sandbox, address, 8080), `from itself to ${address}`).toMatch(/^hello/);
    }
    expect(await lab.ask(outside.namespace, outside.nodeAddress4, 8080), "the client's address is kept").toContain(
      "c000:0202",
    );
    await network.check(container);
  });
});
