/** Files that are either as they were or wholly new, also after a crash or a power cut. Used for state that outlives a call. */
import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * Writes `text` as the whole content of `path`, whose directory must be there: first to `.NAME.new` beside it, then by renaming.
 * Two writers of one path must not run at the same time. @throws file errors; the old content stays then
 */
export function replaceFile(path: string, text: string, mode: number): void {
  const slash = path.lastIndexOf("/");
  const directory = slash < 0 ? "." : path.slice(0, slash + 1);
  const fresh = `${slash < 0 ? "" : directory}.${path.slice(slash + 1)}.new`;
  try {
    writeAndSync(fresh, text, mode);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

function writeAndSync(path: string, text: string, mode: number): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode);
  try {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes the names in a directory durable: a renamed file may else have its old name after a power cut. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
