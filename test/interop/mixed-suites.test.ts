/** Chains that mix both suites, and state handed over from one to the other: nothing is left, whoever cleans up. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { type NetworkPlugin, type PluginConfig, type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { addressesOf, expectResultIsTrue, expectResultShape } from "../helpers/result.ts";
import { expectSame, expectSameEventually, type Snapshot, snapshot } from "../helpers/snapshot.ts";

const dual = { type: "host-local", ranges: [[{ subnet: "10.22.0.0/24" }], [{ subnet: "2001:db8:22::/64" }]] };
const mappings = (index: number): object => ({
  portMappings: [
    { hostPort: 8080 + index, containerPort: 80, protocol: "tcp" },
    { hostPort: 8080 + index, containerPort: 53, protocol: "udp" },
  ],
});

/** The usual networks, with rules in either packet filter. */
function networkPlugins(base: "bridge" | "ptp", backend: string, suite: Suite): NetworkPlugin[] {
  const own: PluginConfig =
    base === "bridge" ? { type: "bridge", bridge: "cni0", isDefaultGateway: true } : { type: "ptp" };
  return [
    { suite, config: { ...own, ipMasq: true, ipMasqBackend: backend, ipam: dual } },
    { suite, config: { type: "portmap", backend }, runtimeConfig: mappings },
  ];
}

/**
 * DEL of all plugins. The reference's own DEL fails where iptables words its errors as its nf_tables variant does, after it has
 * done its work: what counts is what it leaves.
 */
async function deleteAll(network: TestNetwork, container: TestAttachment): Promise<void> {
  for (const position of [...network.plugins.keys()].toReversed()) {
    const call = await network.delOne(position, container);
    const tolerated =
      network.plugins[position]?.suite === reference && /Chain 'CNI-\w+' does not exist/.test(call.stdout);
    if (!tolerated) call.expectSuccess();
  }
}

/** What belongs to no container and stays: the tables and chains that rules are put into, and counters. */
function withoutFurniture(state: Snapshot): Snapshot {
  return { lines: state.lines.filter((line) => !/ (nft|iptables|ip6tables|legacy6?): /.test(line)) };
}

