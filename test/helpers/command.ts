/** Runs programs for tests: never through a shell, output kept whole, a failure reported with what the program said. */
import { execa } from "execa";
import { currentMachine } from "./machine.ts";

export interface CommandOptions {
  readonly stdin?: string | undefined;
  /** The whole environment; the tests' own when left out. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds after which the program is killed; none when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandResult {
  readonly command: string;
  /** 0..255, or 128 + the number of the signal that ended it, as a shell tells. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** Runs a program to its end, however it ends. @throws Error when it cannot be started or takes too long */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const machine = currentMachine();
  if (machine !== undefined) return machine.run(argv, options);
  const [file = "", ...rest] = argv;
  const start = performance.now();
  const outcome = await execa(file, rest, {
    input: options.stdin ?? "",
    reject: false,
    stripFinalNewline: false,
    ...(options.env === undefined ? {} : { env: { ...options.env }, extendEnv: false }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: "SIGKILL" as const }),
  });
  const command = argv.join(" ");
  if (outcome.timedOut) throw new Error(`${command} took longer than ${options.timeoutMs} ms`);
  const status = outcome.exitCode ?? 128 + (signalNumbers[outcome.signal ?? ""] ?? 0);
  if (outcome.exitCode === undefined && outcome.signal === undefined) {
    // A program that does not read its stdin closes the pipe early: that is no failure of the program.
    throw new Error(`cannot run ${command}: ${outcome.shortMessage}`);
  }
  return { command, status, stdout: outcome.stdout, stderr: outcome.stderr, wallMs: performance.now() - start };
}

/** The program's stdout. @throws Error with what it printed when it failed */
export async function runSuccessfully(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const outcome = await runCommand(argv, options);
  if (outcome.status !== 0) {
    throw new Error(`${outcome.command} ended with ${outcome.status}:\n${outcome.stderr}${outcome.stdout}`);
  }
  return outcome.stdout;
}
