/** Addresses, routes, rules and neighbours against this machine's kernel. */
import { addAddress, deleteAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { deleteNeighbour, listNeighbours, setNeighbour } from "../../pkg/netlink/neighbour.ts";
import { addRoute, defaultRoutes, deleteRoute, listRoutes, lookupRoute } from "../../pkg/netlink/route.ts";
import { addRule, deleteRule, listRules } from "../../pkg/netlink/rule.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { claim, errnoOf, required } from "./claims.ts";
import { address, prefix } from "./values.ts";

export function addresses(host: NetworkStack): void {
  const bridge = required(host, "br0");
  addAddress(host, bridge, prefix("10.1.2.1/24"));
  addAddress(host, bridge, prefix("10.1.9.1/31"));
  addAddress(host, bridge, prefix("fd00::1/64"), { noDad: true });
  addAddress(host, bridge, prefix("192.0.2.1/32"), { peer: address("192.0.2.2"), scope: 253 });
  const all = listAddresses(host, bridge);
  const four = all.find((each) => each.prefix.toString() === "10.1.2.1/24");
  claim("an address has its broadcast", four?.broadcast?.toString() === "10.1.2.255" && four.permanent);
  const pair = all.find((each) => each.prefix.toString() === "10.1.9.1/31");
  claim("a subnet of two has no broadcast", pair !== undefined && pair.broadcast === undefined);
  const six = all.find((each) => each.prefix.toString() === "fd00::1/64");
  claim("without duplicate detection an address is usable at once", six !== undefined && !six.tentative);
  const peer = all.find((each) => each.prefix.address.toString() === "192.0.2.1");
  claim("a peer is told", peer?.peer?.toString() === "192.0.2.2" && peer.scope === 253);
  const elsewhere = listAddresses(host, required(host, "lo"));
  claim(
    "other links' addresses are left out",
    elsewhere.every((each) => each.prefix.address.isLoopback),
  );
  claim("an address is there once", errnoOf(() => addAddress(host, bridge, prefix("10.1.2.1/24"))) === "EEXIST");
  claim("deleting an address tells that it was there", deleteAddress(host, bridge, prefix("10.1.9.1/31")));
  claim("deleting it again tells that it was not", !deleteAddress(host, bridge, prefix("10.1.9.1/31")));
}

export function routes(host: NetworkStack): void {
  const bridge = required(host, "br0");
  const via = address("10.1.2.9");
  const spec = { destination: prefix("10.9.0.0/16"), gateway: via, linkIndex: bridge.index, mtu: 1300, advmss: 1200 };
  addRoute(host, spec, "exclusive");
  claim("a route is there once", errnoOf(() => addRoute(host, spec, "exclusive")) === "EEXIST");
  const found = listRoutes(host, { family: 4, table: 254, linkIndex: bridge.index }).find(
    (each) => each.gateway !== undefined,
  );
  claim("a route has its gateway", found?.gateway?.equals(via) === true && found.destination.equals(spec.destination));
  claim("a route has its metrics", found?.mtu === 1300 && found.advmss === 1200 && found.protocol === 3);
  addRoute(host, { ...spec, table: 100_000, priority: 7, source: address("10.1.2.1") }, "create");
  const far = listRoutes(host, { family: 4, table: 100_000 });
  claim(
    "a table may have a large number",
    far.length === 1 && far.at(0)?.table === 100_000 && far.at(0)?.priority === 7,
  );
  claim("a route has its source", far.at(0)?.source?.toString() === "10.1.2.1");
  claim("a table without routes is empty", listRoutes(host, { table: 4711 }).length === 0);
  addRoute(host, { ...spec, mtu: 1200 }, "replace");
  claim(
    "a route is replaced",
    listRoutes(host, { family: 4, table: 254 }).filter((each) => each.mtu === 1200).length === 1,
  );
  addRoute(host, { destination: prefix("fd09::/64"), gateway: address("fd00::9"), linkIndex: bridge.index }, "create");
  addRoute(host, { destination: prefix("fd09::/64"), gateway: address("fd00::8"), linkIndex: bridge.index }, "append");
  const ways = listRoutes(host, { family: 6, linkIndex: bridge.index }).find((each) => each.nexthops.length === 2);
  claim("several ways are told", ways?.nexthops.at(0)?.linkIndex === bridge.index && ways.destination.length === 64);
  addRoute(
    host,
    { destination: prefix("198.51.100.0/24"), gateway: address("fd00::9"), linkIndex: bridge.index },
    "create",
  );
  const crossing = listRoutes(host, { family: 4 }).find((each) => each.gateway?.family === 6);
  claim("a gateway may be of the other family", crossing?.gateway?.toString() === "fd00::9");
  addRoute(
    host,
    { destination: prefix("203.0.113.0/24"), gateway: address("172.16.0.1"), linkIndex: bridge.index, onLink: true },
    "create",
  );
  claim(
    "a gateway may be declared on the link",
    listRoutes(host, { family: 4 }).some((each) => each.onLink),
  );
  addRoute(host, { destination: prefix("0.0.0.0/0"), gateway: via, priority: 5 }, "create");
  addRoute(host, { destination: prefix("0.0.0.0/0"), gateway: via, priority: 2 }, "create");
  claim(
    "the best default route comes first",
    defaultRoutes(host, 4)
      .map((each) => each.priority)
      .join() === "2,5",
  );
  claim("a destination has a route", lookupRoute(host, address("8.8.8.8"))?.gateway?.equals(via) === true);
  claim(
    "deleting a route tells that it was there",
    deleteRoute(host, { destination: prefix("0.0.0.0/0"), priority: 5 }),
  );
  claim("deleting it by its gateway", deleteRoute(host, { destination: prefix("0.0.0.0/0"), gateway: via }));
  claim("deleting it again tells that it was not", !deleteRoute(host, { destination: prefix("0.0.0.0/0") }));
  claim("no route is undefined", lookupRoute(host, address("8.8.8.8")) === undefined);
  claim("no route is undefined for IPv6", lookupRoute(host, address("2001:db8::1")) === undefined);
}

export function rules(host: NetworkStack): void {
  const spec = { family: 4 as const, table: 100_000, priority: 99, source: prefix("10.3.0.0/16"), inputName: "br0" };
  addRule(host, spec);
  addRule(host, { family: 6, table: 100, mark: 0x2000, markMask: 0x2000 });
  claim("a rule is there once", errnoOf(() => addRule(host, spec)) === "EEXIST");
  const found = listRules(host, 4).find((rule) => rule.priority === 99);
  claim("a rule has its table and source", found?.table === 100_000 && found.source?.toString() === "10.3.0.0/16");
  claim("a rule has its link and action", found?.inputName === "br0" && found.action === 1);
  const marked = listRules(host).find((rule) => rule.family === 6 && rule.table === 100);
  claim("a rule has its mark", marked?.mark === 0x2000 && marked.markMask === 0x2000);
  claim("deleting a rule tells that it was there", deleteRule(host, spec));
  claim("deleting it again tells that it was not", !deleteRule(host, spec));
}

export function neighbours(host: NetworkStack): void {
  const bridge = required(host, "br0");
  setNeighbour(host, bridge, address("10.1.2.7"), "02:00:00:00:00:07");
  setNeighbour(host, bridge, address("fd00::7"), "02:00:00:00:00:08");
  const found = listNeighbours(host, bridge);
  claim(
    "neighbours have addresses",
    found.some((each) => each.address.toString() === "fd00::7" && each.mac === "02:00:00:00:00:08"),
  );
  claim("deleting a neighbour tells that it was there", deleteNeighbour(host, bridge, address("10.1.2.7")));
  claim("deleting it again tells that it was not", !deleteNeighbour(host, bridge, address("10.1.2.7")));
}
