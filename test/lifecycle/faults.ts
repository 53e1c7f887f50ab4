/**
 * Failures at every step: whatever system call fails, ADD either succeeds or takes back all it did; however a plugin is killed,
 * the next DEL removes what it left; and a DEL that fails can be repeated.
 */
import { afterAll, describe, expect, test } from "vitest";
import { compareVersions } from "../../spec/versions.ts";
import type { Suite } from "../helpers/engines.ts";
import { describeFault, type Fault, inject, steps } from "../helpers/faults.ts";
import { kernelLacks } from "../helpers/kernel.ts";
import type { PluginCall } from "../helpers/plugin.ts";
import { type TriedFault, type TriedFaults, triedFaults } from "./fault-table.ts";
import { presentRows } from "./matrix.ts";
import type { PluginCase } from "./plugin-cases.ts";
import { type CallCounts, followedFor, Stage, usesIptables } from "./stage.ts";

/**
 * What a first ADD may leave, because it is the node's or the network's and not the container's: forwarding; directories, locks and
 * cursors, which the next ADD needs; and the chains that the reference suite's containers share.
 */
const lasting: readonly RegExp[] = [
  /^node sysctl: net\/ipv[46]\/conf\/[^/]+\/forwarding:|^node sysctl: net\/ipv4\/ip_forward:/,
  /^file: .*(\/|\/lock|\/last_reserved_ip\.\d+|\/\.ferrule\/[^/]+\/complete) \d+( "")?$/,
  /^node ip6?tables: (?!.*CNI-DN-).*CNI-HOSTPORT-/,
];

const FAULT_TEST_TIMEOUT_MS = 300_000;
/** After so many steps at which something is wrong, the others are not tried. */
const FAILURES_SHOWN = 5;

