/** Programs that run beside a test. */
import { type ChildProcess, spawn } from "node:child_process";

/** A server, a capture, a flow of packets: started at once, stopped when the test says so. */
export class Background {
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private printed = "";
  private said = "";

  constructor(argv: readonly string[]) {
    const [file = "", ...rest] = argv;
    this.child = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.printed += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.said += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.on("close", () => resolve());
      this.child.on("error", () => resolve());
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get stdout(): string {
    return this.printed;
  }

  get stderr(): string {
    return this.said;
  }

  /** Waits until stdout or stderr matches. @throws Error with what was printed when the program ends or time is up first */
  async waitFor(pattern: RegExp, timeoutMs = 5000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!pattern.test(this.printed) && !pattern.test(this.said)) {
      if (performance.now() > deadline || this.child.exitCode !== null) {
        throw new Error(`${this.child.spawnargs.join(" ")} did not print ${pattern}:\n${this.printed}${this.said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits until the program ends by itself. */
  async end(): Promise<void> {
    await this.ended;
  }

  /** Ends the program and waits for it. */
  async stop(signal: "SIGTERM" | "SIGKILL" | "SIGINT" = "SIGKILL"): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }
}
