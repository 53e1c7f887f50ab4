/**
 * Drives pkg/nftables in the namespace it is started in, for nftables.test.ts, which compares what it prints with what
 * nft lists. It compiles natively too, so that both engines can be put to the same test.
 */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { deleteFlow, deleteFlows, type Flow, flowText, listFlows } from "../../pkg/netlink/conntrack.ts";
import { NETLINK_NETFILTER } from "../../pkg/netlink/netfilter.ts";
import { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { baseChain, regularChain } from "../../pkg/nftables/chain.ts";
import {
  addressDatum,
  concatenation,
  type Datum,
  etherDatum,
  etherType,
  etherTypeDatum,
  familyDatum,
  interfaceDatum,
  interfaceType,
  ipv4Type,
  ipv6Type,
  markDatum,
  markType,
  portDatum,
  portType,
  protocolDatum,
  protocolType,
  verdictType,
} from "../../pkg/nftables/datum.ts";
import {
  type Element,
  element,
  elementText,
  mapping,
  prefixElement,
  verdictMapping,
} from "../../pkg/nftables/element.ts";
import { findElement, firstElements, keyOf, listElements, scanElements } from "../../pkg/nftables/elements.ts";
import {
  between,
  ctState,
  ctStatus,
  differs,
  equals,
  fibType,
  fibTypeIsNot,
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
  chainExists,
  generation,
  listChains,
  listRules,
  listSets,
  listTables,
  tableExists,
} from "../../pkg/nftables/ruleset.ts";
import {
  destinationPort,
  etherProtocol,
  etherSource,
  inputInterface,
  ip4Destination,
  ip4Source,
  ip6Destination,
  ip6Source,
  networkProtocol,
  outputInterface,
  packetMark,
  protocolFamily,
  tcpDestinationPort,
  tcpSourcePort,
  transportProtocol,
  udpDestinationPort,
} from "../../pkg/nftables/selector.ts";
import { mapOf, prefixSet, setOf } from "../../pkg/nftables/set.ts";
import {
  accept,
  counter,
  decideByMap,
  drop,
  goto,
  jump,
  reject,
  returnToCaller,
  setMark,
} from "../../pkg/nftables/statement.ts";
import { nftablesSupport } from "../../pkg/nftables/support.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { OWN_TYPE, userdataEntry } from "../../pkg/nftables/userdata.ts";

const TCP = 6;
const UDP = 17;
const table: Table = { family: "inet", name: "probe" };
const bridgeTable: Table = { family: "bridge", name: "probe" };

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}

function ip(text: string): Datum {
  return addressDatum(address(text));
}

const mac: Datum = etherDatum(new Uint8Array([2, 66, 0, 0, 0, 1]));

/** What an operation fails with, in one line. */
function failure(run: () => void): string {
  try {
    run();
    return "no failure";
  } catch (error) {
    if (error instanceof KernelError) return `${error.errno}: ${error.operation}`;
    throw error;
  }
}

/** Adds elements and prints how nft should show them. */
function fill(change: Transaction, set: string, elements: readonly Element[]): void {
  change.addElements(table, set, elements);
  for (const one of elements) console.log(elementText(one));
}

