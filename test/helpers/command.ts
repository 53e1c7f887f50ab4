/** Runs programs for tests to their end, on this machine or in a virtual one; a failure is reported with what the program said. */
import { currentMachine } from "./machine.ts";
import { type ProgramOptions, startHere } from "./program.ts";

export interface CommandOptions extends ProgramOptions {
  /** Milliseconds after which the program is killed; none when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandResult {
  readonly command: string;
  /** As a shell tells it (program.ts). */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;
}

/** Runs a program to its end, however it ends. @throws Error when it takes too long */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const machine = currentMachine();
  const begin = performance.now();
  const program = machine === undefined ? startHere(argv, options) : machine.start(argv, options);
  const limitMs = machine === undefined ? options.timeoutMs : machine.limitMs(options.timeoutMs);
  const command = argv.join(" ");
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          program.kill("SIGKILL");
        }, limitMs);
  await program.ended;
  clearTimeout(timer);
  const wallMs = performance.now() - begin;
  if (limitMs !== undefined && wallMs > limitMs) throw new Error(`${command} took longer than ${limitMs} ms`);
  return { command, status: program.status(), stdout: program.stdout(), stderr: program.stderr(), wallMs };
}

/** The program's stdout. @throws Error with what it printed when it failed */
export async function runSuccessfully(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const outcome = await runCommand(argv, options);
  if (outcome.status !== 0) {
    throw new Error(`${outcome.command} ended with ${outcome.status}:\n${outcome.stderr}${outcome.stdout}`);
  }
  return outcome.stdout;
}
