/**
 * Kernel parameters under /proc/sys, of one network namespace. Keys have slashes (`net/ipv4/conf/eth0.5/rp_filter`), so that
 * an interface's name may have dots. Source: proc_sys(5), Documentation/networking/ip-sysctl.rst.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { isFileError } from "../linux/errno.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";

const ROOT = "/proc/sys/";

/** The value without its final newline; `undefined` when the kernel has no such parameter. @throws the file system's error */
export function readSysctl(namespace: NetworkNamespace | undefined, key: string): string | undefined {
  return inside(namespace, () => read(key));
}

/** Whether the kernel has the parameter, which now has the value. @throws the file system's error, as on a read-only /proc */
export function writeSysctl(namespace: NetworkNamespace | undefined, key: string, value: string): boolean {
  return inside(namespace, () => write(key, value));
}

/** Writes several, in order, entering the namespace once; those that the kernel lacks are left out. @throws as writeSysctl */
export function writeSysctls(
  namespace: NetworkNamespace | undefined,
  rows: readonly (readonly [key: string, value: string])[],
): void {
  inside(namespace, (): boolean => {
    for (const row of rows) write(row[0], row[1]);
    return true;
  });
}

/** Writes only what differs. The value before. @throws as writeSysctl */
export function ensureSysctl(namespace: NetworkNamespace | undefined, key: string, value: string): string | undefined {
  return inside(namespace, () => {
    const before = read(key);
    if (before !== undefined && before !== value) write(key, value);
    return before;
  });
}

/** Whether what was caught says that parameters cannot be written here at all, as in an unprivileged container. */
export function isWriteRefused(error: unknown): boolean {
  return isFileError(error, "EROFS") || isFileError(error, "EACCES") || isFileError(error, "EPERM");
}

/** Why a parameter of the own namespace cannot be written, in the system's words; empty when it can. Changes nothing. */
export function writeRefusal(key: string): string {
  try {
    closeSync(openSync(pathOf(key), constants.O_WRONLY, 0));
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "unknown error";
  }
}

function inside<T>(namespace: NetworkNamespace | undefined, action: () => T): T {
  return namespace === undefined ? action() : namespace.enter(action);
}

function pathOf(key: string): string {
  for (const part of key.split("/")) {
    if (part === "" || part === "." || part === "..") throw new Error(`sysctl key "${key}" is malformed`);
  }
  return ROOT + key;
}

function isAbsence(error: unknown): boolean {
  return isFileError(error, "ENOENT") || isFileError(error, "ENOTDIR");
}

function read(key: string): string | undefined {
  try {
    return readFileSync(pathOf(key), "utf8").trimEnd();
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function write(key: string, value: string): boolean {
  let descriptor: number;
  try {
    // Never created: a parameter that is not there is not made by writing. Some can only be written (net/ipv4/route/flush).
    descriptor = openSync(pathOf(key), constants.O_WRONLY, 0);
  } catch (error) {
    if (isAbsence(error)) return false;
    if (read(key) === value) return true; // a read-only /proc with the right value will do
    throw error;
  }
  try {
    writeSync(descriptor, value);
  } finally {
    closeSync(descriptor);
  }
  return true;
}
