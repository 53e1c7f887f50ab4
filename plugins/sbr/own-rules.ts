/** Which rules of a container are an interface's. */
import type { Address } from "../../pkg/ip/address.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { listRoutes } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { ipsOf, type Result } from "../../spec/result.ts";
import { isAllOver, isOver } from "./interface-routes.ts";
import { isSameWay, listSourceRules, type SourceRule, sbrProtocol } from "./rules.ts";

/**
 * The rules of the interface: our own, also those from addresses that it had and has no more; and the reference's from its addresses,
 * which lead to a table of the interface's alone. Any other rule was there before ADD.
 */
export function ownRules(
  stack: NetworkStack,
  link: Link | undefined,
  ifName: string,
  onlyTable: number | undefined,
  prevResult: Result | undefined,
): SourceRule[] {
  const here: Address[] = [];
  const elsewhere: Address[] = [];
  for (const { linkIndex, prefix } of listAddresses(stack)) {
    if (linkIndex === link?.index) here.push(prefix.address);
    else elsewhere.push(prefix.address);
  }
  for (const ip of prevResult === undefined ? [] : ipsOf(prevResult, ifName)) {
    if (!elsewhere.some((other) => other.equals(ip.address.address))) here.push(ip.address.address);
  }
  const routes = listRoutes(stack);
  const rules = listSourceRules(stack);
  return rules.filter(({ address, table, rule }: SourceRule): boolean => {
    if (onlyTable !== undefined && table !== onlyTable) return false;
    const isHere = here.some((each) => each.equals(address));
    const inTable = routes.filter((route) => route.table === table);
    if (rule.protocol !== sbrProtocol) {
      if (!isHere) return false;
      return onlyTable === undefined
        ? link !== undefined && isAllOver(inTable, link)
        : !rules.some((each) => each.rule.protocol === sbrProtocol && isSameWay(each, address, table));
    }
    const isItsTable =
      onlyTable !== undefined ||
      inTable.length === 0 ||
      (link !== undefined && inTable.some((route) => isOver(route, link)));
    return isItsTable && (isHere || !elsewhere.some((each) => each.equals(address)));
  });
}