/** Where children are followed, a fault meets iptables too, also the one that is to take back: nothing is learnt about us. */
function canTell(row: PluginCase, engine: Suite): boolean {
  return !usesIptables(row) || followedFor(engine) === "process";
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

type Attempt = (stage: Stage, fault: Fault, nth: number) => Promise<string>;

/** Runs the row's own ADD with one fault, and tells what went wrong. */
async function faultyAdd(stage: Stage, fault: Fault, nth: number): Promise<string> {
  const { network, own, container } = stage;
  const call = await network.addOne(own, container, { wrapper: inject(fault, nth, stage.followed) });
  const complaint = unruly(call, fault);
  if (complaint !== "") return complaint;
  const mayLeave = call.status === 0 || call.status === 137 || call.stdout === "";
  if (!mayLeave) {
    const left = await stage.difference();
    return left === "" ? "" : `ADD failed (${call.json.msg}) and left:\n${left}`;
  }
  const deletion = await network.delOne(own, container);
  if (deletion.status !== 0) return `DEL afterwards failed: ${deletion.stdout}${deletion.stderr}`;
  const left = await stage.difference();
  return left === "" ? "" : `DEL afterwards (ADD ended with ${call.status}) left:\n${left}`;
}

/** Runs the row's own DEL with one fault, then again without. */
async function faultyDel(stage: Stage, fault: Fault, nth: number): Promise<string> {
  const { network, own, container } = stage;
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
  const left = await stage.difference();
  return left === "" ? "" : `the second DEL left:\n${left}`;
}

/** The stage of one row in one version: it goes from fault to fault, for each leaves it at rest, and is replaced after a failure. */
class Stages {
  private readonly create: () => Promise<Stage>;
  private readonly calls: readonly string[];
  private stage: Stage | undefined;
  private counts: CallCounts | undefined;

  constructor(row: PluginCase, engine: Suite, version: string, calls: readonly string[]) {
    this.create = () => Stage.create(row, engine, version);
    this.calls = calls;
  }

  /** Tries a fault at each of its steps, and then that all goes well without. */
  async tryAllSteps(verb: "ADD" | "DEL", { fault, atMost }: TriedFault, attempt: Attempt): Promise<void> {
    const failures: string[] = [];
    let stage = await this.atRest();
    this.counts ??= await stage.countCalls(this.calls);
    const count = this.counts[verb].get(fault.call) ?? 0;
    for (const nth of steps(count, atMost)) {
      const wrong = await attempt(stage, fault, nth);
      if (wrong === "") continue;
      failures.push(`${describeFault(fault)} (number ${nth} of ${count}): ${wrong}`);
      await this.dispose();
      if (failures.length >= FAILURES_SHOWN) break;
      stage = await this.atRest();
    }
    expect(failures.join("\n\n")).toBe("");
    const { network, own, container } = stage;
    const last = await network.addOne(own, container);
    expect(last.status, `an ADD without a fault succeeds after all: ${last.stdout}`).toBe(0);
    (await network.delOne(own, container)).expectSuccess();
  }

  private async atRest(): Promise<Stage> {
    this.stage ??= await this.create();
    return this.stage;
  }

  async dispose(): Promise<void> {
    await this.stage?.node.dispose();
    this.stage = undefined;
  }
}

/** Tries a fault at each step of the very first ADD; a node on which one succeeded is replaced. */
async function tryFirstAdd(
  row: PluginCase,
  engine: Suite,
  version: string,
  { fault, atMost }: TriedFault,
): Promise<void> {
  const failures: string[] = [];
  let stage = await Stage.create(row, engine, version, true);
  try {
    const count = (await stage.countCalls([fault.call])).ADD.get(fault.call) ?? 0;
    let used = true;
    for (const nth of steps(count, atMost)) {
      if (used) {
        await stage.node.dispose();
        stage = await Stage.create(row, engine, version, true);
      }
      const { network, own, container } = stage;
      const call = await network.addOne(own, container, { wrapper: inject(fault, nth, stage.followed) });
      used = call.status !== 1;
      const left = used ? "" : await stage.difference(lasting);
      const wrong = unruly(call, fault) || (left === "" ? "" : `ADD failed (${call.json.msg}) and left:\n${left}`);
      if (wrong === "") continue;
      failures.push(`${describeFault(fault)} (number ${nth} of ${count}): ${wrong}`);
      used = true;
      if (failures.length >= FAILURES_SHOWN) break;
    }
  } finally {
    await stage.node.dispose();
  }
  expect(failures.join("\n\n")).toBe("");
}

function named(faults: readonly TriedFault[]): { tried: TriedFault; what: string }[] {
  return faults.map((tried) => ({ tried, what: describeFault(tried.fault) }));
}

/** Declares the tests of one engine under this machine's own kernel, of all rows or of a half of them. */
export function localFaults(engine: Suite, which: "all rows" | "every other row" | "the rows between"): void {
  const rows = presentRows.filter((row) => kernelLacks(row.needs) === "");
  const parity = which === "every other row" ? 0 : 1;
  const half = which === "all rows" ? rows : rows.filter((_, index) => index % 2 === parity);
  faultMatrix(engine, half, (row) => triedFaults(row, engine));
}

/** Declares the tests of these rows with one engine. */
export function faultMatrix(
  engine: Suite,
  rows: readonly PluginCase[],
  triedOn: (row: PluginCase) => readonly TriedFaults[],
): void {
  describe.each(rows.filter((row) => canTell(row, engine) && triedOn(row).length > 0))("$name", (row) => {
    const versions = triedOn(row).filter(
      ({ version, adding }) => adding.length > 0 && compareVersions(version, row.since) >= 0,
    );
    describe.each(versions)("$version", ({ version, adding, firstAdding, deleting }) => {
      const stages = new Stages(row, engine, version, [
        ...new Set([...adding, ...deleting].map(({ fault }) => fault.call)),
      ]);
      const options = { timeout: FAULT_TEST_TIMEOUT_MS };
      afterAll(async () => {
        await stages.dispose();
      });
      test.each(named(adding))("a failing ADD leaves nothing: $what", options, async ({ tried }) => {
        await stages.tryAllSteps("ADD", tried, faultyAdd);
      });
      test.each(named(firstAdding))("a failing first ADD on a node leaves nothing: $what", options, async (each) => {
        await tryFirstAdd(row, engine, version, each.tried);
      });
      test.each(named(deleting))("a failing DEL can be repeated: $what", options, async ({ tried }) => {
        await stages.tryAllSteps("DEL", tried, faultyDel);
      });
    });
  });
}
