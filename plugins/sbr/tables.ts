/** Moves an interface's routes out of the main table into tables of its own, to which rules lead by the source of a packet. */
import type { Address } from "../../pkg/ip/address.ts";
import { freeTable, usedTables } from "../../pkg/link/routing-table.ts";
import { RTN_UNICAST } from "../../pkg/netlink/headers/rtnetlink.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { addRoute, deleteRoute, listRoutes, type Route } from "../../pkg/netlink/route.ts";
import { addRouteCopy, deleteRouteCopy, inOrderOfNeed, listRouteCopies } from "../../pkg/netlink/route-copies.ts";
import type { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import type { SbrConfig } from "./config.ts";
import {
  canMove,
  defaultRoute,
  hintSource,
  isAllOver,
  isLinkLocalSix,
  isSameOrHinted,
  leadsTo,
  namesOf,
  putIntoMain,
  routesInMain,
} from "./interface-routes.ts";
import { ensureSourceRule, type SourceRule, sbrProtocol } from "./rules.ts";
import { familiesOf, type Group, groupsOf, isOfUse, type Source } from "./sources.ts";

/** As in the reference: below are tables that people number by hand. */
const FIRST_TABLE = 100;

/**
 * Rules first, which find nothing yet and let packets pass on to the main table; then the routes in their tables; then out of the main
 * table. Whenever this ends, DEL finds the tables by the rules, and the routes by the tables.
 */
export function moveRoutes(
  stack: NetworkStack,
  link: Link,
  sources: readonly Source[],
  rules: readonly SourceRule[],
  config: SbrConfig,
  undo: Undo,
): void {
  const inMain = routesInMain(stack, link);
  const moving = inMain.filter(
    (copy) => canMove(copy, link) && familiesOf(sources).includes(copy.route.destination.family),
  );
  undo.push(`put the routes of ${link.name} back`, () => putIntoMain(stack, link, moving));
  const used = usedTables(stack);
  for (const group of groupsOf(sources)) {
    const table = tableOf(stack, link, group, rules, used);
    used.add(table);
    for (const { prefix } of group.sources) ensureSourceRule(stack, rules, prefix.address, table, undo);
    fillTable(stack, link, table, group, sources, inMain, undo);
  }
  for (const copy of moving) {
    const source = config.addSourceHints && !copy.hasGateway ? hintFor(copy.route, sources) : undefined;
    if (config.addSourceHints && !copy.hasGateway && copy.route.type === RTN_UNICAST) {
      if (source !== undefined && copy.route.source === undefined) hintSource(stack, link, copy, source);
    } else deleteRouteCopy(stack, copy, copy.route.table, link.index);
  }
}

/** The address that is in the route's subnet. */
function hintFor(route: Route, sources: readonly Source[]): Address | undefined {
  return sources.find((source) => route.destination.contains(source.prefix.address))?.prefix.address;
}

/** The table that an earlier ADD chose, ours or the reference's; or else one that nobody uses. */
function tableOf(
  stack: NetworkStack,
  link: Link,
  group: Group,
  rules: readonly SourceRule[],
  used: ReadonlySet<number>,
): number {
  for (const { address, table, rule } of rules) {
    if (!group.sources.some((source) => source.prefix.address.equals(address))) continue;
    const routes = listRoutes(stack, { table });
    // An empty one that somebody else leads to is about to be filled by him.
    if (routes.length === 0 ? rule.protocol === sbrProtocol : isAllOver(routes, link)) return table;
  }
  return freeTable(used, FIRST_TABLE);
}

/** Copies the group's routes into its table, and adds a default route to each family that has none and knows a gateway. */
function fillTable(
  stack: NetworkStack,
  link: Link,
  table: number,
  group: Group,
  sources: readonly Source[],
  inMain: readonly RouteCopy[],
  undo: Undo,
): void {
  const there = listRouteCopies(stack, { table, linkIndex: link.index });
  for (const copy of inOrderOfNeed(inMain)) {
    if (!isOfUse(namesOf(copy), group, sources) || there.some((each) => isSameOrHinted(copy, each, link))) continue;
    undo.push(`delete the route to ${copy.toString()} from table ${table}`, () => {
      deleteRouteCopy(stack, copy, table, link.index);
    });
    addRouteCopy(stack, copy, table, link.index);
  }
  for (const family of familiesOf(group.sources)) {
    const source = group.sources.find((each) => each.prefix.family === family && each.gateway !== undefined);
    if (source !== undefined) ensureDefault(stack, link, table, source, undo);
  }
}

/** What was found comes before IPAM's gateway, and what is configured before both. */
function ensureDefault(stack: NetworkStack, link: Link, table: number, source: Source, undo: Undo): void {
  const { gateway, isChosen } = source;
  if (gateway === undefined) return;
  const routes = listRoutes(stack, { family: gateway.family, table });
  const defaults = routes.filter((route) => route.destination.isDefault);
  if (isChosen ? defaults.some((route) => leadsTo(route, gateway)) : defaults.length > 0) return;
  // The least metric wins; IPv4 asks the newest of those that have the same, and IPv6 has none below 1.
  const priority = isChosen && gateway.family === 6 ? 1 : 0;
  const onLink = !routes.some((route) => !route.destination.isDefault && route.destination.contains(gateway));
  const route = defaultRoute(gateway, table, link, priority, onLink && !isLinkLocalSix(gateway));
  undo.push(`delete the default route of table ${table}`, () => {
    deleteRoute(stack, route);
  });
  addRoute(stack, route, "create");
}
