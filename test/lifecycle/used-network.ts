/** A node at work, for the tests of the life-cycle matrix. */
import type { Suite } from "../helpers/engines.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { type PluginCase, pluginsOf } from "./plugin-cases.ts";

/**
 * A network on which a container has come and gone, so that what is shared and stays (the bridge, its gateway address, tables
 * without elements) is there before anything is compared. It goes from test to test while they succeed, for each leaves it as
 * it was; after a failure the next gets a new one.
 */
export class UsedNetwork {
  private readonly create: () => Promise<TestNetwork>;
  private network: TestNetwork | undefined;

  constructor(row: PluginCase, engine: Suite, version: string) {
    this.create = async () => {
      const node = await TestNode.create();
      await row.prepare?.(node);
      const network = new TestNetwork(node, version, pluginsOf(row, engine));
      const first = await network.container("first", row.ifName);
      await network.add(first);
      await network.del(first);
      await first.sandbox.remove();
      return network;
    };
  }

  /** Runs one test on it. */
  async use(test: (network: TestNetwork) => Promise<void>): Promise<void> {
    const network = this.network ?? (await this.create());
    this.network = undefined;
    try {
      await test(network);
      this.network = network;
    } finally {
      if (this.network === undefined) await network.node.dispose();
    }
  }

  async dispose(): Promise<void> {
    await this.network?.node.dispose();
  }
}
