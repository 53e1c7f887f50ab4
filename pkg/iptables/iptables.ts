/**
 * The programs of iptables, run for rules that must live in iptables' own tables. One reading (iptables-save) and one change
 * (iptables-restore) each; what is there at all is asked without running anything: installed.ts.
 */
import { realpathSync, statSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Family } from "../ip/address.ts";
import { type ProcessOutcome, runProcess } from "../linux/process.ts";
import { remainingMs } from "../linux/termination.ts";

/** iptables keeps its rules in nf_tables, or in its own older part of the kernel. */
export type Variant = "nft" | "legacy";

/** Searched after PATH, which runtimes often leave short. */
const FALLBACK = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];
const LONGEST_MS = 60_000;
/** How often a change is tried that others' changes keep spoiling. */
const TRIES = 20;

/** iptables of one IP family and one variant. */
export class Iptables {
  readonly family: Family;
  readonly variant: Variant;
  private readonly savePath: string;
  private readonly restorePath: string;

  private constructor(family: Family, variant: Variant, savePath: string, restorePath: string) {
    this.family = family;
    this.variant = variant;
    this.savePath = savePath;
    this.restorePath = restorePath;
  }

  /** What `iptables` (for IPv6 `ip6tables`) on this host is; `undefined` when it is not installed. */
  static find(family: Family): Iptables | undefined {
    const name = familyName(family);
    const save = findProgram(`${name}-save`);
    const restore = findProgram(`${name}-restore`);
    if (save === undefined || restore === undefined) return undefined;
    return new Iptables(family, variantOf(save), save, restore);
  }

  /** What `find` finds. @throws CniError 5 that says what to install */
  static require(family: Family): Iptables {
    const found = Iptables.find(family);
    if (found !== undefined) return found;
    throw notInstalled(family);
  }

  /** The programs for a variant, whichever `iptables` is; `undefined` when they are not installed. */
  static ofVariant(family: Family, variant: Variant): Iptables | undefined {
    const name = `${familyName(family)}-${variant}`;
    const save = findProgram(`${name}-save`);
    const restore = findProgram(`${name}-restore`);
    if (save !== undefined && restore !== undefined) return new Iptables(family, variant, save, restore);
    const usual = Iptables.find(family);
    return usual?.variant === variant ? usual : undefined;
  }

  /** A table's lines as iptables-save prints them: chains (`:NAME …`) and rules (`-A …`). @throws CniError 5 */
  read(table: string): string[] {
    const outcome = run(this.savePath, ["-t", table], "");
    const isWhole = outcome.stdout === "" || outcome.stdout.includes("\nCOMMIT\n");
    if (outcome.status !== 0 || !isWhole) throw failure(`Cannot read table ${table}`, this.savePath, outcome);
    return outcome.stdout.split("\n").filter((line) => line.startsWith(":") || line.startsWith("-A "));
  }

  /**
   * Reads the table and applies the lines that `plan` makes of it, all or none of them. Again when it failed and the table was
   * another meanwhile. @throws CniError 5
   */
  change(table: string, plan: (saved: readonly string[]) => readonly string[]): void {
    let saved = this.read(table);
    for (let tries = 1; ; tries++) {
      const lines = plan(saved);
      if (lines.length === 0) return;
      const outcome = run(this.restorePath, ["--noflush", "--wait"], `*${table}\n${lines.join("\n")}\nCOMMIT\n`);
      if (outcome.status === 0) return;
      const now = this.read(table);
      if (tries === TRIES || sameLines(now, saved))
        throw failure(`Cannot change table ${table}`, this.restorePath, outcome);
      saved = now;
    }
  }
}

/** Chain lines carry counters, which change by themselves. */
function sameLines(a: readonly string[], b: readonly string[]): boolean {
  const plain = (line: string): string => line.split(" [").at(0) ?? line;
  return a.map(plain).join("\n") === b.map(plain).join("\n");
}

function familyName(family: Family): string {
  return family === 4 ? "iptables" : "ip6tables";
}

function notInstalled(family: Family): CniError {
  return new CniError(
    ErrorCode.Io,
    `${familyName(family)}-save and ${familyName(family)}-restore are not installed`,
    'install iptables (Debian, Fedora, Alpine: package "iptables"), or use the backend "nftables"',
  );
}

/** The first executable of that name in PATH, or where such programs usually are. */
function findProgram(name: string): string | undefined {
  let path = "";
  for (const [variable, value] of Object.entries(process.env))
    if (variable === "PATH" && value !== undefined) path = value;
  for (const directory of [...path.split(":"), ...FALLBACK]) {
    if (directory !== "" && isExecutable(`${directory}/${name}`)) return `${directory}/${name}`;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (_) {
    return false;
  }
}

/** By the program behind the links (xtables-nft-multi, xtables-legacy-multi); if that does not tell, it is asked. */
function variantOf(program: string): Variant {
  const real = realpathSync(program);
  if (real.includes("nft")) return "nft";
  if (real.includes("legacy")) return "legacy";
  return run(program, ["--version"], "").stdout.includes("nf_tables") ? "nft" : "legacy";
}

function run(path: string, words: readonly string[], stdin: string): ProcessOutcome {
  return runProcess({
    path,
    argv: [path, ...words],
    environment: [`PATH=${FALLBACK.join(":")}:/bin`, "LC_ALL=C"],
    stdin,
    timeoutMs: Math.min(remainingMs(), LONGEST_MS),
    forwardStderr: false,
  });
}

function failure(subject: string, program: string, outcome: ProcessOutcome): CniError {
  const words = outcome.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const reason = outcome.timedOut ? "it took too long and was stopped" : words.join("; ");
  return new CniError(
    ErrorCode.Io,
    `${subject} with ${program}: ${reason === "" ? `exit status ${outcome.status}` : reason}`,
    "this family's table is as it was: iptables-restore applies all rules or none",
  );
}
