/** Files that are either as they were or wholly new, also after a crash or a power cut. Used for state that outlives a call. */
import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * Writes `text` as the whole content of `path`, whose directory must be there: first to `.NAME.new` beside it, then by renaming.
 * Two writers of one path must not run at the same time. @throws file errors; the old content stays then
 */
export function replaceFile(path: string, text: string, mode: number): void {
  const slash = path.lastIndexOf("/");
  replace(path, text, mode, unfinished(path), true);
  syncDirectory(slash < 0 ? "." : path.slice(0, slash + 1));
}

/** Removes what a killed `replaceFile` of `path` has left beside it; absence is success. @throws file errors */
export function removeUnfinished(path: string): void {
  rmSync(unfinished(path), { force: true });
}

/** Where the new content of `path` is until it is complete. */
function unfinished(path: string): string {
  const slash = path.lastIndexOf("/");
  return `${path.slice(0, slash + 1)}.${path.slice(slash + 1)}.new`;
}

/**
 * The same by way of the file `fresh`, on the same file system, and without waiting for the disk: a power cut may take the content.
 * What a killed process left of `fresh` is overwritten by the next one.
 */
export function replaceUnsynced(path: string, text: string, mode: number, fresh: string): void {
  replace(path, text, mode, fresh, false);
}

/** Makes a file that was not there, its text on disk when this returns. @throws file errors, EEXIST; no file is left then */
export function createSynced(path: string, text: string, mode: number): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    fill(file, text, true);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function replace(path: string, text: string, mode: number, fresh: string, synced: boolean): void {
  try {
    fill(openSync(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode), text, synced);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** Writes all of `text`, and closes. */
function fill(file: number, text: string, synced: boolean): void {
  try {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
    if (synced) fsyncSync(file);
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
