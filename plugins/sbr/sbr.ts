/**
 * sbr: source based routing. What has one of the interface's addresses as its source leaves by the interface, however many others the
 * container has. Chained after the plugin that makes the interface.
 *
 *   rule: from 10.1.0.5 lookup 100 ──▶ table 100: default via 10.1.0.1 dev net1, 10.1.0.0/24 dev net1 …   (out of the main table)
 */

import type { Address } from "../../pkg/ip/address.ts";
import { addAlone, deleteAlone } from "../../pkg/link/network-lock.ts";
import { freeTable, usedTables } from "../../pkg/link/routing-table.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { RTN_UNICAST } from "../../pkg/netlink/headers/rtnetlink.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import { addRoute, deleteRoute, listRoutes, type Route } from "../../pkg/netlink/route.ts";
import { addRouteCopy, deleteRouteCopy, inOrderOfNeed, listRouteCopies } from "../../pkg/netlink/route-copies.ts";
import type { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import { listRules } from "../../pkg/netlink/rule.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Add, type Check, type Del, definePlugin, type Plugin, type Status } from "../../pkg/skel/plugin.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { nothingToCollect, requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { CniError, drift, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";
import { ipsOf, type Result } from "../../spec/result.ts";
import { config, type SbrConfig } from "./config.ts";
import {
  canMove,
  defaultRoute,
  giveBack,
  hintSource,
  isLinkLocalSix,
  isSameOrHinted,
  namesOf,
  putIntoMain,
  routesInMain,
} from "./interface-routes.ts";
import {
  deleteSourceRule,
  ensureSourceRule,
  isSameWay,
  listSourceRules,
  type SourceRule,
  sbrProtocol,
} from "./rules.ts";
import { familiesOf, type Group, groupsOf, isOfUse, type Source, sourcesOf } from "./sources.ts";

/** As in the reference: below are tables that people number by hand. */
const FIRST_TABLE = 100;

export function sbr(): Plugin {
  // Rules and routes vanish with the container's namespace.
  const gc = nothingToCollect<SbrConfig>;
  return definePlugin({ type: "sbr", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, sandbox, prevResult, undo }: Add<SbrConfig>): Result {
  const result = requirePrevResult(prevResult, "sbr");
  const sources = sourcesOf(result, attachment.ifName, config.gateways);
  return addAlone(sandbox.stack, undo, (): Result => {
    const { stack } = sandbox;
    const link = requireLink(stack, attachment.ifName);
    const rules = listSourceRules(stack);
    if (config.table === undefined) moveRoutes(stack, link, sources, rules, config, undo);
    else for (const { prefix } of sources) ensureSourceRule(stack, rules, prefix.address, config.table, undo);
    return result;
  });
}

function requireLink(stack: NetworkStack, ifName: string): Link {
  const link = findLink(stack, ifName);
  if (link !== undefined) return link;
  throw invalidConfig(
    `Cannot route by the addresses of ${ifName}: the container has no such interface`,
    'put sbr after the plugin that makes the interface in the list\'s "plugins"',
  );
}

/**
 * Rules first, which find nothing yet and let packets pass on to the main table; then the routes in their tables; then out of the main
 * table. Whenever this ends, DEL finds the tables by the rules, and the routes by the tables.
 */
function moveRoutes(
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

/** Whether a table is the interface's: it has routes, and none over others. */
function isAllOver(routes: readonly Route[], link: Link): boolean {
  return routes.length > 0 && routes.every((route) => isOver(route, link));
}

function isOver(route: Route, link: Link): boolean {
  return route.linkIndex === link.index || route.nexthops.some((hop) => hop.linkIndex === link.index);
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

function leadsTo(route: Route, gateway: Address): boolean {
  return route.gateway?.equals(gateway) ?? route.nexthops.some((hop) => hop.gateway?.equals(gateway) ?? false);
}

/** By the rules and tables themselves: what the addresses were is told by prevResult, by the interface, and by who made a rule. */
function del({ config, attachment, sandbox, prevResult, teardown }: Del<SbrConfig>): void {
  teardown.attempt(`give back the routes of ${attachment.ifName}`, () => {
    const stack = sandbox.find();
    if (stack !== undefined) deleteAlone(stack, () => remove(stack, attachment.ifName, config.table, prevResult));
  });
}

function remove(
  stack: NetworkStack,
  ifName: string,
  onlyTable: number | undefined,
  prevResult: Result | undefined,
): void {
  const link = findLink(stack, ifName);
  const rules = ownRules(stack, link, ifName, onlyTable, prevResult);
  if (link !== undefined && onlyTable === undefined) {
    const tables = new Set<number>();
    for (const { rule, table } of rules) if (rule.protocol === sbrProtocol) tables.add(table);
    giveBack(stack, link, listOf(tables));
  }
  // Last, and ours after others': a DEL that ends here finds the tables again.
  const ours = rules.filter(({ rule }) => rule.protocol === sbrProtocol);
  for (const each of rules) if (!ours.includes(each)) deleteSourceRule(stack, each);
  for (const each of ours) deleteSourceRule(stack, each);
}

function listOf(tables: ReadonlySet<number>): number[] {
  const list: number[] = [];
  for (const table of tables) list.push(table);
  return list;
}

/**
 * The rules of the interface: our own, also those from addresses that it had and has no more; and the reference's from its addresses,
 * which lead to a table of the interface's alone. Any other rule was there before ADD.
 */
function ownRules(
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

/** The rules, and what they lead to; not the main table, in which others may have put something since. */
function check({ config, attachment, sandbox, prevResult }: Check<SbrConfig>): void {
  const result = requireCheckedResult(prevResult, "sbr");
  const sources = sourcesOf(result, attachment.ifName, config.gateways);
  const { stack } = sandbox;
  const link = findLink(stack, attachment.ifName);
  if (link === undefined) throw drift(`interface ${attachment.ifName} is missing in ${sandbox.path}`);
  const rules = listSourceRules(stack);
  for (const source of sources) verifySource(stack, link, source, rules, config.table);
}

function verifySource(
  stack: NetworkStack,
  link: Link,
  source: Source,
  rules: readonly SourceRule[],
  onlyTable: number | undefined,
): void {
  const { address, family } = source.prefix;
  const own = rules.filter((rule) => rule.address.equals(address));
  const rule = own.find((each) => onlyTable === undefined || each.table === onlyTable);
  if (rule === undefined) {
    const where = onlyTable === undefined ? "" : ` to table ${onlyTable}`;
    throw drift(`the rule that leads packets from ${address.toString()}${where} is missing`);
  }
  if (onlyTable !== undefined) return;
  const routes: Route[] = [];
  for (const { table } of own) {
    for (const route of listRoutes(stack, { family, table })) if (isOver(route, link)) routes.push(route);
  }
  const { table } = rule;
  if (routes.length === 0) throw drift(`table ${table} has no route over ${link.name} for ${address.toString()}`);
  const { gateway, isChosen } = source;
  if (gateway === undefined) return;
  const defaults = routes.filter((route) => route.destination.isDefault);
  if (isChosen ? defaults.some((route) => leadsTo(route, gateway)) : defaults.length > 0) return;
  throw drift(`the default route via ${gateway.toString()} dev ${link.name} is missing in table ${table}`);
}

function status({ host }: Status<SbrConfig>): void {
  try {
    listRules(host);
  } catch (error) {
    throw new CniError(
      ErrorCode.NotAvailable,
      `sbr: the kernel has no policy rules: ${messageOf(error)}`,
      "use a kernel with CONFIG_IP_MULTIPLE_TABLES",
    );
  }
}
