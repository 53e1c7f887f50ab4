/** The sandbox's end of a link, on DEL. */
import { deleteLink, findLink } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";

/** Removes the interface from the sandbox, which may be gone (`undefined`). Absence is success. */
export function removeContainerEnd(sandbox: NetworkStack | undefined, ifName: string): void {
  if (sandbox === undefined) return;
  const link = findLink(sandbox, ifName);
  if (link !== undefined) deleteLink(sandbox, link);
}
