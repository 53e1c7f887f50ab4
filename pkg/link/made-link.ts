/** A link that has just been made, as the kernel has it. Used wherever one is made by name. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { findLink, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";

/** @throws CniError 5 when it is gone again; KernelError */
export function findMade(stack: NetworkStack, name: string): Link {
  const link = findLink(stack, name);
  if (link !== undefined) return link;
  throw new CniError(
    ErrorCode.Io,
    `interface ${name} vanished while it was being set up`,
    "something else removes interfaces here: look for it, then try again",
  );
}
