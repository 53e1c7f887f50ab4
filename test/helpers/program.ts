/** Programs that run beside a test, on this machine: never through a shell, output kept whole. */
import { spawn } from "node:child_process";
import { constants } from "node:os";

export interface ProgramOptions {
  readonly stdin?: string | undefined;
  /** The whole environment; the tests' own when left out. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** A program that goes on, here or in a virtual machine. */
export interface RunningProgram {
  /** Its number where it runs; in a machine known once it has printed something. */
  readonly pid: () => number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<void>;
  readonly hasEnded: () => boolean;
  /** 0..255 once it has ended; as a shell tells, 128 + the number of the signal that ended it, and 127 when it could not be started. */
  readonly status: () => number;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Starts a program. That it cannot be started is told by its status and on its stderr. */
export function startHere(argv: readonly string[], { stdin = "", env }: ProgramOptions = {}): RunningProgram {
  const [file = "", ...rest] = argv;
  const child = spawn(file, rest, { stdio: "pipe", ...(env === undefined ? {} : { env: { ...env } }) });
  let stdout = "";
  let stderr = "";
  let status: number | undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // One that does not read its stdin closes the pipe early, which is no failure of the program.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const ended = new Promise<void>((resolve) => {
    child.on("error", (error) => {
      status ??= 127;
      stderr += error.message;
      resolve();
    });
    child.on("close", (code, signal) => {
      status ??= code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      resolve();
    });
  });
  return {
    pid: () => child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    hasEnded: () => status !== undefined || child.exitCode !== null || child.signalCode !== null,
    status: () => status ?? 255,
    kill: (signal) => child.kill(signal),
  };
}
