/** Kernel parameters under /proc/sys (proc(5), ip-sysctl.rst), in a given network namespace or in our own (`undefined`). */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import type { NetworkNamespace } from "../netns/network-namespace.ts";

/** The value of `key` (`net/ipv4/ip_forward`), trimmed; `undefined` when the kernel has no such parameter. @throws file errors but ENOENT */
export function readSysctl(namespace: NetworkNamespace | undefined, key: string): string | undefined {
  return within(namespace, () => unlessAbsent(() => readFileSync(pathOf(key), "utf8").trim()));
}

/** Sets `key`; false when the kernel has no such parameter (a kernel without IPv6, say). Idempotent. @throws file errors but ENOENT */
export function writeSysctl(namespace: NetworkNamespace | undefined, key: string, value: string): boolean {
  return within(namespace, () => write(key, value));
}

/** Several at once, entering the namespace once; parameters that the kernel lacks are passed over. */
export function writeSysctls(namespace: NetworkNamespace | undefined, values: readonly (readonly [string, string])[]): void {
  within(namespace, (): boolean => {
    for (const pair of values) write(pair[0], pair[1]);
    return true;
  });
}

/** Sets `key` unless it has that value already; the value before, or `undefined` when the kernel has no such parameter. */
export function ensureSysctl(namespace: NetworkNamespace | undefined, key: string, value: string): string | undefined {
  return within(namespace, (): string | undefined => {
    const before = unlessAbsent(() => readFileSync(pathOf(key), "utf8").trim());
    if (before !== undefined && before !== value) write(key, value);
    return before;
  });
}

function pathOf(key: string): string {
  return `/proc/sys/${key}`;
}

function write(key: string, value: string): boolean {
  const descriptor = unlessAbsent(() => openSync(pathOf(key), constants.O_WRONLY));
  if (descriptor === undefined) return false;
  try {
    writeSync(descriptor, value);
    return true;
  } finally {
    closeSync(descriptor);
  }
}

function within<T>(namespace: NetworkNamespace | undefined, action: () => T): T {
  return namespace === undefined ? action() : namespace.enter(action);
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
