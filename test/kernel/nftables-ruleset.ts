/** A ruleset with every kind of rule, set and element, printed as nft should show it. */
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import { baseChain, regularChain } from "../../pkg/nftables/chain.ts";
import {
  addressDatum,
  type Datum,
  etherDatum,
  etherType,
  etherTypeDatum,
  interfaceDatum,
  interfaceType,
  ipv4Type,
  ipv6Type,
  markDatum,
  portDatum,
  portType,
  protocolDatum,
  protocolType,
  verdictType,
} from "../../pkg/nftables/datum.ts";
import { type Element, element, elementText, mapping, verdictMapping } from "../../pkg/nftables/element.ts";
import {
  between,
  ctState,
  ctStatus,
  differs,
  equals,
  fibType,
  inSet,
  markIs,
  markIsNot,
  notBetween,
  notInSet,
  outside,
  within,
} from "../../pkg/nftables/match.ts";
import { masquerade, natByMap, natTo } from "../../pkg/nftables/nat.ts";
import { type Rule, rule } from "../../pkg/nftables/rule.ts";
import {
  destinationPort,
  etherSource,
  inputInterface,
  ip4Destination,
  ip4Source,
  ip6Destination,
  ip6Source,
  networkProtocol,
  outputInterface,
  packetMark,
  tcpDestinationPort,
  tcpSourcePort,
  transportProtocol,
  udpDestinationPort,
} from "../../pkg/nftables/selector.ts";
import { mapOf, setOf } from "../../pkg/nftables/set.ts";
import { accept, decideByMap, drop, jump, returnToCaller, setMark } from "../../pkg/nftables/statement.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { address, prefix } from "./values.ts";

export const TCP = 6;
export const UDP = 17;
export const table: Table = { family: "inet", name: "probe" };
const bridgeTable: Table = { family: "bridge", name: "probe" };
export function ip(text: string): Datum {
  return addressDatum(address(text));
}

const mac: Datum = etherDatum(new Uint8Array([2, 66, 0, 0, 0, 1]));
/** Adds elements and prints how nft should show them. */
function fill(change: Transaction, set: string, elements: readonly Element[]): void {
  change.addElements(table, set, elements);
  for (const one of elements) console.log(elementText(one));
}

export function buildSets(socket: NetlinkSocket): void {
  const port = [protocolType, portType];
  const change = new Transaction()
    .addTable(table, "a table")
    .addSet(table, setOf("hosts", [ipv4Type], "a set"))
    .addSet(table, setOf("hosts6", [ipv6Type]))
    .addSet(table, mapOf("ports", port, [ipv4Type, portType]))
    .addSet(table, mapOf("ports4", [ipv4Type, protocolType, portType], [ipv4Type, portType]))
    .addSet(table, mapOf("ports6", [ipv6Type, protocolType, portType], [ipv6Type, portType]))
    .addSet(table, setOf("senders", [interfaceType, etherType]))
    .addSet(table, setOf("names", [interfaceType]))
    .addSet(table, setOf("services", [portType]))
    .addSet(table, setOf("protocols", [protocolType]))
    .addSet(table, setOf("macs", [etherType]))
    .addSet(table, mapOf("deciders", [interfaceType], [verdictType]))
    .addChain(table, regularChain("inner", "a chain"));
  fill(change, "hosts", [
    element([ip("10.0.0.1")], { comment: "one", own: new Uint8Array([1, 2, 3]) }),
    element([ip("10.0.0.2")], { own: new Uint8Array([9]) }),
    element([ip("10.0.0.3")]),
  ]);
  fill(change, "hosts6", [element([ip("fd00::1")], { comment: "six" }), element([ip("ff00::")])]);
  const web = [ip("10.1.1.1"), portDatum(8080)];
  fill(change, "ports", [
    mapping([protocolDatum(TCP), portDatum(80)], web, { comment: "web", own: new Uint8Array([7]) }),
  ]);
  fill(change, "ports4", [mapping([ip("192.0.2.1"), protocolDatum(UDP), portDatum(53)], web, { comment: "dns" })]);
  const web6 = [ip("fd00::2"), portDatum(53)];
  fill(change, "ports6", [mapping([ip("fd00::1"), protocolDatum(UDP), portDatum(53)], web6)]);
  fill(change, "senders", [element([interfaceDatum("eth0"), mac])]);
  fill(change, "names", [element([interfaceDatum("eth0")])]);
  fill(change, "services", [element([portDatum(443)])]);
  fill(change, "protocols", [element([protocolDatum(132)])]);
  fill(change, "macs", [element([mac])]);
  fill(change, "deciders", [
    verdictMapping([interfaceDatum("eth0")], { kind: "jump", chain: "inner" }, { comment: "v" }),
  ]);
  change.commit(socket);
}

