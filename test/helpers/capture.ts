/** What passes an interface, by tcpdump. */
import type { Background } from "./background.ts";
import type { Namespace } from "./namespace.ts";
import type { TestNode } from "./node.ts";

export class Capture {
  private readonly tcpdump: Background;

  private constructor(tcpdump: Background) {
    this.tcpdump = tcpdump;
  }

  /** Captures from when this returns on. `filter` is tcpdump's; only frames that come in, when `incoming`. */
  static async start(
    node: TestNode,
    where: Namespace,
    link: string,
    filter: string,
    incoming = false,
  ): Promise<Capture> {
    const direction = incoming ? ["-Q", "in"] : [];
    // -l: a line as soon as it is complete. --immediate-mode: no waiting for the kernel's buffer to fill.
    const tcpdump = node.background(
      ["tcpdump", "-l", "-n", "-e", "-t", "--immediate-mode", ...direction, "-i", link, filter],
      where,
    );
    await tcpdump.waitFor(/listening on/);
    return new Capture(tcpdump);
  }

  /** The frames so far, a line each. */
  get frames(): string[] {
    return this.tcpdump.stdout.split("\n").filter((line) => line.trim() !== "");
  }

  /** Waits until a frame matches. @throws Error with all frames when none does in time */
  async waitFor(pattern: RegExp, timeoutMs = 3000): Promise<void> {
    await this.tcpdump.waitFor(pattern, timeoutMs);
  }

  /** The frames when no more are to come. */
  async stop(): Promise<string[]> {
    await this.tcpdump.stop("SIGINT");
    return this.frames;
  }
}
