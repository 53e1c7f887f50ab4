/**
 * Failures at every step: whatever system call fails, ADD either succeeds or takes back all it did; however a plugin is killed,
 * the next DEL removes what it left; and a DEL that fails can be repeated.
 */
import { describe, expect, test } from "vitest";
import { pluginNames } from "../../cmd/cni/names.ts";
import { compareVersions } from "../../spec/versions.ts";
import type { Suite } from "../helpers/engines.ts";
import { CallCounter, describeFault, type Fault, type Followed, inject, steps } from "../helpers/faults.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { PluginCall } from "../helpers/plugin.ts";
import { type Snapshot, snapshot } from "../helpers/snapshot.ts";
import { type PluginCase, pluginCases, pluginsOf } from "./plugin-cases.ts";

/** Calls that both engines make for the plugin alone. */
const kernelFaults: readonly Fault[] = [
  { kind: "error", call: "sendto", errno: "ENOMEM" },
  { kind: "error", call: "recvfrom", errno: "ENOMEM" },
  { kind: "error", call: "bind", errno: "ENOMEM" },
  { kind: "error", call: "setns", errno: "EPERM" },
  { kind: "signal", call: "sendto", signal: "KILL" },
  { kind: "signal", call: "sendto", signal: "TERM" },
  { kind: "signal", call: "recvfrom", signal: "TERM" },
];

/** Calls on files, which Bun makes for itself too, from other threads. */
const fileFaults: readonly Fault[] = [
  // musl opens by open, glibc by openat.
  { kind: "error", call: "open", errno: "EMFILE" },
  { kind: "error", call: "openat", errno: "EMFILE" },
  { kind: "error", call: "write", errno: "ENOSPC" },
  { kind: "error", call: "fsync", errno: "EIO" },
  { kind: "error", call: "rename", errno: "EIO" },
  { kind: "error", call: "linkat", errno: "EIO" },
  { kind: "error", call: "link", errno: "EIO" },
  { kind: "error", call: "mkdir", errno: "EACCES" },
  { kind: "error", call: "flock", errno: "ENOLCK" },
  { kind: "signal", call: "open", signal: "KILL" },
  { kind: "signal", call: "openat", signal: "KILL" },
  { kind: "signal", call: "write", signal: "KILL" },
  { kind: "signal", call: "fsync", signal: "KILL" },
  { kind: "signal", call: "unlink", signal: "KILL" },
];

/** DEL, too, must survive these. */
const deletionFaults: readonly Fault[] = [
  { kind: "error", call: "sendto", errno: "ENOMEM" },
  { kind: "error", call: "unlink", errno: "EIO" },
  { kind: "signal", call: "sendto", signal: "KILL" },
  { kind: "signal", call: "sendto", signal: "TERM" },
  { kind: "signal", call: "open", signal: "KILL" },
  { kind: "signal", call: "unlink", signal: "KILL" },
];

/** How many steps of each fault are tried: all that there are for the newest version, some for the others, some for the slower engine. */
function limitFor(engine: Suite, version: string): number {
  return engine.name === "native" ? (version === "1.1.0" ? 500 : 6) : version === "1.1.0" ? 16 : 4;
}

/** What may fail on a node on which no plugin ever ran. */
const virginFaults: readonly Fault[] = [
  { kind: "error", call: "sendto", errno: "ENOMEM" },
  { kind: "error", call: "recvfrom", errno: "ENOMEM" },
  { kind: "signal", call: "sendto", signal: "TERM" },
];

/**
 * What a first ADD may leave, because it is the node's or the network's and not the container's: forwarding; directories, locks and
 * cursors, which the next ADD needs; and the chains that the reference suite's containers share.
 */
const lasting: readonly RegExp[] = [
  /^node sysctl: net\/ipv[46]\/conf\/[^/]+\/forwarding:|^node sysctl: net\/ipv4\/ip_forward:/,
  /^file: .*(\/|\/lock|\/last_reserved_ip\.\d+|\/\.ferrule\/[^/]+\/complete) \d+( "")?$/,
  /^node ip6?tables: (?!.*CNI-DN-).*CNI-HOSTPORT-/,
];

function usesIptables({ config }: PluginCase): boolean {
  return config["backend"] === "iptables" || config["ipMasqBackend"] === "iptables";
}

const FAULT_TEST_TIMEOUT_MS = 300_000;

function followedFor(engine: Suite): Followed {
  return engine.name === "native" ? "process" : "threads and children";
}

/** Where children are followed, a fault meets iptables too, also the one that is to take back: nothing is learnt about us. */
function canTell(row: PluginCase, engine: Suite): boolean {
  return !usesIptables(row) || followedFor(engine) === "process";
}

/** A network that has been used once, or never, and what its node looks like at rest. */
class Stage {
  readonly node: TestNode;
  readonly network: TestNetwork;
  readonly row: PluginCase;
  /** Bun's calls come from several threads; the native executable has one, and what it runs (iptables) is not under test. */
  readonly followed: Followed;
  private rested: Snapshot = { lines: [] };

