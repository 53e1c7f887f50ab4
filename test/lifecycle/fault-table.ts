/**
 * Which faults are tried on the plugins, and at how many of the steps where each can come. What a step costs (a call under strace and
 * two looks at node and sandbox, 50 ms) times their number is most of what all tests cost: this table is where to save.
 */
import type { Suite } from "../helpers/engines.ts";
import type { Fault } from "../helpers/faults.ts";
import { thorough } from "./matrix.ts";
import type { PluginCase } from "./plugin-cases.ts";

/** A fault, and at how many of its steps at most: spread evenly, the first and the last among them. */
export interface TriedFault {
  readonly fault: Fault;
  readonly atMost: number;
}

const ALL = 500;

/**
 * At how many steps of each fault. `npm run test:thorough` takes every one of a plugin's fullest row natively, `npm test` a few, so that
 * a plugin more costs seconds.
 */
function most(row: PluginCase, engine: Suite): number {
  const sampled = row.sampled === true;
  if (engine.name === "bun") return thorough ? (sampled ? 2 : 5) : sampled ? 0 : 2;
  return thorough ? (sampled ? 4 : ALL) : sampled ? 3 : 6;
}

function error(call: string, errno: string, atMost: number = ALL): TriedFault {
  return { fault: { kind: "error", call, errno }, atMost };
}

function signal(call: string, name: "KILL" | "TERM", atMost: number = ALL): TriedFault {
  return { fault: { kind: "signal", call, signal: name }, atMost };
}

/** Calls that both engines make for the plugin alone. */
const kernelFaults: readonly TriedFault[] = [
  error("sendto", "ENOMEM"),
  // What was asked for has been done, but nobody knows. Dumps are received in many parts.
  error("recvfrom", "ENOMEM", 40),
  error("bind", "ENOMEM"),
  error("setns", "EPERM"),
  signal("sendto", "KILL"),
  signal("sendto", "TERM"),
  signal("recvfrom", "TERM", 12),
];

/** Calls on files, which Bun makes for itself too, from other threads. */
const fileFaults: readonly TriedFault[] = [
  // musl opens by open, glibc by openat. Most are of /proc/self/ns and of sysctls.
  error("open", "EMFILE", 40),
  error("openat", "EMFILE", 40),
  error("write", "ENOSPC"),
  error("fsync", "EIO"),
  error("rename", "EIO"),
  error("linkat", "EIO"),
  error("link", "EIO"),
  error("mkdir", "EACCES"),
  error("flock", "ENOLCK"),
  signal("open", "KILL", 20),
  signal("openat", "KILL", 20),
  signal("write", "KILL"),
  signal("fsync", "KILL"),
  signal("unlink", "KILL"),
];

/** DEL, too, must survive these. */
const deletionFaults: readonly TriedFault[] = [
  error("sendto", "ENOMEM"),
  error("unlink", "EIO"),
  signal("sendto", "KILL", 20),
  signal("sendto", "TERM", 12),
  signal("open", "KILL", 12),
  signal("unlink", "KILL"),
];

/** What may fail on a node on which no plugin ever ran. */
const firstFaults: readonly TriedFault[] = [
  error("sendto", "ENOMEM"),
  error("recvfrom", "ENOMEM", 12),
  signal("sendto", "TERM", 12),
];

/** What is tried in a version: everything in the newest; in the others one fault, for only reading and printing differ. */
export interface TriedFaults {
  readonly version: string;
  readonly adding: readonly TriedFault[];
  readonly firstAdding: readonly TriedFault[];
  readonly deleting: readonly TriedFault[];
}

/**
 * What is tried on a row: the most with the native plugins, fewer steps where another row of the plugin takes the same ones (`sampled`),
 * and fewest with Bun's build, which runs the same source.
 */
export function triedFaults(row: PluginCase, engine: Suite): readonly TriedFaults[] {
  const native = engine.name !== "bun";
  const atMost = most(row, engine);
  if (atMost === 0) return [];
  const limited = (faults: readonly TriedFault[]): TriedFault[] =>
    faults.map((each) => ({ fault: each.fault, atMost: Math.min(each.atMost, atMost) }));
  const older = ["0.2.0", "0.4.0"].map((version) => {
    const adding = native && row.sampled !== true ? [error("sendto", "ENOMEM", 5)] : [];
    return { version, adding, firstAdding: [], deleting: [] };
  });
  const newest = {
    version: "1.1.0",
    adding: limited(native ? [...kernelFaults, ...fileFaults] : kernelFaults),
    firstAdding: row.sampled === true ? [] : limited(firstFaults),
    deleting: limited(native ? deletionFaults : deletionFaults.filter(({ fault }) => fault.call !== "open")),
  };
  return [...older, newest];
}

/** What is tried where programs are emulated, at so many steps each. */
export function emulatedFaults(most: number): readonly TriedFaults[] {
  const adding = [error("sendto", "ENOMEM", most), signal("sendto", "KILL", most)];
  return [{ version: "1.1.0", adding, firstAdding: [], deleting: [signal("sendto", "KILL", most)] }];
}
