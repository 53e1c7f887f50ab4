/**
 * Which network namespace a mapping's owner has, kept with it: when that is gone, the owner is, and its ports may be taken.
 * The path alone would not do, since runtimes reuse paths, nor would the inode, since the kernel reuses inodes.
 */
import { statSync } from "node:fs";

/** What fits beside the owner's tag. */
const MAX_BYTES = 115;

/** `device:inode path` of the namespace; empty when there is none to be seen, or the path is too long to be kept. */
export function identityOf(path: string): string {
  const found = path === "" ? undefined : fileAt(path);
  const text = found === undefined ? "" : `${found} ${path}`;
  return new TextEncoder().encode(text).length > MAX_BYTES ? "" : text;
}

/** Whether the namespace is gone for certain: what is not known counts as there. */
export function isGone(identity: string): boolean {
  const blank = identity.indexOf(" ");
  if (blank < 0) return false;
  return fileAt(identity.slice(blank + 1)) !== identity.slice(0, blank);
}

function fileAt(path: string): string | undefined {
  try {
    const status = statSync(path);
    return `${status.dev}:${status.ino}`;
  } catch (_) {
    return undefined;
  }
}
