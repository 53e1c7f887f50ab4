/** A link that carries traffic: being up is not enough, the kernel notices the carrier a moment later. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { findLinkByIndex, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { waitForLink } from "../netlink/wait.ts";

/** The kernel looks at changes of carrier once a second at most. */
const DEADLINE_MS = 2500;

/** Waits until the link lets traffic through. @throws CniError 5, naming it as `what`, when it does not */
export function awaitOperational(stack: NetworkStack, link: Link, what: string): void {
  const ready = waitForLink(stack, link.index, (each) => each.operationalState === "up", DEADLINE_MS);
  if (ready !== undefined) return;
  const state = findLinkByIndex(stack, link.index)?.operationalState ?? "gone";
  throw new CniError(ErrorCode.Io, `${what} in error state: ${link.name} is ${state}`, "see the kernel's log: dmesg");
}
