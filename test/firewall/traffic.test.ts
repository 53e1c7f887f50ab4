/** What firewall does to packets: through a host that drops, and between containers. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { addressOf, chosenBackend, FIREWALL, FirewallNode, reaches } from "./firewall-node.ts";

describe.each(engines)("$name", (engine) => {
  describe.each([
    { host: "iptables-nft", backend: "iptables", options: {} },
    { host: "iptables-legacy", backend: "iptables", options: {} },
    { host: "nftables", backend: "nftables", options: { acceptMark: 0x10000 } },
  ] as const)("on a host that drops by $host", ({ host, backend, options }) => {
    test.each([4, 6] as const)(
      "IPv%i: a container reaches the outside and is answered, and nobody new reaches it",
      async (family) => {
        await using lab = await FirewallNode.create(engine);
        await lab.drop(host);
        const network = lab.network(options);
        const container = await network.container("container");
        await network.add(container, FIREWALL);
        const away = family === 4 ? lab.outside.address4 : lab.outside.address6;
        expect(await reaches(container.sandbox, away), "before ADD").toBe(false);
        container.result = (await network.addOne(FIREWALL, container)).expectSuccess();
        await network.check(container);
        expect(await reaches(container.sandbox, away), "after ADD").toBe(true);
        expect(await reaches(lab.outside.namespace, addressOf(container, family)), "from outside").toBe(false);
        const status = await network.call(FIREWALL, "STATUS");
        status.expectSuccess();
        expect(chosenBackend(status)).toBe(backend);
        (await network.delOne(FIREWALL, container)).expectSuccess();
        expect(await reaches(container.sandbox, away), "after DEL").toBe(false);
      },
    );
  });

  test("without acceptMark nothing overrules a drop of the host's own nftables, and STATUS says so", async () => {
    await using lab = await FirewallNode.create(engine);
    await lab.drop("nftables");
    const network = lab.network();
    const container = await lab.attach(network, "container");
    expect(await reaches(container.sandbox, lab.outside.address4)).toBe(false);
    const status = await network.call(FIREWALL, "STATUS");
    status.expectSuccess();
    expect(status.stderr).toMatch(/chain forward of table inet filter drops .* acceptMark/);
    const said = await network.call(FIREWALL, "ADD", container, { prevResult: container.result });
    said.expectSuccess();
    expect(said.stderr, "ADD says nothing").toBe("");
  });

  test("acceptMark sets its bits and no others", async () => {
    await using lab = await FirewallNode.create(engine);
    const see = 'meta mark & 0x10001 == 0x10001 counter comment "both"';
    const mark = "chain early { type filter hook forward priority -100; meta mark set 0x1; }";
    await lab.node.exec([
      "nft",
      `table inet t { ${mark}; chain late { type filter hook forward priority 0; ${see}; }; }`,
    ]);
    const container = await lab.attach(lab.network({ acceptMark: 0x10000 }), "container");
    expect(await reaches(container.sandbox, lab.outside.address4)).toBe(true);
    expect(await lab.node.exec(["nft", "list", "chain", "inet", "t", "late"])).not.toMatch(/packets 0 /);
  });

  test.each([
    { backend: "iptables", chain: "CNI-ADMIN", options: {} },
    { backend: "iptables", chain: "OURS", options: { iptablesAdminChainName: "OURS" } },
    { backend: "nftables", chain: "", options: {} },
  ])(
    "$backend: the administrator's chain $chain comes before the containers' rules, and is never touched",
    async ({ backend, chain, options }) => {
      await using lab = await FirewallNode.create(engine);
      const network = lab.network({ backend, ...options });
      const container = await lab.attach(network, "container");
      expect(await reaches(container.sandbox, lab.outside.address4)).toBe(true);
      const rule =
        chain === ""
          ? ["nft", "add", "rule", "inet", "ferrule_firewall", "admin", "ip", "daddr", lab.outside.address4, "drop"]
          : ["iptables", "-A", chain, "-d", lab.outside.address4, "-j", "DROP"];
      await lab.node.exec(rule);
      expect(await reaches(container.sandbox, lab.outside.address4)).toBe(false);
      const other = await lab.attach(network, "other");
      expect(await reaches(other.sandbox, lab.outside.address4)).toBe(false);
      for (const each of [container, other]) await network.del(each);
      expect(await lab.node.exec(["sh", "-c", "nft list ruleset"])).toContain(lab.outside.address4);
      const next = await lab.attach(network, "next");
      expect(await reaches(next.sandbox, lab.outside.address4), "the rule is still in force").toBe(false);
    },
  );

  describe.each(["nftables", "iptables"])("ingressPolicy in %s", (backend) => {
    /** Two containers on one bridge and one on another, all with this policy. */
    async function threeContainers(lab: FirewallNode, ingressPolicy: string) {
      const here = lab.network({ backend, ingressPolicy });
      const there = lab.network({ backend, ingressPolicy }, { subnet: 23 });
      // What is within one bridge comes to iptables only so; our own table of the family bridge does not need it.
      const through = backend === "iptables" ? "1" : "0";
      for (const key of ["iptables", "ip6tables"]) {
        await lab.node.run(["sh", "-c", `echo ${through} > /proc/sys/net/bridge/bridge-nf-call-${key}`]);
      }
      return {
        here,
        there,
        one: await lab.attach(here, "one"),
        two: await lab.attach(here, "two"),
        far: await lab.attach(there, "far"),
      };
    }

    test.each([
      { policy: "open", within: true, between: true },
      { policy: "same-bridge", within: true, between: false },
      { policy: "isolated", within: false, between: false },
    ])(
      "$policy: within a bridge $within, between two bridges $between, outside always",
      async ({ policy, within, between }) => {
        await using lab = await FirewallNode.create(engine);
        const { here, one, two, far } = await threeContainers(lab, policy);
        await here.check(one);
        for (const family of [4, 6] as const) {
          expect(await reaches(one.sandbox, addressOf(two, family)), `within, IPv${family}`).toBe(within);
          expect(await reaches(one.sandbox, addressOf(far, family)), `between, IPv${family}`).toBe(between);
          expect(await reaches(far.sandbox, addressOf(two, family)), `and back, IPv${family}`).toBe(between);
        }
        expect(await reaches(one.sandbox, lab.outside.address4), "outside").toBe(true);
        expect(await reaches(lab.outside.namespace, addressOf(far)), "from outside").toBe(true);
        expect(await reaches(lab.node, addressOf(one)), "from the host").toBe(true);
      },
    );

    test("from isolated to same-bridge leaves no DROP within the bridge", async () => {
      await using lab = await FirewallNode.create(engine);
      const { one, two, here } = await threeContainers(lab, "isolated");
      expect(await reaches(one.sandbox, addressOf(two))).toBe(false);
      const changed = lab.network({ backend, ingressPolicy: "same-bridge" });
      const third = await lab.attach(changed, "third");
      expect(await reaches(one.sandbox, addressOf(two))).toBe(true);
      await changed.check(third);
      (await here.checkOne(FIREWALL, one)).expectError(102);
    });

    test("rules of a bridge go with its last container, and others' stay", async () => {
      await using lab = await FirewallNode.create(engine);
      const { here, there, one, two, far } = await threeContainers(lab, "isolated");
      const about = async (bridge: string): Promise<boolean> => {
        const rules = await lab.node.exec([
          "sh",
          "-c",
          "nft list ruleset; iptables-save -t filter; ip6tables-save -t filter",
        ]);
        return new RegExp(`"?${bridge}"?`).test(rules.replaceAll(/comment "[^"]*"/g, ""));
      };
      await here.del(one);
      expect(await about("cni22")).toBe(true);
      expect(await about("cni23")).toBe(true);
      await here.del(two);
      expect(await about("cni22")).toBe(false);
      expect(await about("cni23")).toBe(true);
      await there.del(far);
      expect(await about("cni23")).toBe(false);
      expect(await about("ISOLATION")).toBe(false);
    });

    test("with ptp each container has an end of its own on the host: the others do not reach it, and nothing is left", async () => {
      await using lab = await FirewallNode.create(engine);
      const network = lab.network({ backend, ingressPolicy: "same-bridge" }, { base: "ptp", subnet: 24 });
      const one = await lab.attach(network, "one");
      const two = await lab.attach(network, "two");
      expect(await reaches(one.sandbox, addressOf(two))).toBe(false);
      expect(await reaches(one.sandbox, lab.outside.address4)).toBe(true);
      await network.check(one);
      const veth = one.result.interfaces[0].name as string;
      await network.del(one);
      const rules = await lab.node.exec(["sh", "-c", "nft list ruleset; iptables-save -t filter"]);
      expect(rules).not.toContain(veth);
      await network.check(two);
    });
  });
});
