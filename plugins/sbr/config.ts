/** sbr's configuration. */

import type { Address } from "../../pkg/ip/address.ts";
import { isReservedTable } from "../../pkg/link/routing-table.ts";
import { RT_TABLE_MAX } from "../../pkg/netlink/headers/rtnetlink.ts";
import { addressFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";

export interface SbrConfig {
  /** A table that somebody else fills; `undefined`: tables of our own, filled with the interface's routes. */
  readonly table: number | undefined;
  /** At most one of each family; these come before IPAM's. */
  readonly gateways: readonly Address[];
  readonly addSourceHints: boolean;
}

export const config = (keys: Keys): SbrConfig => {
  const table = keys.optionalInteger(
    "table",
    "only lead the addresses to this table, which somebody else fills",
    1,
    RT_TABLE_MAX,
  );
  if (table !== undefined && isReservedTable(table)) {
    keys.refuse(`${table} is one of the kernel's own`, "table", "253 to 255 are default, main and local; take another");
  }
  const gateways = keys.formatted("gateways", addressFormat, "at most one of each family; these come before IPAM's");
  for (const family of [4, 6]) {
    if (gateways.filter((gateway) => gateway.family === family).length < 2) continue;
    keys.refuse(`more than one of IPv${family}`, "gateways", "an interface has one way out for each family");
  }
  return {
    table,
    gateways,
    addSourceHints: keys.flag(
      "addSourceHints",
      false,
      "keep the routes to the interface's own subnets in the main table, with its address as their source",
    ),
  };
};
