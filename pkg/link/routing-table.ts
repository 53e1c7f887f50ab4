/** Routing tables by number: which are taken, and which is free. Used by sbr and vrf. Source: linux/rtnetlink.h, RT_TABLE_*. */
import { RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_UNSPEC } from "../netlink/headers/rtnetlink.ts";
import { type Link, listLinks } from "../netlink/link.ts";
import { vrfAttributes } from "../netlink/link-attributes.ts";
import { listRoutes } from "../netlink/route.ts";
import { listRules } from "../netlink/rule.ts";
import type { NetworkStack } from "../netlink/stack.ts";

/** Whether the number means a table of the kernel's own, or none. */
export function isReservedTable(table: number): boolean {
  return table === RT_TABLE_UNSPEC || (table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL);
}

/** The table of a VRF; 0 for other links. @throws DecodeError */
export function tableOfVrf(link: Link): number {
  return link.kind === "vrf" ? (link.kindData?.get(vrfAttributes.table) ?? 0) : 0;
}

/** The tables that a rule names, that have a route, or that are a VRF's. @throws KernelError */
export function usedTables(stack: NetworkStack): Set<number> {
  const used = new Set<number>();
  for (const rule of listRules(stack)) used.add(rule.table);
  for (const route of listRoutes(stack)) used.add(route.table);
  for (const link of listLinks(stack, { kind: "vrf" })) used.add(tableOfVrf(link));
  return used;
}

/** The first table from `first` on that is not among the used ones. */
export function freeTable(used: ReadonlySet<number>, first: number): number {
  let table = first;
  while (used.has(table) || isReservedTable(table)) table += 1;
  return table;
}
