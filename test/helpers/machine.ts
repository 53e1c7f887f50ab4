/**
 * Another kernel under the same tests: a virtual machine (test/vm/vmrun) in which the programs run that tests run, while the tests
 * themselves stay outside, where they are not emulated. What a test asks for goes through a directory that both sides share.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProgramOptions, RunningProgram } from "./program.ts";
import { quoted } from "./shell.ts";

/** Emulated programs are some thirty times slower. */
const SLOWNESS = 30;
const DEFAULT_LIMIT_MS = 20_000;
const BOOT_LIMIT_MS = 120_000;
/** In which a program ends that is killed, unless the kernel does not let it. */
const KILL_LIMIT_MS = 60_000;

export class Machine {
  /** Seen at the same path inside and outside; the temporary files of tests belong here. */
  readonly directory: string;
  private readonly process: ChildProcess;
  private readonly waiting = new Map<number, (status: number) => void>();
  private socket: Socket | undefined;
  private ready = false;
  private last = 0;
  private received = "";
  private said = "";
  /** Why nothing runs there any more. */
  private failure: string | undefined;

  private constructor(directory: string, process: ChildProcess) {
    this.directory = directory;
    this.process = process;
    process.stderr?.on("data", (chunk: Buffer) => {
      this.said += chunk.toString();
    });
  }

  /** Boots a kernel of vmrun's, such as "bookworm", for `limitSeconds` at most. @throws Error with what the machine said */
  static async boot(vmrun: string, kernel: string, limitSeconds: number): Promise<Machine> {
    const directory = mkdtempSync(join(process.env["TMPDIR"] ?? "/tmp", "ferrule-machine-"));
    const port = join(directory, "port");
    const log = join(directory, "console");
    const options = ["-k", kernel, "-t", String(limitSeconds), "-s", port, "-w", directory, "-l", log];
    const child = spawn(vmrun, [...options, "--", join(vmrun, "../serve"), directory], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const machine = new Machine(directory, child);
    await machine.connect(port);
    return machine;
  }

  private async connect(port: string): Promise<void> {
    const deadline = performance.now() + BOOT_LIMIT_MS;
    const check = (): void => {
      if (this.process.exitCode !== null || performance.now() > deadline)
        throw new Error(`the virtual machine does not start: ${this.said}`);
    };
    for (; !existsSync(port); await sleep(20)) check();
    this.socket = connect(port);
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => this.hear(chunk.toString()));
    for (; !this.ready; await sleep(20)) check();
    this.process.on("exit", () => this.fail("the virtual machine has ended"));
  }

  /** Ends all that waits for the machine, and lets nothing more begin. */
  private fail(reason: string): void {
    const log = join(this.directory, "console");
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-10) : [];
    this.failure ??= `${reason}; its kernel's last words:\n${lines.join("\n")}`;
    for (const resolve of this.waiting.values()) resolve(255);
    this.waiting.clear();
  }

  private hear(text: string): void {
    const lines = (this.received + text).split("\n");
    this.received = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "ready") this.ready = true;
      const [number = "", status = ""] = line.split(" ");
      this.waiting.get(Number(number))?.(Number(status));
      this.waiting.delete(Number(number));
    }
  }

  /** Starts a program there. @throws Error when the machine has failed */
  start(argv: readonly string[], options: ProgramOptions = {}): RunningProgram {
    if (this.failure !== undefined) throw new Error(this.failure);
    this.last += 1;
    const number = this.last;
    const file = (suffix: string): string => join(this.directory, `${number}.${suffix}`);
    const clean =
      options.env === undefined ? [] : ["env", "-i", ...Object.entries(options.env).map(([k, v]) => `${k}=${v}`)];
    writeFileSync(file("in"), options.stdin ?? "");
    writeFileSync(file("sh"), `echo $BASHPID >${number}.pid\nexec ${[...clean, ...argv].map(quoted).join(" ")}\n`);
    let status: number | undefined;
    const ended = new Promise<void>((resolve) => {
      this.waiting.set(number, (value) => {
        status = value;
        resolve();
      });
    });
    this.socket?.write(`${number}\n`);
    return {
      pid: () => Number(readFileSync(file("pid"), "utf8")),
      stdout: () => (existsSync(file("out")) ? readFileSync(file("out"), "utf8") : ""),
      stderr: () => (existsSync(file("err")) ? readFileSync(file("err"), "utf8") : ""),
      ended,
      hasEnded: () => status !== undefined,
      status: () => status ?? 255,
      kill: (signal) => {
        if (status !== undefined) return;
        this.start(["kill", `-${signal.replace("SIG", "")}`, readFileSync(file("pid"), "utf8").trim()]);
        if (signal !== "SIGKILL") return;
        const hung = setTimeout(() => this.fail(`the kernel does not let go of ${argv.join(" ")}`), KILL_LIMIT_MS);
        ended.then(() => clearTimeout(hung));
      },
    };
  }

  /** How long a program there may take that may take so long here. */
  limitMs(hereMs = DEFAULT_LIMIT_MS): number {
    return hereMs * SLOWNESS;
  }

  /** Ends it with all that runs there. */
  async stop(): Promise<void> {
    this.socket?.destroy();
    const gone = new Promise((resolve) => this.process.once("exit", resolve));
    if (this.process.exitCode === null) {
      this.process.kill("SIGTERM");
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

let current: Machine | undefined;

/** From now on, this file's programs run in that machine; `undefined` brings them back. */
export function useMachine(machine: Machine | undefined): void {
  current = machine;
}

/** Where programs run now; `undefined` is here. */
export function currentMachine(): Machine | undefined {
  return current;
}
