/** The tests of one row of the life-cycle matrix in one version of the specification: what a runtime may do, and what is gone after. */
import { expect, test } from "vitest";
import { compareVersions } from "../../spec/versions.ts";
import type { Suite } from "../helpers/engines.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectResultIsTrue, expectResultShape } from "../helpers/result.ts";
import { expectSame, expectSameEventually, type Snapshot, snapshot } from "../helpers/snapshot.ts";
import { type PluginCase, pluginsOf } from "./plugin-cases.ts";
import type { UsedNetwork } from "./used-network.ts";

export interface Life {
  readonly row: PluginCase;
  readonly engine: Suite;
  readonly version: string;
  readonly used: UsedNetwork;
}

/** The case's own plugin is the last of its network. */
function own(network: TestNetwork): number {
  return network.plugins.length - 1;
}

/** The container's namespace ends, and nobody has called DEL. */
async function lose(row: PluginCase, { node }: TestNetwork, container: TestAttachment): Promise<void> {
  await container.sandbox.remove();
  await row.orphaned?.(node, container);
}

function newer(version: string, than: string): boolean {
  return compareVersions(version, than) >= 0;
}

/** ADD, CHECK, DEL, and STATUS and GC or what an older version says to them. */
export function declareLife({ row, engine, version, used }: Life): void {
  test("ADD does what its result says, CHECK agrees, DEL leaves nothing, and so does a second DEL", () =>
    used.use(async (network) => {
      const { node } = network;
      const container = await network.container("container", row.ifName);
      const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
      const before = await look();
      const result = await network.add(container);
      expectResultShape(result, version);
      if (row.works === "sandbox") await expectResultIsTrue(result, container.sandbox, container.ifName);
      if (newer(version, "0.4.0")) await network.check(container);
      await network.del(container);
      expectSame(await look(), before);
      await network.del(container);
      expectSame(await look(), before, "the second DEL changes nothing");
    }));

  if (!newer(version, "0.4.0")) {
    test("CHECK is refused: this version does not know it", () =>
      used.use(async (network) => {
        (await network.checkOne(own(network), await network.container("container", row.ifName))).expectError(
          1,
          /CHECK/,
        );
      }));
  }

  if (!newer(version, "1.1.0")) {
    test.each(["GC", "STATUS"] as const)("%s is refused: this version does not know it", (verb) =>
      used.use(async (network) => {
        (await network.call(own(network), verb, undefined, { "cni.dev/valid-attachments": [] })).expectError(
          1,
          new RegExp(verb),
        );
      }),
    );
    return;
  }

  test("STATUS succeeds where an ADD would, before and after the first", async () => {
    await using node = await TestNode.create();
    await row.prepare?.(node);
    const network = new TestNetwork(node, version, pluginsOf(row, engine));
    const before = await snapshot(node);
    (await network.call(own(network), "STATUS")).expectSuccess();
    expectSame(await snapshot(node), before, "STATUS changes nothing");
    await network.add(await network.container("container", row.ifName));
    (await network.call(own(network), "STATUS")).expectSuccess();
  });

  test("GC removes what is not alive and leaves what is", () =>
    used.use(async (network) => {
      const { node } = network;
      const empty = await snapshot(node);
      const survivor = await network.container("survivor", row.ifName);
      await network.add(survivor);
      const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [survivor.sandbox] });
      const alone = await look();
      const stale = await network.container("stale", row.ifName);
      const gone = await network.container("gone", row.ifName);
      await network.add(stale);
      await network.add(gone);
      await lose(row, network, gone);
      await network.gc([survivor, stale]);
      if (newer(version, "0.4.0")) await network.check(stale);
      await network.gc([survivor]);
      await expectSameEventually(look, alone, "only the survivor is left");
      await network.check(survivor);
      await network.gc([survivor]);
      expectSame(await look(), alone, "GC has nothing more to do");
      await network.gc([]);
      await expectSameEventually(() => snapshot(node), empty);
    }));
}

