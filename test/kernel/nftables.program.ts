/**
 * Drives pkg/nftables in the namespace it is started in, for nftables.test.ts, which compares what it prints with what
 * nft lists. It compiles natively too, so that both engines can be put to the same test.
 */
import { sameBytes } from "../../pkg/codec/view.ts";
import { Address } from "../../pkg/ip/address.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { deleteFlow, deleteFlows, type Flow, flowText, listFlows } from "../../pkg/netlink/conntrack.ts";
import { NETLINK_NETFILTER } from "../../pkg/netlink/headers/netlink.ts";
import { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { regularChain } from "../../pkg/nftables/chain.ts";
import { concatenation, ipv4Type, portDatum, portType, protocolDatum, protocolType } from "../../pkg/nftables/datum.ts";
import { type Element, element, mapping } from "../../pkg/nftables/element.ts";
import { findElement, firstElements, keyOf, listElements, scanElements } from "../../pkg/nftables/elements.ts";
import { rule } from "../../pkg/nftables/rule.ts";
import { chainExists, generation, listChains, listRules, listSets, tableExists } from "../../pkg/nftables/ruleset.ts";
import { mapOf } from "../../pkg/nftables/set.ts";
import { jump } from "../../pkg/nftables/statement.ts";
import { nftablesSupport } from "../../pkg/nftables/support.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { OWN_TYPE, userdataEntry } from "../../pkg/nftables/userdata.ts";
import { build, buildRules, buildSets, ip, TCP, table, UDP } from "./nftables-ruleset.ts";
import { address } from "./values.ts";

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
  new Transaction()
    .deleteRule(table, "in", handle)
    .flush(table, "out")
    .deleteElements(
      table,
      "hosts",
      (listElements(socket, table, "hosts") ?? []).map((one) => keyOf(one)),
    )
    .commit(socket);
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
    return own !== undefined && sameBytes(own, wanted);
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