/** Without our index of reservations, which the reference does not know: it is checked against the reservations when it is used. */
function withoutIndex(state: Snapshot): Snapshot {
  return { lines: state.lines.filter((line) => !/^file: .*\/\.ferrule\//.test(line)) };
}

/** The lines about a container: its name, its addresses, its chains. */
function traces(state: Snapshot, containerId: string, addresses: readonly string[]): string[] {
  const words = [containerId, ...addresses.map((each) => each.split("/")[0] ?? each)];
  const own = (line: string): boolean =>
    words.some((word) => new RegExp(`(^|[^\\w.:])${word.replaceAll(".", "\\.")}([^\\w.:]|$)`).test(line));
  return state.lines.filter((line) => own(line) || /CNI-(DN-)?[0-9a-f]{20,}/.test(line));
}

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `with the reference suite${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(engines)("$name", (engine) => {
      const directions = [
        { what: "ADD by the reference, DEL by us", adds: reference, deletes: engine },
        { what: "ADD by us, DEL by the reference", adds: engine, deletes: reference },
      ];
      describe.each(directions)("$what", ({ adds, deletes }) => {
        describe.each(["bridge", "ptp"] as const)("%s", (base) => {
          test.each(["nftables", "iptables"])("nothing is left (%s)", async (backend) => {
            await using node = await TestNode.create();
            const adding = new TestNetwork(node, "1.0.0", networkPlugins(base, backend, adds));
            const deleting = new TestNetwork(node, "1.0.0", networkPlugins(base, backend, deletes));
            // One attachment comes and goes by each suite, so that each one's tables are there.
            for (const network of [adding, deleting]) {
              const first = await network.container("first");
              await network.add(first);
              await deleteAll(network, first);
              await first.sandbox.remove();
            }
            const container = await adding.container("handed-over");
            const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
            const before = await look();
            const result = await adding.add(container);
            await deleteAll(deleting, container);
            const after = await look();
            const addresses = addressesOf(result).map((each) => each.address);
            if (deletes === reference) {
              // The reference removes what is in its own format: links, reservations, chains of iptables. Our own tables and our
              // index it does not know; our GC collects what it leaves there.
              expectSame(withoutFurniture(withoutIndex(after)), withoutFurniture(withoutIndex(before)));
              const rules = withoutIndex(after);
              if (backend === "iptables")
                expect(traces(rules, "handed-over", addresses), "no rule is left").toEqual([]);
              await new TestNetwork(node, "1.1.0", networkPlugins(base, backend, engine)).gc([]);
            }
            expectSame(withoutFurniture(await look()), withoutFurniture(before));
            expect(traces(await look(), "handed-over", addresses), "no rule is left").toEqual([]);
            await deleteAll(deleting, container);
            expectSame(withoutFurniture(await look()), withoutFurniture(before));
          });

          // The reference itself leaves its rules then.
          if (deletes === reference) return;
          test.each(["nftables", "iptables"])("nothing is left when the sandbox is gone (%s)", async (backend) => {
            await using node = await TestNode.create();
            const adding = new TestNetwork(node, "1.0.0", networkPlugins(base, backend, adds));
            const deleting = new TestNetwork(node, "1.0.0", networkPlugins(base, backend, deletes));
            const first = await adding.container("first");
            await adding.add(first);
            await deleteAll(deleting, first);
            await first.sandbox.remove();
            const before = withoutFurniture(await snapshot(node));
            const container = await adding.container("handed-over");
            const result = await adding.add(container);
            await container.sandbox.remove();
            await deleteAll(deleting, container);
            await expectSameEventually(async () => withoutFurniture(await snapshot(node)), before);
            const addresses = addressesOf(result).map((each) => each.address);
            expect(traces(await snapshot(node), "handed-over", addresses), "no rule is left").toEqual([]);
          });
        });

        test("CHECK by the one agrees with ADD by the other", async () => {
          await using node = await TestNode.create();
          const plugins = (suite: Suite): NetworkPlugin[] => [
            { suite, config: { type: "bridge", bridge: "cni0", isGateway: true, ipam: dual } },
          ];
          const adding = new TestNetwork(node, "1.0.0", plugins(adds));
          const container = await adding.container("handed-over");
          await adding.add(container);
          await new TestNetwork(node, "1.0.0", plugins(deletes)).check(container);
        });

        test.each(["bridge", "private"])("macvlan, %s: checked, and nothing is left", async (mode) => {
          await using node = await TestNode.create();
          const outside = await node.outside();
          const plugins = (suite: Suite): NetworkPlugin[] => [
            { suite, config: { type: "macvlan", master: "uplink", mode, ipam: dual } },
          ];
          const adding = new TestNetwork(node, "1.0.0", plugins(adds));
          const deleting = new TestNetwork(node, "1.0.0", plugins(deletes));
          const first = await adding.container("first");
          await adding.add(first);
          await deleting.del(first);
          await first.sandbox.remove();
          const container = await adding.container("handed-over");
          const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
          const before = await look();
          await adding.add(container);
          await outside.namespace.exec(["ip", "address", "add", "10.22.0.99/24", "dev", "eth0"]);
          await container.sandbox.exec(["ping", "-c", "1", "-W", "2", "10.22.0.99"]);
          await deleting.check(container);
          await deleting.del(container);
          await deleting.del(container);
          expectSame(withoutIndex(await look()), withoutIndex(before));
        });

        test("addresses go on where the other suite stopped, and none is given twice", async () => {
          await using node = await TestNode.create();
          const plugins = (suite: Suite): NetworkPlugin[] => [{ suite, config: { type: "host-local", ipam: dual } }];
          const one = new TestNetwork(node, "1.0.0", plugins(adds));
          const other = new TestNetwork(node, "1.0.0", plugins(deletes));
          const given: string[] = [];
          for (const network of [one, other, one, other]) {
            const container = await network.container(`container-${given.length}`);
            given.push(addressesOf(await network.add(container))[0]?.address ?? "none");
          }
          expect(given).toEqual(["10.22.0.2/24", "10.22.0.3/24", "10.22.0.4/24", "10.22.0.5/24"]);
        });
      });

      const mixtures = [
        { what: "their bridge with our host-local", interfaces: reference, addresses: engine },
        { what: "our bridge with their host-local", interfaces: engine, addresses: reference },
      ];
      test.each(mixtures)("$what", async ({ interfaces, addresses }) => {
        await using node = await TestNode.create();
        // CNI_PATH finds bridge in one suite and, because only the IPAM plugin is linked there, host-local in the other.
        const directory = `${node.directory}/ipam`;
        await node.exec(["mkdir", directory]);
        await node.exec(["cp", `${addresses.directory}/host-local`, directory]);
        const config = { type: "bridge", bridge: "cni0", isGateway: true, ipam: dual };
        const network = new TestNetwork(node, "1.0.0", [
          { suite: interfaces, config, path: `${directory}:${interfaces.directory}` },
        ]);
        const first = await network.container("first");
        await network.add(first);
        await network.del(first);
        await first.sandbox.remove();
        const container = await network.container("handed-over");
        const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
        const before = await look();
        const result = await network.add(container);
        expectResultShape(result, "1.0.0");
        await expectResultIsTrue(result, container.sandbox, "eth0");
        await container.sandbox.exec(["ping", "-c", "1", "-W", "2", "10.22.0.1"]);
        await network.check(container);
        await network.del(container);
        expectSame(await look(), before);
      });
    });
  },
);