  private constructor(node: TestNode, network: TestNetwork, row: PluginCase, followed: Followed) {
    this.node = node;
    this.network = network;
    this.row = row;
    this.followed = followed;
  }

  static async create(row: PluginCase, engine: Suite, version: string, virgin = false): Promise<Stage> {
    const node = await TestNode.create();
    await row.prepare?.(node);
    const stage = new Stage(node, new TestNetwork(node, version, pluginsOf(row, engine)), row, followedFor(engine));
    if (virgin) return stage;
    const first = await stage.prepared("first");
    await stage.network.addOne(stage.own, first);
    await stage.removed(first);
    await first.sandbox.remove();
    return stage;
  }

  /** The position of the plugin that the row is about. */
  get own(): number {
    return this.network.plugins.length - 1;
  }

  /** A container on which all plugins before the row's own have run. */
  async prepared(name: string): Promise<TestAttachment> {
    const container = await this.network.container(name, this.row.ifName);
    await this.network.add(container, this.own);
    return container;
  }

  /** Deletes a container wholly; whether all DELs succeeded. */
  async removed(container: TestAttachment): Promise<boolean> {
    const calls: PluginCall[] = [];
    for (const position of [...this.network.plugins.keys()].toReversed())
      calls.push(await this.network.delOne(position, container));
    return calls.every((call) => call.status === 0);
  }

  async look(container: TestAttachment): Promise<Snapshot> {
    return snapshot(this.node, { sandboxes: [container.sandbox] });
  }

  /** What is to be found again. */
  async rest(container: TestAttachment): Promise<void> {
    this.rested = await this.look(container);
  }

  /** What is there and should not be, or is gone and should be there; empty when all is as it was. */
  async difference(container: TestAttachment, tolerated: readonly RegExp[] = []): Promise<string> {
    // nft shows the rules of iptables once more, and the kernel's own chains, which iptables makes and nobody removes.
    const all = usesIptables(this.row) ? [...tolerated, /^node nft: /] : tolerated;
    const ignored = (line: string): boolean => all.some((pattern) => pattern.test(line));
    const now = (await this.look(container)).lines.filter((line) => !ignored(line));
    const more = now.filter((line) => !this.rested.lines.includes(line)).map((line) => `+ ${line}`);
    const less = this.rested.lines.filter((line) => !ignored(line) && !now.includes(line)).map((line) => `- ${line}`);
    return [...more, ...less].map((line) => line.slice(0, 300)).join("\n");
  }
}

/** What is wrong with how a call ended, or nothing. Told to end before it can notice, a process just ends. */
function unruly(call: PluginCall, fault: Fault): string {
  if (fault.kind === "signal" && fault.signal === "KILL")
    return call.status === 0 || call.status === 137 ? "" : `status ${call.status}`;
  if (fault.kind === "signal" && call.status === 143 && call.stdout === "") return "";
  if (call.status !== 0 && call.status !== 1) return `ended with status ${call.status}: ${call.stdout} ${call.stderr}`;
  // The result could not be written: then no error can be either.
  if (fault.call === "write" && call.status !== 0 && call.stdout === "") return "";
  if (call.status === 1) {
    try {
      call.expectOrderlyFailure();
    } catch (error) {
      return error instanceof Error ? error.message : "is no orderly failure";
    }
  }
  return "";
}

/** Runs the row's own ADD with one fault, and tells what went wrong. */
async function faultyAdd(stage: Stage, container: TestAttachment, fault: Fault, nth: number): Promise<string> {
  const { network, own } = stage;
  const call = await network.addOne(own, container, { wrapper: inject(fault, nth, stage.followed) });
  const complaint = unruly(call, fault);
  if (complaint !== "") return complaint;
  const mayLeave = call.status === 0 || call.status === 137 || call.stdout === "";
  if (!mayLeave) {
    const left = await stage.difference(container);
    if (left !== "") return `ADD failed (${call.json.msg}) and left:\n${left}`;
    return "";
  }
  const deletion = await network.delOne(own, container);
  if (deletion.status !== 0) return `DEL afterwards failed: ${deletion.stdout}${deletion.stderr}`;
  const left = await stage.difference(container);
  return left === "" ? "" : `DEL afterwards (ADD ended with ${call.status}) left:\n${left}`;
}

/** Runs the row's own DEL with one fault, then again without. */
async function faultyDel(stage: Stage, container: TestAttachment, fault: Fault, nth: number): Promise<string> {
  const { network, own } = stage;
  const before = container.result;
  const added = await network.addOne(own, container);
  if (added.status !== 0) return `ADD without a fault failed: ${added.stdout}`;
  container.result = added.json;
  const call = await network.delOne(own, container, { wrapper: inject(fault, nth, stage.followed) });
  const complaint = unruly(call, fault);
  const again = await network.delOne(own, container);
  container.result = before;
  if (complaint !== "") return complaint;
  if (again.status !== 0) return `the second DEL failed: ${again.stdout}${again.stderr}`;
  const left = await stage.difference(container);
  return left === "" ? "" : `the second DEL left:\n${left}`;
}

type Attempt = (stage: Stage, container: TestAttachment, fault: Fault, nth: number) => Promise<string>;

