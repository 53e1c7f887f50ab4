/** The sysctls of one attachment: which parameters they are, and those read and written in the container's namespace. */
import { isFileError } from "../../pkg/linux/errno.ts";
import type { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { readSysctl, writeSysctl } from "../../pkg/sysctl/sysctl.ts";
import { CniError, drift, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";
import type { SysctlChange } from "./backup.ts";
import type { SysctlSetting } from "./config.ts";
import { sysctlPath } from "./sysctl-key.ts";
import { sameSysctlValue, shownSysctlValue } from "./sysctl-value.ts";

/** A parameter that is to have a value. */
export interface Parameter {
  /** As it is written in the configuration. */
  readonly key: string;
  /** Below /proc/sys. */
  readonly path: string;
  readonly value: string;
}

/**
 * The parameters of an attachment, in the configuration's order; `asked` win. @throws CniError 7 when two keys of one source mean
 * the same parameter and differ: which one came last would be chance
 */
export function parametersOf(
  settings: readonly SysctlSetting[],
  asked: readonly SysctlSetting[],
  ifName: string,
): Parameter[] {
  const parameters: Parameter[] = [];
  const winners = resolve(asked, ifName);
  for (const own of resolve(settings, ifName)) {
    if (!winners.some((winner) => winner.path === own.path)) parameters.push(own);
  }
  for (const winner of winners) parameters.push(winner);
  return parameters;
}

function resolve(settings: readonly SysctlSetting[], ifName: string): Parameter[] {
  const parameters: Parameter[] = [];
  for (const { key, value } of settings) {
    const path = sysctlPath(key, ifName);
    if (path === undefined) continue; // refused with the configuration
    const same = parameters.find((each) => each.path === path);
    if (same === undefined) parameters.push({ key, path, value });
    else if (!sameSysctlValue(same.value, value)) {
      throw invalidConfig(
        `sysctl: ${same.key} and ${key} are both ${path}, and have different values`,
        "leave one of them out",
      );
    }
  }
  return parameters;
}

/**
 * What will have to be restored. A parameter that cannot be read (net.ipv4.route.flush) has nothing to restore.
 * @throws CniError 7 for one that the namespace does not have
 */
export function readFormer(namespace: NetworkNamespace, parameters: readonly Parameter[]): SysctlChange[] {
  const changes: SysctlChange[] = [];
  namespace.enter((): void => {
    for (const { key, path, value } of parameters) {
      const seen = look(path);
      if (!seen.there) throw absent(key);
      if (seen.value !== undefined) changes.push({ path, former: seen.value, set: value });
    }
  });
  return changes;
}

interface Seen {
  readonly there: boolean;
  /** `undefined` for one that does not tell. */
  readonly value: string | undefined;
}

function look(path: string): Seen {
  try {
    const value = readSysctl(undefined, path);
    return { there: value !== undefined, value };
  } catch (error) {
    // Some can only be written (net.ipv4.route.flush); one fails while it was never set (net.ipv6.conf.X.stable_secret).
    if (!isFileError(error, "EACCES") && !isFileError(error, "EPERM") && !isFileError(error, "EIO")) throw error;
    return { there: true, value: undefined };
  }
}

function absent(key: string): CniError {
  return invalidConfig(
    `Cannot set sysctl ${key}: the container's network namespace has no such parameter`,
    "it may be misspelt, belong to the whole machine and not to a namespace, or to a kernel module that is not loaded",
  );
}

/** Sets them in order. @throws CniError; those before the failing one are set then */
export function writeParameters(namespace: NetworkNamespace, parameters: readonly Parameter[]): void {
  namespace.enter((): void => {
    for (const { key, path, value } of parameters) writeOne(key, path, value);
  });
}

function writeOne(key: string, path: string, value: string): void {
  let there = false;
  try {
    there = writeSysctl(undefined, path, written(value));
  } catch (error) {
    throw unwritable(key, value, error);
  }
  if (!there) throw absent(key);
}

/** To write nothing at all would change nothing. */
function written(value: string): string {
  return value === "" ? "\n" : value;
}

function unwritable(key: string, value: string, error: unknown): CniError {
  const what = `Cannot set sysctl ${key} to "${value}": ${messageOf(error)}`;
  if (isFileError(error, "EINVAL") || isFileError(error, "ERANGE")) {
    return invalidConfig(
      what,
      "the kernel does not take this value: see Documentation/networking/ip-sysctl of the kernel",
    );
  }
  // Newer kernels show a namespace some parameters of the whole machine, which it can only read (net.core.rmem_max).
  if (isFileError(error, "EACCES")) {
    return invalidConfig(
      `Cannot set sysctl ${key}: in the container's network namespace it can only be read`,
      "it belongs to the whole machine and not to a namespace: set it on the node (or a security module keeps the runtime from it)",
    );
  }
  if (isFileError(error, "EROFS") || isFileError(error, "EPERM")) {
    return new CniError(ErrorCode.Io, what, "the runtime must run with a /proc/sys that can be written to");
  }
  return new CniError(ErrorCode.Io, what);
}

/**
 * Sets them back, last first; those that are gone with their interface need nothing, and what the kernel does not take back is
 * told to `warn`. @throws the file system's error when it may go better the next time
 */
export function restoreSysctls(
  namespace: NetworkNamespace,
  changes: readonly SysctlChange[],
  warn: (line: string) => void,
): void {
  if (changes.length === 0) return;
  namespace.enter((): void => {
    for (const { path, former } of changes.toReversed()) {
      try {
        writeSysctl(undefined, path, written(former));
      } catch (error) {
        if (!isFinal(error)) throw error;
        warn(`tuning: sysctl ${path} cannot be set back to "${shownSysctlValue(former)}": ${messageOf(error)}`);
      }
    }
  });
}

/** Refusals that a repetition would meet again. */
function isFinal(error: unknown): boolean {
  return ["EINVAL", "ERANGE", "EROFS", "EACCES", "EPERM"].some((code) => isFileError(error, code));
}

/** @throws CniError 102 for one that has another value, or is gone */
export function verifyParameters(namespace: NetworkNamespace, parameters: readonly Parameter[]): void {
  namespace.enter((): void => {
    for (const { key, path, value } of parameters) {
      const seen = look(path);
      if (!seen.there) throw drift(`sysctl ${key} is missing in the container's network namespace`);
      if (seen.value === undefined || sameSysctlValue(seen.value, value)) continue;
      throw drift(`sysctl ${key} is "${shownSysctlValue(seen.value)}", configured is "${value}"`);
    }
  });
}