/** Adds a rule and prints how nft should show it. */
function put(change: Transaction, to: Table, chain: string, added: Rule): void {
  change.addRule(to, chain, added);
  console.log(added.text);
}

export function buildRules(socket: NetlinkSocket): void {
  const change = new Transaction()
    .addChain(table, baseChain("in", { type: "nat", hook: "prerouting", priority: -95, policy: "accept" }, "base"))
    .addChain(table, baseChain("out", { type: "nat", hook: "postrouting", priority: 105, policy: "accept" }))
    .addChain(table, baseChain("through", { type: "filter", hook: "forward", priority: 0, policy: "drop" }));
  const local = fibType("daddr", "local");
  put(change, table, "in", rule([local, natByMap("dnat", 4, [transportProtocol, destinationPort], "ports")], "any"));
  put(
    change,
    table,
    "in",
    rule([local, natByMap("dnat", 4, [ip4Destination, transportProtocol, destinationPort], "ports4")]),
  );
  put(
    change,
    table,
    "in",
    rule([local, natByMap("dnat", 6, [ip6Destination, transportProtocol, destinationPort], "ports6")]),
  );
  put(change, table, "in", rule([equals(tcpDestinationPort, portDatum(80)), natTo("dnat", address("10.1.1.2"), 8080)]));
  put(change, table, "in", rule([equals(udpDestinationPort, portDatum(80)), natTo("dnat", address("fd00::2"), 8080)]));
  const one = within(ip4Destination, prefix("192.0.2.1/32"));
  put(change, table, "in", rule([one, natTo("dnat", address("10.1.1.2"), undefined)]));
  const away = outside(ip4Destination, prefix("10.0.0.0/24"));
  put(change, table, "out", rule([inSet([ip4Source], "hosts"), away, masquerade()], "masquerade for a network"));
  const odd = outside(ip4Destination, prefix("10.0.0.0/9"));
  put(change, table, "out", rule([notInSet([ip4Source], "hosts"), odd, masquerade(["random", "fully-random"])]));
  put(change, table, "out", rule([inSet([ip6Source], "hosts6"), masquerade()]));
  put(change, table, "out", rule([markIs(0x2000, 0x2000), masquerade(["persistent"])]));
  put(change, table, "out", rule([ctStatus("dnat"), ctState(["established", "related"]), accept()]));
  put(change, table, "out", rule([ctState(["new"]), setMark(0x2000, 0x2000)]));
  put(change, table, "out", rule([setMark(0, 0x2000)]));
  put(change, table, "out", rule([setMark(1)]));
  put(change, table, "out", rule([setMark(0x100, 0xff00)]));
  put(change, table, "out", rule([equals(packetMark, markDatum(3)), jump("inner")]));
  const leaving = differs(outputInterface, interfaceDatum("eth*"));
  put(change, table, "out", rule([equals(inputInterface, interfaceDatum("veth0")), leaving, jump("inner")]));
  const high = between(udpDestinationPort, portDatum(1000), portDatum(2000));
  put(change, table, "out", rule([within(ip6Source, prefix("fd00::/64")), high, returnToCaller()]));
  const low = notBetween(tcpDestinationPort, portDatum(1000), portDatum(2000));
  put(change, table, "out", rule([within(ip6Source, prefix("fd00::/61")), low, returnToCaller()]));
  put(change, table, "out", rule([differs(etherSource, mac), drop()]));
  put(change, table, "out", rule([equals(networkProtocol, etherTypeDatum("arp")), drop()]));
  put(change, table, "out", rule([equals(networkProtocol, etherTypeDatum("ip")), drop()]));
  put(
    change,
    table,
    "out",
    rule([equals(tcpSourcePort, portDatum(53)), within(ip4Source, prefix("0.0.0.0/1")), drop()]),
  );
  put(change, table, "through", rule([fibType("saddr", "local"), drop()]));
  put(change, table, "through", rule([decideByMap([inputInterface], "deciders")]));
  put(change, table, "through", rule([markIsNot(3, 0xff), drop()]));
  put(change, table, "through", rule([inSet([inputInterface, etherSource], "senders"), accept()]));
  change
    .addTable(bridgeTable)
    .addChain(bridgeTable, baseChain("in", { type: "filter", hook: "prerouting", priority: -300, policy: "accept" }));
  const port = equals(inputInterface, interfaceDatum("veth0"));
  put(change, bridgeTable, "in", rule([port, differs(etherSource, mac), drop()], "spoof"));
  put(change, bridgeTable, "in", rule([port, within(ip4Source, prefix("10.0.0.1/32")), accept()]));
  change.commit(socket);
}

export function build(socket: NetlinkSocket): void {
  buildSets(socket);
  buildRules(socket);
}
