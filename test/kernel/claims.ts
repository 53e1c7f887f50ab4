/** Claims about a kernel, printed one a line: what the programs of these tests are made of. */
import { KernelError } from "../../pkg/linux/errno.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NamespaceError } from "../../pkg/netns/network-namespace.ts";

export function claim(what: string, holds: boolean): void {
  console.log(`${holds ? "ok" : "not ok"} ${what}`);
}

/** The error's name, or "none". */
export function errnoOf(action: () => void): string {
  try {
    action();
    return "none";
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    if (error instanceof NamespaceError) return error.problem;
    return "other";
  }
}

export function textOf(action: () => void): string {
  try {
    action();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

export function required(stack: NetworkStack, name: string): Link {
  const found = findLink(stack, name);
  if (found === undefined) throw new Error(`${name} is missing`);
  return found;
}