/** What runtimes do besides: DEL in every condition, ADD again, containers and networks beside each other. */
export function declareRest({ row, engine, version, used }: Life): void {
  test("DEL of what was never added succeeds and changes nothing", async () => {
    await using node = await TestNode.create();
    await row.prepare?.(node);
    const network = new TestNetwork(node, version, pluginsOf(row, engine));
    const container = await network.container("container", row.ifName);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    await network.del(container);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before, "DEL changes nothing");
  });

  test("DEL leaves nothing when the sandbox is gone", () =>
    used.use(async (network) => {
      const { node } = network;
      const before = await snapshot(node);
      const container = await network.container("container", row.ifName);
      await network.add(container);
      await lose(row, network, container);
      await network.del(container);
      await expectSameEventually(() => snapshot(node), before);
    }));

  test("DEL leaves nothing on the host when the runtime gives no CNI_NETNS", () =>
    used.use(async (network) => {
      const { node } = network;
      const before = await snapshot(node);
      const container = await network.container("container", row.ifName);
      await network.add(container);
      await network.del(container, { netns: "" });
      expectSame(await snapshot(node), before);
      await container.sandbox.remove();
      await network.del(container, { netns: undefined });
      expectSame(await snapshot(node), before);
    }));

  test("DEL leaves nothing when the runtime has lost the result", () =>
    used.use(async (network) => {
      const { node } = network;
      const container = await network.container("container", row.ifName);
      const before = await snapshot(node, { sandboxes: [container.sandbox] });
      await network.add(container);
      container.result = undefined;
      await network.del(container);
      expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    }));

  test("a second ADD of the same container disturbs nothing, whether it is refused or not", () =>
    used.use(async (network) => {
      const { node } = network;
      const container = await network.container("container", row.ifName);
      const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
      const before = await look();
      await network.add(container, own(network));
      const prevResult = container.result;
      const result = (await network.addOne(own(network), container)).expectSuccess();
      const added = await look();
      container.result = prevResult;
      const again = await network.addOne(own(network), container);
      if (again.status !== 0) again.expectOrderlyFailure();
      expectSame(await look(), added, "the second ADD changes nothing");
      container.result = result;
      await network.del(container);
      expectSame(await look(), before);
    }));

  test("two containers do not disturb each other", () =>
    used.use(async (network) => {
      const { node } = network;
      const one = await network.container("one", row.ifName);
      const two = await network.container("two", row.ifName);
      const look = (): Promise<Snapshot> => snapshot(node, { sandboxes: [one.sandbox, two.sandbox] });
      const before = await look();
      await network.add(one);
      const withOne = await look();
      await network.add(two);
      await network.del(two);
      expectSame(await look(), withOne, "the first container's network is as it was");
      if (newer(version, "0.4.0")) await network.check(one);
      await network.del(one);
      expectSame(await look(), before);
    }));

  if (newer(version, "0.4.0") && row.checkSeesNothing === undefined) {
    test("CHECK notices that the container was deleted", () =>
      used.use(async (network) => {
        const container = await network.container("container", row.ifName);
        await network.add(container);
        await network.del(container);
        const error = (await network.checkOne(own(network), container)).expectOrderlyFailure();
        expect(error.cniVersion).toBe(version);
      }));
  }

  if (newer(version, "1.1.0")) {
    test("GC of one network leaves another network's containers alone", () =>
      used.use(async (network) => {
        const { node } = network;
        const container = await network.container("container", row.ifName);
        await network.add(container);
        const before = await snapshot(node, { sandboxes: [container.sandbox] });
        const other = new TestNetwork(node, version, pluginsOf(row, engine), "othernet");
        await other.gc([]);
        expectSame(
          await snapshot(node, { sandboxes: [container.sandbox] }),
          before,
          "the other network's GC changes nothing",
        );
        await network.check(container);
        await network.del(container);
      }));
  }
}
