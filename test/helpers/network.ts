/**
 * A network as a runtime runs it: plugins called in order for ADD and in reverse for DEL, each given the result of the one before
 * (SPEC section 3). The plugins may come from different suites.
 */
import { findVersion } from "../../spec/versions.ts";
import type { Suite } from "./engines.ts";
import type { Namespace } from "./namespace.ts";
import type { TestNode } from "./node.ts";
import { type CallVariables, callPlugin, type Json, type PluginCall, type Verb } from "./plugin.ts";

/** One member of a network's list. */
export interface NetworkPlugin {
  readonly suite: Suite;
  /** Has at least `type`. */
  readonly config: PluginConfig;
  /** What the runtime passes for the container with this number. */
  readonly runtimeConfig?: ((index: number) => object) | undefined;
  /** What the configuration has besides for the container with this number, where containers cannot share one. */
  readonly own?: ((index: number) => object) | undefined;
  /** CNI_ARGS. */
  readonly args?: string | undefined;
  /** CNI_PATH; this plugin's suite when left out. */
  readonly path?: string | undefined;
}

export interface PluginConfig {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** One interface of one container on a network. */
export interface TestAttachment {
  readonly containerId: string;
  readonly ifName: string;
  readonly sandbox: Namespace;
  /** Counts the attachments of a network from 0. */
  readonly index: number;
  /** The result of the whole list, as ADD left it. */
  result: Json;
}

export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

export class TestNetwork {
  readonly node: TestNode;
  readonly name: string;
  readonly version: string;
  readonly plugins: readonly NetworkPlugin[];
  private attachments = 0;

  constructor(node: TestNode, version: string, plugins: readonly NetworkPlugin[], name = "testnet") {
    this.node = node;
    this.name = name;
    this.version = version;
    this.plugins = plugins;
  }

  /** A container to attach: in a fresh sandbox unless one is given. */
  async container(containerId: string, ifName = "eth0", sandbox?: Namespace): Promise<TestAttachment> {
    const index = this.attachments;
    this.attachments += 1;
    return { containerId, ifName, sandbox: sandbox ?? (await this.node.sandbox()), index, result: undefined };
  }

  /** The configuration that plugin number `position` gets. */
  config(position: number, attachment: TestAttachment | undefined, more: object = {}): object {
    const plugin = this.plugins[position];
    if (plugin === undefined) throw new Error(`the network has no plugin ${position}`);
    const runtimeConfig = attachment === undefined ? undefined : plugin.runtimeConfig?.(attachment.index);
    const own = attachment === undefined ? undefined : plugin.own?.(attachment.index);
    return {
      cniVersion: this.version,
      name: this.name,
      ...plugin.config,
      ...own,
      ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
      ...more,
    };
  }

  /** Calls one plugin of the list. */
  async call(
    position: number,
    verb: Verb,
    attachment?: TestAttachment,
    more: object = {},
    call: CallVariables = {},
  ): Promise<PluginCall> {
    const plugin = this.plugins[position];
    if (plugin === undefined) throw new Error(`the network has no plugin ${position}`);
    const variables: CallVariables = {
      containerId: attachment?.containerId,
      netns: attachment?.sandbox,
      ifName: attachment?.ifName,
      args: plugin.args,
      path: plugin.path,
      ...call,
    };
    return callPlugin(
      this.node,
      plugin.suite,
      plugin.config.type,
      verb,
      this.config(position, attachment, more),
      variables,
    );
  }

  /** ADD by the plugins before number `end` (all when left out); all must succeed. */
  async add(attachment: TestAttachment, end: number = this.plugins.length): Promise<Json> {
    for (const position of this.plugins.keys()) {
      if (position >= end) break;
      attachment.result = (await this.addOne(position, attachment)).expectSuccess();
    }
    return attachment.result;
  }

  /** ADD by one plugin, with the result so far. */
  async addOne(position: number, attachment: TestAttachment, call: CallVariables = {}): Promise<PluginCall> {
    const more = attachment.result === undefined ? {} : { prevResult: attachment.result };
    return this.call(position, "ADD", attachment, more, call);
  }

  /** DEL by one plugin, with the result that ADD left where the version passes it. */
  async delOne(position: number, attachment: TestAttachment, call: CallVariables = {}): Promise<PluginCall> {
    return this.call(position, "DEL", attachment, this.passedToDel(attachment), call);
  }

  /** DEL by the plugins before number `end`, last first; all must succeed. */
  async del(attachment: TestAttachment, call: CallVariables = {}, end: number = this.plugins.length): Promise<void> {
    for (const position of [...this.plugins.keys()].filter((each) => each < end).toReversed()) {
      (await this.delOne(position, attachment, call)).expectSuccess();
    }
  }

  /** CHECK by one plugin. */
  async checkOne(position: number, attachment: TestAttachment): Promise<PluginCall> {
    return this.call(position, "CHECK", attachment, { prevResult: attachment.result });
  }

  /** CHECK by all plugins; all must succeed. */
  async check(attachment: TestAttachment): Promise<void> {
    for (const position of this.plugins.keys()) (await this.checkOne(position, attachment)).expectSuccess();
  }

  /** GC by all plugins, with these attachments alive; all must succeed. */
  async gc(alive: readonly TestAttachment[]): Promise<void> {
    const valid: ValidAttachment[] = alive.map((each) => ({ containerID: each.containerId, ifname: each.ifName }));
    for (const position of this.plugins.keys()) {
      (await this.call(position, "GC", undefined, { "cni.dev/valid-attachments": valid })).expectSuccess();
    }
  }

  private passedToDel(attachment: TestAttachment): object {
    const passes = findVersion(this.version)?.check === true;
    return passes && attachment.result !== undefined ? { prevResult: attachment.result } : {};
  }
}