function buildSets(socket: NetlinkSocket): void {
  const port = [protocolType, portType];
  const change = new Transaction()
    .addTable(table, "a table")
    .addSet(table, setOf("hosts", [ipv4Type], "a set"))
    .addSet(table, prefixSet("nets", ipv4Type))
    .addSet(table, prefixSet("nets6", ipv6Type))
    .addSet(table, mapOf("ports", port, [ipv4Type, portType]))
    .addSet(table, mapOf("ports4", [ipv4Type, protocolType, portType], [ipv4Type, portType]))
    .addSet(table, mapOf("ports6", [ipv6Type, protocolType, portType], [ipv6Type, portType]))
    .addSet(table, setOf("senders", [interfaceType, etherType, markType]))
    .addSet(table, setOf("names", [interfaceType]))
    .addSet(table, setOf("marks", [markType]))
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
  fill(change, "nets", [
    prefixElement(prefix("10.0.0.0/8"), { comment: "private" }),
    prefixElement(prefix("240.0.0.0/4")),
  ]);
  fill(change, "nets6", [prefixElement(prefix("fd00::/8")), prefixElement(prefix("ff00::/8"))]);
  const web = [ip("10.1.1.1"), portDatum(8080)];
  fill(change, "ports", [
    mapping([protocolDatum(TCP), portDatum(80)], web, { comment: "web", own: new Uint8Array([7]) }),
  ]);
  fill(change, "ports4", [mapping([ip("192.0.2.1"), protocolDatum(UDP), portDatum(53)], web, { comment: "dns" })]);
  const web6 = [ip("fd00::2"), portDatum(53)];
  fill(change, "ports6", [mapping([ip("fd00::1"), protocolDatum(UDP), portDatum(53)], web6)]);
  fill(change, "senders", [element([interfaceDatum("eth0"), mac, markDatum(5)])]);
  fill(change, "names", [element([interfaceDatum("eth0")])]);
  fill(change, "marks", [element([markDatum(7)])]);
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

function buildRules(socket: NetlinkSocket): void {
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
  put(change, table, "out", rule([notInSet([ip4Source], "nets"), odd, masquerade(["random", "fully-random"])]));
  put(change, table, "out", rule([inSet([ip6Source], "nets6"), masquerade()]));
  put(change, table, "out", rule([markIs(0x2000, 0x2000), masquerade(["persistent"])]));
  put(change, table, "out", rule([ctStatus("dnat"), ctState(["established", "related"]), accept()]));
  put(change, table, "out", rule([ctState(["new"]), setMark(0x2000, 0x2000)]));
  put(change, table, "out", rule([setMark(0, 0x2000)]));
  put(change, table, "out", rule([setMark(1)]));
  put(change, table, "out", rule([setMark(0x100, 0xff00)]));
  put(change, table, "out", rule([equals(packetMark, markDatum(3)), jump("inner")]));
  const leaving = differs(outputInterface, interfaceDatum("eth*"));
  put(change, table, "out", rule([equals(inputInterface, interfaceDatum("veth0")), leaving, goto("inner")]));
  const high = between(udpDestinationPort, portDatum(1000), portDatum(2000));
  put(change, table, "out", rule([within(ip6Source, prefix("fd00::/64")), high, returnToCaller()]));
  const low = notBetween(tcpDestinationPort, portDatum(1000), portDatum(2000));
  put(change, table, "out", rule([within(ip6Source, prefix("fd00::/61")), low, returnToCaller()]));
  put(change, table, "out", rule([differs(etherSource, mac), drop()]));
  put(change, table, "out", rule([equals(etherProtocol, etherTypeDatum("arp")), drop()]));
  put(change, table, "out", rule([equals(networkProtocol, etherTypeDatum("ip")), counter(), drop()]));
  put(change, table, "out", rule([equals(protocolFamily, familyDatum(4)), drop()]));
  put(
    change,
    table,
    "out",
    rule([equals(tcpSourcePort, portDatum(53)), within(ip4Source, prefix("0.0.0.0/1")), drop()]),
  );
  put(change, table, "through", rule([fibTypeIsNot("saddr", "local"), reject("admin-prohibited")]));
  put(change, table, "through", rule([decideByMap([inputInterface], "deciders")]));
  put(change, table, "through", rule([markIsNot(3, 0xff), reject()]));
  put(change, table, "through", rule([equals(tcpDestinationPort, portDatum(25)), reject("tcp reset")]));
  put(change, table, "through", rule([inSet([inputInterface, etherSource, packetMark], "senders"), accept()]));
  change
    .addTable(bridgeTable)
    .addChain(bridgeTable, baseChain("in", { type: "filter", hook: "prerouting", priority: -300, policy: "accept" }));
  const port = equals(inputInterface, interfaceDatum("veth0"));
  put(change, bridgeTable, "in", rule([port, differs(etherSource, mac), drop()], "spoof"));
  put(change, bridgeTable, "in", rule([port, within(ip4Source, prefix("10.0.0.1/32")), accept()]));
  change.commit(socket);
}

function build(socket: NetlinkSocket): void {
  buildSets(socket);
  buildRules(socket);
}

function errors(socket: NetlinkSocket): void {
  const absent: Table = { family: "ip", name: "absent" };
  const key = [protocolDatum(TCP), portDatum(80)];
  const first = mapping(key, [ip("10.1.1.1"), portDatum(80)], { comment: "holder" });
  const other = mapping(key, [ip("10.1.1.2"), portDatum(80)]);
  const free = mapping([protocolDatum(TCP), portDatum(81)], [ip("10.1.1.2"), portDatum(80)]);
  new Transaction()
    .addTable(table)
    .addSet(table, mapOf("ports", [protocolType, portType], [ipv4Type, portType]))
    .addChain(table, regularChain("used"))
    .addChain(table, regularChain("user"))
    .addRule(table, "user", rule([jump("used")]))
    .addElements(table, "ports", [first])
    .commit(socket);
  console.log(failure(() => new Transaction().addChain(absent, regularChain("c")).commit(socket)));
  console.log(failure(() => new Transaction().createElements(table, "ports", [free, other]).commit(socket)));
  console.log(`free was added: ${findElement(socket, table, "ports", free) !== undefined}`);
  console.log(`holder: ${findElement(socket, table, "ports", other)?.comment ?? "none"}`);
  console.log(failure(() => new Transaction().addElements(table, "ports", [first]).commit(socket)));
  console.log(failure(() => new Transaction().addElements(table, "ports", [other]).commit(socket)));
  console.log(failure(() => new Transaction().deleteElements(table, "ports", [first, free]).commit(socket)));
  console.log(failure(() => new Transaction().deleteChain(table, "used").commit(socket)));
  console.log(failure(() => new Transaction().addRule(table, "user", rule([jump("nowhere")])).commit(socket)));
  const before = generation(socket);
  console.log(failure(() => new Transaction().addTable(absent).deleteTable(absent).commit(socket, before)));
  console.log(failure(() => new Transaction().deleteElements(table, "ports", [first]).commit(socket, before)));
  console.log(
    failure(() => new Transaction().deleteElements(table, "ports", [first]).commit(socket, generation(socket))),
  );
  console.log(failure(() => new Transaction().commit(socket)));
}

function read(socket: NetlinkSocket): void {
  const stack = NetworkStack.of(NetworkNamespace.current());
  console.log(`support: ${nftablesSupport(stack)?.errno ?? "usable"}`);
  console.log(`before: ${tableExists(socket, table)} ${chainExists(socket, table, "in")}`);
  console.log(`before: ${listRules(socket, table, "in").length} ${listSets(socket, table).length}`);
  console.log(`before: ${listElements(socket, table, "hosts") === undefined}`);
  buildSets(socket);
  buildRules(socket);
  console.log("---");
  console.log(
    `tables: ${listTables(socket)
      .map((one: Table): string => `${one.family} ${one.name}`)
      .join(", ")}`,
  );
  console.log(`there: ${tableExists(socket, table)} ${chainExists(socket, table, "in")}`);
  for (const one of listChains(socket, table)) {
    console.log(`chain ${one.name} ${one.type ?? "-"} ${one.hook ?? "-"} ${one.priority ?? "-"} ${one.comment ?? "-"}`);
  }
  for (const one of listSets(socket, table)) {
    console.log(`set ${one.name} ${one.isMap} ${one.keyLength} ${one.dataLength} ${one.comment ?? "-"}`);
  }
  const rules = listRules(socket, table, "in");
  console.log(`rules: ${rules.length}, first comment ${rules.at(0)?.comment ?? "-"}`);
  for (const one of listElements(socket, table, "hosts") ?? []) {
    console.log(`host ${new Address(one.key).toString()} ${one.comment ?? "-"} ${one.own?.length ?? "-"}`);
  }
  const web = findElement(socket, table, "ports", element([protocolDatum(TCP), portDatum(80)]));
  console.log(`web: ${web?.data?.length ?? 0} bytes, ${web?.comment ?? "-"}`);
  console.log(
    `no such: ${findElement(socket, table, "ports", element([protocolDatum(TCP), portDatum(1)])) === undefined}`,
  );
  for (const one of listElements(socket, table, "macs") ?? []) {
    new Transaction().deleteElements(table, "macs", [keyOf(one)]).commit(socket);
  }
  console.log(`macs left: ${listElements(socket, table, "macs")?.length ?? -1}`);
  const handle = rules.at(0)?.handle ?? 0;
  new Transaction().deleteRule(table, "in", handle).flush(table, "out").flushSet(table, "hosts").commit(socket);
  console.log(`after: ${listRules(socket, table, "in").length} ${listRules(socket, table, "out").length}`);
  console.log(`after: ${firstElements(socket, table, "hosts")?.length ?? -1}`);
  new Transaction().flush(table).deleteSet(table, "hosts").deleteChain(table, "in").commit(socket);
  console.log(`after: ${chainExists(socket, table, "in")} ${listElements(socket, table, "hosts") === undefined}`);
  new Transaction().deleteTable(table).commit(socket);
  console.log(`after: ${tableExists(socket, table)}`);
}

/** Adds and searches many elements; times in milliseconds. */
function many(socket: NetlinkSocket): void {
  const count = 10_000;
  new Transaction()
    .addTable(table)
    .addSet(table, mapOf("ports", [protocolType, portType], [ipv4Type, portType]))
    .commit(socket);
  const started = performance.now();
  for (let base = 0; base < count; base += 500) {
    const elements: Element[] = [];
    for (let port = base + 1; port <= base + 500; port += 1) {
      const to = concatenation([ip("10.1.0.1"), portDatum(port)]);
      const own = new TextEncoder().encode(`owner-${port}`);
      elements.push(mapping([protocolDatum(TCP), portDatum(port)], [to], { comment: `net/container/${port}`, own }));
    }
    new Transaction().addElements(table, "ports", elements).commit(socket);
  }
  const added = performance.now();
  const wanted = new TextEncoder().encode("owner-7777");
  const found = scanElements(socket, table, "ports", (userdata: Uint8Array): boolean => {
    const own = userdataEntry(userdata, OWN_TYPE);
    return own !== undefined && same(own, wanted);
  });
  const scanned = performance.now();
  const first = firstElements(socket, table, "ports");
  const peeked = performance.now();
  console.log(`found: ${found?.length ?? -1} ${found?.at(0)?.comment ?? "-"}`);
  console.log(`first: ${(first?.length ?? 0) > 0 && (first?.length ?? 0) < count}`);
  console.log(`all: ${listElements(socket, table, "ports")?.length ?? -1}`);
  console.log(`${Math.round(added - started)} ms to add, ${Math.round(scanned - added)} ms to scan`);
  console.log(`${Math.round((peeked - scanned) * 1000)} us to read the first`);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  const view = new DataView(other.buffer, other.byteOffset, other.length);
  let at = 0;
  for (const byte of one) {
    if (view.getUint8(at) !== byte) return false;
    at += 1;
  }
  return true;
}

/** Expects UDP flows to 10.9.0.2 ports 5301 and 5302, and fd09::2 port 5301. */
function flows(socket: NetlinkSocket): void {
  const any = { family: 4, protocol: UDP, destination: undefined, destinationPort: undefined } as const;
  const to5301 = { family: 4, protocol: UDP, destination: address("10.9.0.2"), destinationPort: 5301 } as const;
  const elsewhere = { family: 4, protocol: UDP, destination: address("10.9.0.3"), destinationPort: 5301 } as const;
  const six = { family: 6, protocol: UDP, destination: address("fd09::2"), destinationPort: 5301 } as const;
  console.log(`flows: ${listFlows(socket, any).length} ${listFlows(socket, six).length}`);
  console.log(`elsewhere: ${deleteFlows(socket, elsewhere, (_flow: Flow): boolean => true)}`);
  for (const one of listFlows(socket, to5301)) {
    console.log(flowText(one).split(":").at(0) ?? "");
    console.log(`refused: ${deleteFlows(socket, to5301, (_flow: Flow): boolean => false)}`);
    console.log(`deleted: ${deleteFlow(socket, one)}, again: ${deleteFlow(socket, one)}`);
  }
  console.log(`left: ${listFlows(socket, any).length}`);
  console.log(`rest: ${deleteFlows(socket, any, (_flow: Flow): boolean => true)}`);
  console.log(`six: ${deleteFlows(socket, six, (_flow: Flow): boolean => true)} ${listFlows(socket, six).length}`);
}

function main(scenario: string): void {
  const socket = NetlinkSocket.open(NETLINK_NETFILTER);
  switch (scenario) {
    case "build":
      build(socket);
      break;
    case "errors":
      errors(socket);
      break;
    case "read":
      read(socket);
      break;
    case "many":
      many(socket);
      break;
    case "flows":
      flows(socket);
      break;
    default:
      console.log(`no scenario ${scenario}`);
  }
  socket.close();
}

main(process.argv.at(-1) ?? "");
