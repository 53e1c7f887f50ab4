/** A file's time of modification, set (utimensat(2)); read it with node:fs. */
import { closeSync, openSync } from "node:fs";
import { errno, setModificationTime } from "#system";
import { KernelError } from "./errno.ts";

/** `path` is a file or directory; `seconds` since 1970, without a fraction. @throws KernelError, file errors of open */
export function stampModificationTime(path: string, seconds: number): void {
  const descriptor = openSync(path, "r");
  try {
    if (setModificationTime(descriptor, seconds) < 0) throw new KernelError(`set the time of ${path}`, errno());
  } finally {
    closeSync(descriptor);
  }
}
