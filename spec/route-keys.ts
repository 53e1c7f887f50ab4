/** The `routes` of a configuration, as IPAM plugins pass them on to the result (SPEC section 5, "routes"). */
import { addressFormat, prefixFormat } from "./formats.ts";
import type { Keys } from "./keys.ts";
import type { Route } from "./result.ts";

/** All members of a route are kept as they are; one without a destination is refused (code 7). */
export function readRoutes(keys: Keys): Route[] {
  const routes: Route[] = [];
  for (const route of keys.list("routes", routeKeys, "routes for the container, copied to the result")) {
    if (route !== undefined) routes.push(route);
  }
  return routes;
}

function routeKeys(keys: Keys): Route | undefined {
  const dst = keys.optional("dst", prefixFormat, "destination network");
  const gw = keys.optional("gw", addressFormat, "gateway; the address's own gateway when left out");
  const mtu = keys.integer("mtu", 0, "MTU towards the destination, in bytes", 0);
  const advmss = keys.integer("advmss", 0, "TCP segment size to advertise, in bytes", 0);
  const priority = keys.integer("priority", 0, "metric: lower wins", 0);
  const table = keys.optionalInteger("table", "routing table; the main one when left out", 0);
  const scope = keys.optionalInteger("scope", "0 global, 253 link, 254 host", 0, 255);
  if (dst !== undefined) return { dst, gw, mtu, advmss, priority, table, scope };
  if (!keys.has("dst")) keys.refuse("missing: a route needs a destination", "dst");
  return undefined;
}
