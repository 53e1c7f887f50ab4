/** Random bytes from the kernel (random(4)). */
import { closeSync, openSync, readSync } from "node:fs";

/** At most 256, which one read gives at once. @throws file errors */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const descriptor = openSync("/dev/urandom", "r");
  try {
    readSync(descriptor, bytes, 0, count, null);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}
