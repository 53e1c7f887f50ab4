/**
 * What our table in nf_tables remembers of interfaces whose route_localnet is on because of us: they are guarded as long as it is
 * there, so it is not to go while one of them is open. What iptables' mappings have opened, iptables-guard.ts remembers.
 */
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Placed } from "../../pkg/nftables/element.ts";
import { localnetElement } from "./elements.ts";
import { isGuardedInIptables } from "./iptables-guard.ts";
import { goesWithContainer, isLeftOver, isOutByDefault, letsLocalhostOut } from "./localhost.ts";

/** The container's own interface, a veth with its other end elsewhere: it leaves with its owner. */
export function ownLocalnet(host: NetworkStack, towards: Link | undefined, tag: string): Placed[] {
  if (towards === undefined || !goesWithContainer(towards) || isOutByDefault(host)) return [];
  return [localnetElement(towards.name, tag)];
}

/** An interface that stays, unless others than us turned its route_localnet on. */
export function sharedLocalnet(host: NetworkStack, towards: Link | undefined): Placed | undefined {
  if (towards === undefined || goesWithContainer(towards)) return undefined;
  const { name } = towards;
  const isOthers = letsLocalhostOut(host, name) && !isLeftOver(host, name) && !isGuardedInIptables(host, name);
  return isOthers ? undefined : localnetElement(name);
}
