/** Whether the kernel can make links of a kind: told for STATUS, without making one and without loading a module. */
import { existsSync, readFileSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { isKernelError } from "../linux/errno.ts";
import { isKnownKind } from "../netlink/link-kind.ts";
import { isKnownQdisc } from "../netlink/qdisc.ts";
import type { NetworkStack } from "../netlink/stack.ts";

const RELEASE = "/proc/sys/kernel/osrelease";

/** @throws CniError 50 when it is certain that the kernel cannot make such links; `module` is the kind's kernel module */
export function requireKind(host: NetworkStack, kind: string, module: string = kind): void {
  if (existsSync("/proc/modules") ? isNoModule(module) : !isKnownKind(host, kind))
    throw missing(kind, module, ErrorCode.NotAvailable);
}

/** Runs what makes such a link. @throws CniError 5 in the same words when the kernel has no such kind; KernelError */
export function makingKind(kind: string, make: () => void): void {
  try {
    make();
  } catch (error) {
    if (isKernelError(error, "EOPNOTSUPP")) throw missing(kind, kind, ErrorCode.Io);
    throw error;
  }
}

/** The same for a kind of queue. @throws CniError 50 */
export function requireQueueKind(host: NetworkStack, kind: string, module: string): void {
  if (existsSync("/proc/modules") ? isNoModule(module) : !isKnownQdisc(host, kind))
    throw missing(kind, module, ErrorCode.NotAvailable);
}

function missing(kind: string, module: string, code: number): CniError {
  return new CniError(
    code,
    `this kernel has no ${kind}`,
    `install its kernel module ${module}, or use a kernel that has it`,
  );
}

/** Neither loaded nor among those that modprobe knows; where there is no list nothing is certain. */
function isNoModule(module: string): boolean {
  if (existsSync(`/sys/module/${module.replaceAll(/-/g, "_")}`)) return false;
  const directory = `/lib/modules/${readText(RELEASE).trim()}`;
  const lists = readText(`${directory}/modules.dep`) + readText(`${directory}/modules.builtin`);
  return lists !== "" && !lists.includes(`/${module}.ko`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (_) {
    return "";
  }
}
