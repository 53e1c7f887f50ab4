/**
 * The most memory that a process has resident. What the kernel counts for a parent includes the parent's own at the time of exec,
 * which would hide a process as small as a plugin; so strace holds it just before it ends, and /proc is read. Runs under Bun.
 */
import { readFileSync } from "node:fs";

const HOLD_MICROSECONDS = 200_000;

/** Kilobytes. @throws Error when the process fails */
export async function peakMemory(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdin: string,
): Promise<number> {
  const inject = `inject=exit_group:delay_enter=${HOLD_MICROSECONDS}`;
  const tracer = Bun.spawn(
    [Bun.which("strace") ?? "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=exit_group", "-e", inject, ...argv],
    {
      env: { ...environment },
      stdin: new TextEncoder().encode(stdin),
      stdout: "ignore",
      stderr: "ignore",
    },
  );
  let peak = 0;
  while (tracer.exitCode === null && tracer.signalCode === null) {
    peak = highWaterMark(tracer.pid) ?? peak;
    await Bun.sleep(20);
  }
  if (tracer.exitCode !== 0) throw new Error(`${argv.join(" ")} under strace ended with ${tracer.exitCode}`);
  return peak;
}

/** Of strace's first child, which is the process itself and not one that it started. */
function highWaterMark(tracer: number): number | undefined {
  try {
    const child = readFileSync(`/proc/${tracer}/task/${tracer}/children`, "utf8").split(" ")[0];
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes);
  } catch (_) {
    return undefined; // it has just ended
  }
}
