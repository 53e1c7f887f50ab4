/** Waiting for what comes in its own time. */
import { currentMachine } from "./machine.ts";

/** Asks until the answer is yes; `what` completes "waited in vain until …". @throws Error when it takes too long */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = currentMachine() === undefined ? 10_000 : 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
