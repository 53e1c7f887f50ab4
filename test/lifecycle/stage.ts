/** A node for one row of the table, at rest, with a container that faults are tried on. */
import type { Suite } from "../helpers/engines.ts";
import { CallCounter, type Followed } from "../helpers/faults.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { PluginCall } from "../helpers/plugin.ts";
import { type Snapshot, snapshot } from "../helpers/snapshot.ts";
import { type PluginCase, pluginsOf } from "./plugin-cases.ts";

/** How often an ADD and a DEL make each system call. */
export interface CallCounts {
  readonly ADD: ReadonlyMap<string, number>;
  readonly DEL: ReadonlyMap<string, number>;
}

export function usesIptables({ config }: PluginCase): boolean {
  return config["backend"] === "iptables" || config["ipMasqBackend"] === "iptables";
}

/** Bun's calls come from several threads; the native executable has one, and what it runs (iptables) is not under test. */
export function followedFor(engine: Suite): Followed {
  return engine.name === "native" ? "process" : "threads and children";
}

/** The tables in which iptables keeps rules for nft's kernel side, empty ones and base chains left behind: its own sections show them. */
const iptablesTables = /^node nft: ip6? (nat|filter|mangle|raw|security): /;

/** A network that has been used once, or never, and what its node looks like at rest. */
export class Stage {
  readonly node: TestNode;
  readonly network: TestNetwork;
  readonly row: PluginCase;
  readonly followed: Followed;
  /** What faults are tried on; all plugins before the row's own have run for it. */
  container: TestAttachment;
  private rested: Snapshot = { lines: [] };

  private constructor(network: TestNetwork, row: PluginCase, followed: Followed, container: TestAttachment) {
    this.node = network.node;
    this.network = network;
    this.row = row;
    this.followed = followed;
    this.container = container;
  }

  /** A stage at rest; a virgin one has never seen the row's own plugin. */
  static async create(row: PluginCase, engine: Suite, version: string, virgin = false): Promise<Stage> {
    const node = await TestNode.create();
    await row.prepare?.(node);
    const network = new TestNetwork(node, version, pluginsOf(row, engine));
    const first = await network.container("first", row.ifName);
    const stage = new Stage(network, row, followedFor(engine), first);
    await network.add(first, stage.own);
    if (!virgin) {
      await network.addOne(stage.own, first);
      await stage.remove(first);
      stage.container = await stage.prepared("container");
    }
    await stage.rest();
    return stage;
  }

  /** The position of the plugin that the row is about. */
  get own(): number {
    return this.network.plugins.length - 1;
  }

  /** A container on which all plugins before the row's own have run. */
  private async prepared(name: string): Promise<TestAttachment> {
    const container = await this.network.container(name, this.row.ifName);
    await this.network.add(container, this.own);
    return container;
  }

  /** Deletes a container wholly, with its sandbox. */
  private async remove(container: TestAttachment): Promise<void> {
    const calls: PluginCall[] = [];
    for (const position of [...this.network.plugins.keys()].toReversed())
      calls.push(await this.network.delOne(position, container));
    for (const call of calls) call.expectSuccess();
    await container.sandbox.remove();
  }

  /** Counts the calls of an ADD and a DEL of the row's own plugin. */
  async countCalls(calls: readonly string[]): Promise<CallCounts> {
    const counter = new CallCounter(this.node, calls, this.followed);
    const { wrapper } = counter;
    const before = this.container.result;
    this.container.result = (await this.network.addOne(this.own, this.container, { wrapper })).expectSuccess();
    const adding = await counter.counts();
    (await this.network.delOne(this.own, this.container, { wrapper })).expectSuccess();
    this.container.result = before;
    return { ADD: adding, DEL: await counter.counts() };
  }

  /** What is to be found again. */
  private async rest(): Promise<void> {
    this.rested = await this.look();
  }

  private async look(): Promise<Snapshot> {
    return snapshot(this.node, { sandboxes: [this.container.sandbox] });
  }

  /** What is there and should not be, or is gone and should be there; empty when all is as it was. */
  async difference(tolerated: readonly RegExp[] = []): Promise<string> {
    const all = usesIptables(this.row) ? [...tolerated, iptablesTables] : tolerated;
    const ignored = (line: string): boolean => all.some((pattern) => pattern.test(line));
    const before = new Set(this.rested.lines);
    const now = (await this.look()).lines;
    const there = new Set(now);
    const more = now.filter((line) => !before.has(line) && !ignored(line)).map((line) => `+ ${line}`);
    const less = this.rested.lines.filter((line) => !there.has(line) && !ignored(line)).map((line) => `- ${line}`);
    return [...more, ...less].map((line) => line.slice(0, 300)).join("\n");
  }
}
