/** For STATUS: whether an ADD could work. */
import { accessSync, constants, rmSync, writeFileSync } from "node:fs";
import type { Address } from "../../pkg/ip/address.ts";
import { FileLock } from "../../pkg/linux/file-lock.ts";
import { AttachmentIndex } from "./attachment-index.ts";
import { isDirectory } from "./files.ts";
import { LOCK_MODE, lockPath, takenIn } from "./store.ts";

/**
 * Whether an ADD could work here, without leaving anything: what is reserved, once the directory (or what it will be made in)
 * can be written and its lock had within `waitMs`. @throws file errors; KernelError EAGAIN naming who holds the lock
 */
export function probeStore(dataDir: string, network: string, waitMs: number): Address[] {
  const directory = `${dataDir}/${network}`;
  if (!isDirectory(directory)) {
    accessSync(nearestDirectory(dataDir), constants.W_OK);
    return [];
  }
  accessSync(directory, constants.W_OK);
  const operation = `lock the reservations of ${network}`;
  const lock = FileLock.acquireWithin(lockPath(dataDir, network), operation, waitMs, LOCK_MODE);
  try {
    requireRoom(AttachmentIndex.open(dataDir, network).directory);
  } finally {
    lock.release();
  }
  return takenIn(directory);
}

/** Only writing tells whether the disk is full. The file is no reservation's, and gone again at once. */
function requireRoom(directory: string): void {
  const path = `${directory}/status`;
  try {
    writeFileSync(path, "room\n", { mode: 0o600 });
  } finally {
    rmSync(path, { force: true });
  }
}

function nearestDirectory(path: string): string {
  let nearest = path;
  while (nearest !== "" && !isDirectory(nearest)) nearest = nearest.slice(0, Math.max(0, nearest.lastIndexOf("/")));
  return nearest === "" ? "/" : nearest;
}