/** Tries a fault at each step, on a fresh stage after each failure. */
async function tryAllSteps(
  row: PluginCase,
  engine: Suite,
  version: string,
  verb: "ADD" | "DEL",
  fault: Fault,
  attempt: Attempt,
): Promise<void> {
  const failures: string[] = [];
  let stage = await Stage.create(row, engine, version);
  try {
    const counter = new CallCounter(stage.node, [fault.call], stage.followed);
    const sample = await stage.prepared("sample");
    const added = await stage.network.addOne(stage.own, sample, verb === "ADD" ? { wrapper: counter.wrapper } : {});
    added.expectSuccess();
    if (verb === "DEL") await stage.network.delOne(stage.own, sample, { wrapper: counter.wrapper });
    await stage.removed(sample);
    await sample.sandbox.remove();
    const count = (await counter.counts()).get(fault.call) ?? 0;
    let container = await stage.prepared("container");
    await stage.rest(container);
    for (const nth of steps(count, limitFor(engine, version))) {
      const wrong = await attempt(stage, container, fault, nth);
      if (wrong === "") continue;
      failures.push(`${describeFault(fault)} (number ${nth} of ${count}): ${wrong}`);
      if (failures.length >= 5) break;
      await stage.node.dispose();
      stage = await Stage.create(row, engine, version);
      container = await stage.prepared("container");
      await stage.rest(container);
    }
    if (failures.length === 0) {
      const last = await stage.network.addOne(stage.own, container);
      expect(last.status, `an ADD without a fault succeeds after all: ${last.stdout}`).toBe(0);
    }
  } finally {
    await stage.node.dispose();
  }
  expect(failures.join("\n\n")).toBe("");
}

/** Tries a fault at each step of the very first ADD; a node on which one succeeded is replaced. */
async function tryFirstAdd(row: PluginCase, engine: Suite, version: string, fault: Fault): Promise<void> {
  const failures: string[] = [];
  let stage = await Stage.create(row, engine, version, true);
  try {
    const counter = new CallCounter(stage.node, [fault.call], stage.followed);
    const sample = await stage.prepared("sample");
    (await stage.network.addOne(stage.own, sample, { wrapper: counter.wrapper })).expectSuccess();
    const count = (await counter.counts()).get(fault.call) ?? 0;
    let container = sample;
    let used = true;
    for (const nth of steps(count, limitFor(engine, version))) {
      if (used) {
        await stage.node.dispose();
        stage = await Stage.create(row, engine, version, true);
        container = await stage.prepared("container");
        await stage.rest(container);
        used = false;
      }
      const call = await stage.network.addOne(stage.own, container, { wrapper: inject(fault, nth, stage.followed) });
      used = call.status !== 1;
      const left = used ? "" : await stage.difference(container, lasting);
      const wrong = unruly(call, fault) || (left === "" ? "" : `ADD failed (${call.json.msg}) and left:\n${left}`);
      if (wrong === "") continue;
      failures.push(`${describeFault(fault)} (number ${nth} of ${count}): ${wrong}`);
      used = true;
      if (failures.length >= 5) break;
    }
  } finally {
    await stage.node.dispose();
  }
  expect(failures.join("\n\n")).toBe("");
}

/** Declares the tests of one engine. */
export function faultMatrix(engine: Suite): void {
  const addFaults = engine.name === "bun" ? kernelFaults : [...kernelFaults, ...fileFaults];
  const delFaults = engine.name === "bun" ? deletionFaults.filter((fault) => fault.call !== "open") : deletionFaults;
  describe.each(pluginCases.filter((row) => pluginNames.includes(row.config.type) && canTell(row, engine)))(
    "$name",
    (row) => {
      const versions = ["0.2.0", "0.4.0", "1.1.0"].filter((version) => compareVersions(version, row.since) >= 0);
      describe.each(versions)("%s", (version) => {
        // The other versions take the same steps; only reading and printing differ.
        const faults = version === "1.1.0" ? addFaults : addFaults.filter((fault) => fault.call === "sendto");
        test.each(faults.map((fault) => ({ fault, what: describeFault(fault) })))(
          "a failing ADD leaves nothing: $what",
          { timeout: FAULT_TEST_TIMEOUT_MS },
          async ({ fault }) => {
            await tryAllSteps(row, engine, version, "ADD", fault, faultyAdd);
          },
        );
        if (version !== "1.1.0") return;
        test.each(virginFaults.map((fault) => ({ fault, what: describeFault(fault) })))(
          "a failing first ADD on a node leaves nothing: $what",
          { timeout: FAULT_TEST_TIMEOUT_MS },
          async ({ fault }) => {
            await tryFirstAdd(row, engine, version, fault);
          },
        );
        test.each(delFaults.map((fault) => ({ fault, what: describeFault(fault) })))(
          "a failing DEL can be repeated: $what",
          { timeout: FAULT_TEST_TIMEOUT_MS },
          async ({ fault }) => {
            await tryAllSteps(row, engine, version, "DEL", fault, faultyDel);
          },
        );
      });
    },
  );
}
