/**
 * sbr: source based routing. What has one of the interface's addresses as its source leaves by the interface, however many others the
 * container has. Chained after the plugin that makes the interface.
 *
 *   rule: from 10.1.0.5 lookup 100 ──▶ table 100: default via 10.1.0.1 dev net1, 10.1.0.0/24 dev net1 …   (out of the main table)
 */
import { addAlone, deleteAlone } from "../../pkg/link/network-lock.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import { listRoutes, type Route } from "../../pkg/netlink/route.ts";
import { listRules } from "../../pkg/netlink/rule.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Add, type Check, type Del, definePlugin, type Plugin, type Status } from "../../pkg/skel/plugin.ts";
import { nothingToCollect, requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { CniError, drift, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type SbrConfig } from "./config.ts";
import { giveBack, isOver, leadsTo } from "./interface-routes.ts";
import { ownRules } from "./own-rules.ts";
import { deleteSourceRule, ensureSourceRule, listSourceRules, type SourceRule, sbrProtocol } from "./rules.ts";
import { type Source, sourcesOf } from "./sources.ts";
import { moveRoutes } from "./tables.ts";

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
