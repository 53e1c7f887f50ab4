/**
 * Shells that wait for programs to run, one after the other. Starting a program from Node costs many times what it costs from a process
 * as small as a shell, and a shell that has entered a node's namespaces spares `nsenter`; the tests run some hundred thousand programs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProgramOptions } from "./program.ts";

/** How a program ended: its status as a shell tells it, and all that it wrote. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const END_OF_STDIN = "END-OF-STDIN";

let directory: string | undefined;
let made = 0;

/** This worker's, for what programs write. */
function ownDirectory(): string {
  if (directory === undefined) {
    const path = mkdtempSync(join(tmpdir(), "ferrule-shell-"));
    process.on("exit", () => rmSync(path, { recursive: true, force: true }));
    directory = path;
  }
  return directory;
}

export class Shell {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly files: string;
  private answer = "";
  private waiting: ((status: string) => void) | undefined;

  /** Starts a shell behind these words, such as nsenter's. Its environment is empty: each program is given all of its own. */
  constructor(enter: readonly string[] = []) {
    const [file = "", ...rest] = [...enter, "/bin/sh"];
    made += 1;
    this.files = join(ownDirectory(), String(made));
    this.child = spawn(file, rest, { stdio: ["pipe", "pipe", "ignore"], env: {} });
    this.pid = this.child.pid ?? -1;
    this.child.stdin?.on("error", () => {});
    this.child.stdin?.write("unset PWD OLDPWD\n");
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.answer += text;
      if (this.answer.endsWith("\n")) this.end(this.answer.trim());
    });
    this.child.on("error", () => this.end(""));
    this.child.on("close", () => this.end(""));
  }

  /** Whether it runs nothing now, and will run what it is given. */
  get isIdle(): boolean {
    return this.waiting === undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Whether a shell can pass that on as it is: the other programs are started without one. */
  static canRun({ stdin = "", env = {} }: ProgramOptions): boolean {
    const plain = /^(|[\x20-\x7e\n]*[}\n])$/.test(stdin) && !stdin.includes(END_OF_STDIN);
    return plain && Object.keys(env).every((name) => /^[A-Za-z_]\w*$/.test(name));
  }

  /** Runs a program to its end. Only one at a time. @throws Error when the shell itself has ended */
  run(argv: readonly string[], { stdin = "", env }: ProgramOptions = {}): Promise<Outcome> {
    const variables = Object.entries(env ?? process.env).filter(([name]) => /^[A-Za-z_]\w*$/.test(name));
    const words = [...variables.map(([name, value]) => `${name}=${quoted(value ?? "")}`), ...argv.map(quoted)];
    // A text that ends with a brace gets a line's end: to JSON it is the same.
    const body = stdin.endsWith("\n") ? stdin : `${stdin}\n`;
    return stdin === ""
      ? this.evaluate(`${words.join(" ")} </dev/null`, "")
      : this.evaluate(`${words.join(" ")} <<'${END_OF_STDIN}'`, `${body}${END_OF_STDIN}\n`);
  }

  /** Evaluates a script in the shell itself: what is built in costs nothing, and variables stay. */
  runScript(script: string): Promise<Outcome> {
    return this.evaluate(`{\n${script}\n}`, "");
  }

  private async evaluate(command: string, document: string): Promise<Outcome> {
    if (!this.isIdle) throw new Error("the shell runs another program or has ended");
    const [out, err] = [`${this.files}.out`, `${this.files}.err`];
    const status = await new Promise<string>((resolve) => {
      this.waiting = resolve;
      this.child.stdin?.write(`${command} >${out} 2>${err}\n${document}echo $?\n`);
    });
    if (status === "") throw new Error(`the shell ended while it ran ${command}`);
    const outcome = { status: Number(status), stdout: readFileSync(out, "utf8"), stderr: readFileSync(err, "utf8") };
    // New files for the next: a process that was left behind may still write to these.
    rmSync(out);
    rmSync(err);
    return outcome;
  }

  private end(status: string): void {
    const resolve = this.waiting;
    this.waiting = undefined;
    this.answer = "";
    resolve?.(status);
  }

  /** Ends what runs, by SIGKILL. */
  killProgram(): void {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "utf8").trim();
    for (const pid of children.split(" ").filter((word) => word !== "")) process.kill(Number(pid), "SIGKILL");
  }

  /** Ends the shell and what it runs. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("close", resolve));
    if (this.waiting !== undefined) this.killProgram();
    this.child.kill("SIGKILL");
    await ended;
  }
}

const pool: Shell[] = [];

/** A shell of this worker's that is idle. */
export function idleShell(): Shell {
  const idle = pool.find((each) => each.isIdle);
  if (idle !== undefined) return idle;
  const another = new Shell();
  pool.push(another);
  return another;
}

/** One word to a shell, whatever is in it. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
