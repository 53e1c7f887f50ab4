/**
 * Makes the kernel fail under a plugin, or kills the plugin, at an exact system call: by strace, so that the executable is the one
 * that is shipped. Faults are numbered from 1 in the order of the calls of a run without faults.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestNode } from "./node.ts";

/** What goes wrong. */
export type Fault =
  | {
      readonly kind: "error";
      readonly call: string;
      readonly errno: string;
      /** It goes wrong at all later calls as well. */
      readonly lasts?: true;
    }
  | { readonly kind: "signal"; readonly call: string; readonly signal: "KILL" | "TERM" };

/** "sendto fails with ENOMEM", for test names. */
export function describeFault(fault: Fault): string {
  return fault.kind === "error"
    ? `${fault.call} fails with ${fault.errno}`
    : `SIG${fault.signal} comes at ${fault.call}`;
}

/** Whose calls count: the executable's alone, or those of its threads and of every program it runs as well. */
export type Followed = "process" | "threads and children";

function following(followed: Followed): string[] {
  return followed === "process" ? [] : ["-f"];
}

/** The words to put before the executable so that the fault happens at the `nth` call, or from it on. */
export function inject(fault: Fault, nth: number, followed: Followed): string[] {
  const what = fault.kind === "error" ? `error=${fault.errno}` : `signal=SIG${fault.signal}`;
  const lasts = fault.kind === "error" && fault.lasts === true;
  return [
    "strace",
    ...following(followed),
    "-qqq",
    "-o",
    "/dev/null",
    "-e",
    `trace=${fault.call}`,
    "-e",
    `inject=${fault.call}:${what}:when=${nth}${lasts ? "+" : ""}`,
  ];
}

/** Counts a program's system calls by one run under strace. */
export class CallCounter {
  private readonly file: string;
  readonly wrapper: readonly string[];

  constructor(node: TestNode, calls: readonly string[], followed: Followed) {
    this.file = join(node.directory, "strace.txt");
    this.wrapper = ["strace", ...following(followed), "-qqq", "-o", this.file, "-e", `trace=${calls.join(",")}`];
  }

  /** How often each call was made by the thread that made it most often: strace counts by thread when it injects. */
  async counts(): Promise<Map<string, number>> {
    const byThread = new Map<string, number>();
    for (const line of (await readFile(this.file, "utf8")).split("\n")) {
      const match = /^(?:(\d+) +)?(\w+)\(/.exec(line);
      if (match === null) continue;
      const key = `${match[2]} ${match[1] ?? ""}`;
      byThread.set(key, (byThread.get(key) ?? 0) + 1);
    }
    const most = new Map<string, number>();
    for (const [key, count] of byThread) {
      const call = key.split(" ")[0] ?? "";
      most.set(call, Math.max(most.get(call) ?? 0, count));
    }
    return most;
  }
}

/** 1..count, or `limit` of them spread evenly, the first and the last among them. */
export function steps(count: number, limit: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  if (count <= limit) return all;
  return all.filter(
    (_, index) =>
      Math.floor((index * (limit - 1)) / (count - 1)) !== Math.floor(((index - 1) * (limit - 1)) / (count - 1)),
  );
}
