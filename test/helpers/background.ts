/** Programs that run beside a test. */
import { currentMachine } from "./machine.ts";
import { type RunningProgram, startHere } from "./program.ts";

/** A server, a capture, a flow of packets: started at once, stopped when the test says so. */
export class Background {
  private readonly command: string;
  private readonly program: RunningProgram;

  constructor(argv: readonly string[]) {
    this.command = argv.join(" ");
    this.program = currentMachine()?.start(argv) ?? startHere(argv);
  }

  get pid(): number {
    return this.program.pid();
  }

  get stdout(): string {
    return this.program.stdout();
  }

  get stderr(): string {
    return this.program.stderr();
  }

  /** Waits until stdout or stderr matches. @throws Error with what was printed when the program ends or time is up first */
  async waitFor(pattern: RegExp, timeoutMs = currentMachine() === undefined ? 20_000 : 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!pattern.test(this.stdout) && !pattern.test(this.stderr)) {
      if (performance.now() > deadline || this.program.hasEnded()) {
        throw new Error(`${this.command} did not print ${pattern}:\n${this.stdout}${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits until the program ends by itself. */
  async end(): Promise<void> {
    await this.program.ended;
  }

  /** Ends the program and waits for it. */
  async stop(signal: "SIGTERM" | "SIGKILL" | "SIGINT" = "SIGKILL"): Promise<void> {
    if (!this.program.hasEnded()) this.program.kill(signal);
    await this.program.ended;
  }
}
