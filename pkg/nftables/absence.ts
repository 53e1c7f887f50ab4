/** Asking the kernel for what may not be there. */
import { KernelError } from "../linux/errno.ts";

/** What `read` returns, or `undefined` when the kernel says that the object does not exist. */
export function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return undefined;
    throw error;
  }
}
