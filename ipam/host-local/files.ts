/** Small files that are there completely or not at all, whenever the process ends. Absence is a value. */
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { toHex } from "../../pkg/codec/hex.ts";
import { randomBytes } from "../../pkg/linux/random.ts";

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/** A file's text, or `undefined` when there is no such file. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether there was one to remove. */
export function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * Writes a file anew, mode 0600, through one in the directory `temporary`, which must be on the same file system. Two at once in
 * one directory disturb each other. Not synced: for what a power failure may take.
 */
export function replaceFile(path: string, text: string, temporary: string): void {
  const fresh = `${temporary}/next`;
  writeFileSync(fresh, text, { mode: 0o600 });
  renameSync(fresh, path);
}

/** A file (mode 0600) of a random name in `directory`, its text on disk when this returns. The path. */
export function writeSynced(directory: string, text: string): string {
  const path = `${directory}/new-${toHex(randomBytes(8))}`;
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return path;
}

/** A second name for a file; false when that name is taken. */
export function linkIfFree(path: string, name: string): boolean {
  try {
    linkSync(path, name);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}
