/** Runs programs for tests to their end, on this machine or in a virtual one; a failure is reported with what the program said. */
import { currentMachine } from "./machine.ts";
import { type ProgramOptions, type RunningProgram, startHere } from "./program.ts";
import { idleShell, type Outcome, Shell } from "./shell.ts";

export interface CommandOptions extends ProgramOptions {
  /** Milliseconds after which the program is killed; none when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandResult extends Outcome {
  readonly command: string;
  readonly wallMs: number;
}

/**
 * Runs a program to its end, however it ends: here by a shell that waits for that, by the given one if it is idle.
 * @throws Error when it takes too long
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
  shell?: Shell,
): Promise<CommandResult> {
  const machine = currentMachine();
  const begin = performance.now();
  const limitMs = machine === undefined ? options.timeoutMs : machine.limitMs(options.timeoutMs);
  const command = argv.join(" ");
  const outcome =
    machine === undefined && Shell.canRun(options)
      ? await runByShell(shell ?? idleShell(), argv, options, limitMs)
      : await runDirectly(machine?.start(argv, options) ?? startHere(argv, options), limitMs);
  const wallMs = performance.now() - begin;
  if (limitMs !== undefined && wallMs > limitMs) throw new Error(`${command} took longer than ${limitMs} ms`);
  return { command, ...outcome, wallMs };
}

async function runByShell(
  shell: Shell,
  argv: readonly string[],
  options: ProgramOptions,
  limitMs: number | undefined,
): Promise<Outcome> {
  return within(limitMs, shell.run(argv, options), () => shell.killProgram());
}

async function runDirectly(program: RunningProgram, limitMs: number | undefined): Promise<Outcome> {
  await within(limitMs, program.ended, () => program.kill("SIGKILL"));
  return { status: program.status(), stdout: program.stdout(), stderr: program.stderr() };
}

/** Waits for an end that `kill` brings about when it takes longer. */
async function within<T>(limitMs: number | undefined, ending: Promise<T>, kill: () => void): Promise<T> {
  const timer = limitMs === undefined ? undefined : setTimeout(kill, limitMs);
  try {
    return await ending;
  } finally {
    clearTimeout(timer);
  }
}

/** The program's stdout. @throws Error with what it printed when it failed */
export async function runSuccessfully(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  return stdoutOf(await runCommand(argv, options));
}

/** What a program printed. @throws Error with that and its stderr when it failed */
export function stdoutOf(outcome: CommandResult): string {
  if (outcome.status !== 0) {
    throw new Error(`${outcome.command} ended with ${outcome.status}:\n${outcome.stderr}${outcome.stdout}`);
  }
  return outcome.stdout;
}
