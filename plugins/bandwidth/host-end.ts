/** The host's end of the container's veth pair, where the limits are put. */
import { otherEnd } from "../../pkg/link/veth.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import { namespaceId } from "../../pkg/netlink/namespace-id.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { invalidConfig } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";

/**
 * By what the kernel says of the container's interface, whether or not prevResult names the other end (plugins that make the pair need
 * not tell of it).
 * @throws CniError 7 when there is no such interface, it is no veth, or its other end is not on the host
 */
export function requireHostEnd(host: NetworkStack, sandbox: NetworkStack, ifName: string): Link {
  const inside = findLink(sandbox, ifName);
  if (inside === undefined) {
    throw invalidConfig(
      `Cannot limit ${ifName}: the container has no such interface`,
      'put bandwidth after the plugin that makes the interface in the list\'s "plugins"',
    );
  }
  if (inside.kind !== "veth") {
    throw invalidConfig(
      `Cannot limit ${ifName}: container interface ${ifName} has no veth peer (it is ${kindWords(inside)})`,
      "bandwidth works on veth pairs alone: those of bridge and ptp",
    );
  }
  const end = findOnHost(host, sandbox, inside);
  if (end !== undefined) return end;
  throw invalidConfig(
    `Cannot limit ${ifName}: veth peer with index ${inside.linkIndex} is not in host ns`,
    "the other end of the container's veth pair is in another network namespace than the runtime's",
  );
}

function kindWords(link: Link): string {
  return link.kind === "" ? "no virtual interface" : `of kind ${link.kind}`;
}

/** The same where nothing is required: `undefined` when it cannot be found. */
export function findHostEnd(host: NetworkStack, sandbox: NetworkStack | undefined, ifName: string): Link | undefined {
  if (sandbox === undefined) return undefined;
  const inside = findLink(sandbox, ifName);
  return inside === undefined || inside.kind !== "veth" ? undefined : findOnHost(host, sandbox, inside);
}

/** An index counts in one namespace only: the link that has it here must say that its other end is in the container. */
function findOnHost(host: NetworkStack, sandbox: NetworkStack, inside: Link): Link | undefined {
  const end = otherEnd(host, inside);
  if (end === undefined || end.linkNamespaceId === undefined || sandbox.namespace === undefined) return end;
  return end.linkNamespaceId === namespaceId(host, sandbox.namespace) ? end : undefined;
}

/** The links on the host that a result names, for when the container's side is gone. */
export function namedOnHost(host: NetworkStack, result: Result | undefined): Link[] {
  const links: Link[] = [];
  for (const each of result?.interfaces ?? []) {
    const link = each.sandbox === "" ? findLink(host, each.name) : undefined;
    if (link !== undefined && link.kind === "veth") links.push(link);
  }
  return links;
}
