/**
 * Drives pkg/netlink, pkg/netns and pkg/sysctl in the namespace it is started in, with a second one at its argument, for
 * netlink.test.ts. One line for each claim: `ok` or `not ok`. It compiles natively too, so that both engines are put to
 * the same test.
 */
import { existsSync } from "node:fs";
import { clockMs } from "#system";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { armTermination } from "../../pkg/linux/termination.ts";
import { addAddress, deleteAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { Attributes } from "../../pkg/netlink/attributes.ts";
import { findBridgePort, setBridgePort } from "../../pkg/netlink/bridge-port.ts";
import { addVlans, deleteVlans, listVlans } from "../../pkg/netlink/bridge-vlan.ts";
import { changeBridge, createBridge, createLink, createVeth } from "../../pkg/netlink/create-link.ts";
import {
  changeLink,
  deleteLink,
  findLink,
  findLinkByIndex,
  type Link,
  linkHeader,
  listLinks,
} from "../../pkg/netlink/link.ts";
import {
  bridgeAttributes,
  ipvlanAttributes,
  ipvlanMode,
  macvlanAttributes,
  macvlanMode,
  vlanAttributes,
  vrfAttributes,
} from "../../pkg/netlink/link-attributes.ts";
import { messageBody } from "../../pkg/netlink/message.ts";
import { namespaceId } from "../../pkg/netlink/namespace-id.ts";
import { deleteNeighbour, listNeighbours, setNeighbour } from "../../pkg/netlink/neighbour.ts";
import { addRoute, defaultRoutes, deleteRoute, listRoutes, lookupRoute } from "../../pkg/netlink/route.ts";
import { addRule, deleteRule, listRules } from "../../pkg/netlink/rule.ts";
import { NetworkStack } from "../../pkg/netlink/stack.ts";
import { waitForAddresses, waitForLink } from "../../pkg/netlink/wait.ts";
import { NamespaceError, NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { ensureSysctl, readSysctl, writeSysctl, writeSysctls } from "../../pkg/sysctl/sysctl.ts";

function claim(what: string, holds: boolean): void {
  console.log(`${holds ? "ok" : "not ok"} ${what}`);
}

/** The error's name, or "none". */
function errnoOf(action: () => void): string {
  try {
    action();
    return "none";
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    if (error instanceof NamespaceError) return error.problem;
    return "other";
  }
}

function textOf(action: () => void): string {
  try {
    action();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new Error(`${text} is no prefix`);
  return found;
}

function address(text: string): Address {
  const found = Address.parse(text);
  if (found === undefined) throw new Error(`${text} is no address`);
  return found;
}

function required(stack: NetworkStack, name: string): Link {
  const found = findLink(stack, name);
  if (found === undefined) throw new Error(`${name} is missing`);
  return found;
}

function namespaces(path: string): void {
  const other = NetworkNamespace.open(path);
  const own = NetworkNamespace.current();
  claim("namespaces differ", !own.equals(other) && own.identity() !== other.identity());
  claim("a namespace equals itself by another path", own.equals(NetworkNamespace.open("/proc/self/ns/net")));
  claim(
    "inside a namespace it is the current one",
    other.enter(() => NetworkNamespace.current().equals(other)),
  );
  claim("an action's error passes", errnoOf(() => other.enter(() => NetworkNamespace.open("/nowhere"))) === "missing");
  claim("after an error the process is home", NetworkNamespace.current().equals(own));
  claim("nothing at a path is told", errnoOf(() => NetworkNamespace.open("/nowhere/ns")) === "missing");
  const notOne = "not-a-network-namespace";
  claim("a file is no namespace", errnoOf(() => NetworkNamespace.open("/etc/passwd")) === notOne);
  claim("a directory is no namespace", errnoOf(() => NetworkNamespace.open("/etc")) === notOne);
  claim("a file of /proc is no namespace", errnoOf(() => NetworkNamespace.open("/proc/self/status")) === notOne);
  claim("another kind of namespace is none", errnoOf(() => NetworkNamespace.open("/proc/self/ns/mnt")) === notOne);
  claim("find() tells absence as a value", NetworkNamespace.find("/nowhere") === undefined);
  own.close();
  own.close();
  other.close();
}

function bridges(host: NetworkStack, sandbox: NetworkStack): void {
  createBridge(host, { name: "br0", mtu: 0, mac: "02:00:00:00:00:01", vlanFiltering: false });
  const bridge = required(host, "br0");
  claim("a bridge has its kind and address", bridge.kind === "bridge" && bridge.mac === "02:00:00:00:00:01");
  claim("a bridge is there once", errnoOf(() => createBridge(host, { name: "br0" })) === "EEXIST");

  const peer = { name: "eth0", mac: "02:00:00:00:00:02", namespace: sandbox.namespace };
  createVeth(host, { name: "veth0", mtu: 1400, peer });
  const port = required(host, "veth0");
  const container = required(sandbox, "eth0");
  claim("the other end is in its namespace", container.mac === "02:00:00:00:00:02" && container.mtu === 1400);
  claim("a veth has its kind and MTU", port.kind === "veth" && port.mtu === 1400);
  claim("ends name each other", port.linkIndex === container.index && container.linkIndex === port.index);
  const id = sandbox.namespace === undefined ? undefined : namespaceId(host, sandbox.namespace);
  claim("the other end's namespace has its id", id !== undefined && port.linkNamespaceId === id);
  claim("a taken name is told", errnoOf(() => createVeth(host, { name: "veth0", peer })) === "EEXIST");

  changeLink(host, port, { alias: "owner one", up: true, masterIndex: bridge.index, txQueueLength: 500 });
  changeLink(host, bridge, { up: true, promiscuous: true, allMulticast: true });
  const changed = required(host, "veth0");
  claim("one change does all", changed.up && changed.alias === "owner one" && changed.txQueueLength === 500);
  claim("a port has a master", changed.masterIndex === bridge.index);
  const wide = required(host, "br0");
  claim("a bridge can listen to everything", wide.promiscuous && wide.allMulticast);
  changeLink(host, bridge, { promiscuous: false });
  claim("flags are changed singly", required(host, "br0").allMulticast && !required(host, "br0").promiscuous);
  changeLink(host, changed, { alias: "" });
  claim("an alias can be removed", required(host, "veth0").alias === "");

  setBridgePort(host, port, { hairpin: true });
  setBridgePort(host, port, { isolated: true });
  const flags = findBridgePort(host, port.index);
  claim("a port's options are set singly", flags?.hairpin === true && flags.isolated === true);
  claim("what is no port has no options", findBridgePort(host, bridge.index) === undefined);
  claim(
    "VLANs are listed where there are any",
    listVlans(host, port).every((vlan) => vlan.id === 1),
  );

  const ofBridge = listLinks(host, { masterIndex: bridge.index });
  claim("ports are listed", ofBridge.length === 1 && ofBridge.at(0)?.name === "veth0");
  const kinds = listLinks(host, { kind: "veth" });
  claim("links of a kind are listed", kinds.length === 1 && kinds.at(0)?.name === "veth0");
  claim("no link is of an unknown kind", listLinks(host, { kind: "nonesuch" }).length === 0);
  claim("all links are listed", listLinks(host).length === 3);
}

function links(host: NetworkStack, sandbox: NetworkStack): void {
  claim("a missing link is undefined", findLink(host, "nonesuch") === undefined);
  claim("a name that cannot be is undefined", findLink(host, "far-too-long-for-a-link") === undefined);
  claim("no name is no link", findLink(host, "") === undefined && findLink(host, "x".repeat(300)) === undefined);
  claim("a missing index is undefined", findLinkByIndex(host, 4711) === undefined);
  const refused = textOf(() => createLink(host, { name: "x", kind: "nonesuch" }));
  claim(
    "the kernel's own words are told",
    refused === "create nonesuch x: operation not supported (EOPNOTSUPP): Unknown device type",
  );

  createVeth(host, { name: "gone0", peer: { name: "gone1" } });
  const gone = required(host, "gone0");
  changeLink(host, required(host, "gone1"), { namespace: sandbox.namespace, name: "moved" });
  claim(
    "a link is moved and renamed at once",
    findLink(host, "gone1") === undefined && required(sandbox, "moved").name === "moved",
  );
  claim("deleting tells that it was there", deleteLink(host, gone));
  claim("deleting again tells that it was not", !deleteLink(host, gone));
  claim("the other end goes too", findLink(sandbox, "moved") === undefined);
}

function addresses(host: NetworkStack): void {
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

function routes(host: NetworkStack): void {
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

function rules(host: NetworkStack): void {
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

function neighbours(host: NetworkStack): void {
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

function sysctls(sandbox: NetworkStack): void {
  const { namespace } = sandbox;
  const key = "net/ipv4/ip_forward";
  writeSysctl(undefined, key, "0");
  claim("a parameter belongs to its namespace", writeSysctl(namespace, key, "1") && readSysctl(undefined, key) === "0");
  claim(
    "the value before is told",
    ensureSysctl(namespace, key, "0") === "1" && ensureSysctl(namespace, key, "0") === "0",
  );
  claim("what the kernel lacks is undefined", readSysctl(namespace, "net/ipv9/nonesuch") === undefined);
  claim("what the kernel lacks is not written", !writeSysctl(namespace, "net/ipv4/nonesuch", "1"));
  createBridge(sandbox, { name: "br.5" });
  const dotted = "net/ipv4/conf/br.5/arp_notify";
  writeSysctls(namespace, [
    ["net/ipv4/nonesuch", "1"],
    [dotted, "1"],
  ]);
  claim("a name may have dots", readSysctl(namespace, dotted) === "1");
  claim("a key stays below its root", textOf(() => readSysctl(undefined, "net/../../version")).includes("malformed"));
}

function waits(host: NetworkStack, sandbox: NetworkStack): void {
  const port = required(host, "veth0");
  const start = clockMs();
  const late = waitForLink(host, port.index, (link) => link.operationalState === "up", 120);
  claim("waiting ends at its deadline", late === undefined && clockMs() - start >= 120 && clockMs() - start < 2000);
  claim("a link that is gone is not waited for", waitForLink(host, 4711, () => false, 60_000) === undefined);
  const container = required(sandbox, "eth0");
  addAddress(sandbox, container, prefix("fd00::2/64"));
  changeLink(sandbox, container, { up: true });
  claim("a link comes up", waitForLink(host, port.index, (link) => link.operationalState === "up", 5000)?.up === true);
  const settled = waitForAddresses(sandbox, container.index, (each) => !each.tentative, 5000);
  const own = settled.find((each) => each.prefix.toString() === "fd00::2/64");
  claim("an address settles", own !== undefined && !own.tentative && !own.dadFailed);
}

/** Bridges that filter VLANs, where the kernel has them. */
function vlans(host: NetworkStack): void {
  const refusal = errnoOf(() => createBridge(host, { name: "brv", vlanFiltering: true }));
  if (refusal === "EOPNOTSUPP") {
    console.log("skipped: this kernel's bridges do not filter VLANs");
    claim("a bridge that was refused is not left behind", findLink(host, "brv") === undefined);
    return;
  }
  const bridge = required(host, "brv");
  claim("a bridge filters VLANs", bridge.kindData?.get(bridgeAttributes.vlanFiltering) === true);
  changeBridge(host, bridge, { vlanFiltering: false });
  claim("it can stop", required(host, "brv").kindData?.get(bridgeAttributes.vlanFiltering) === false);
  changeBridge(host, bridge, { vlanFiltering: true });
  createVeth(host, { name: "vport", masterIndex: bridge.index, peer: { name: "vpeer" } });
  const port = required(host, "vport");
  const texts = (link: Link): string =>
    listVlans(host, link)
      .map((vlan) => `${vlan.id}${vlan.pvid ? "p" : ""}${vlan.untagged ? "u" : ""}`)
      .join();
  claim("a new port is in VLAN 1", texts(port) === "1pu");
  deleteVlans(host, port, listVlans(host, port));
  claim("a port can be in none", texts(port) === "");
  const tagged = [7, 5, 6, 9, 4094].map((id) => ({ id, pvid: false, untagged: false }));
  addVlans(host, port, [...tagged, { id: 100, pvid: true, untagged: true }]);
  claim("a port is in the VLANs it was put in", texts(port) === "5,6,7,9,100pu,4094");
  addVlans(host, port, [{ id: 6, pvid: true, untagged: true }]);
  claim("the port's own VLAN moves", texts(port) === "5,6pu,7,9,100u,4094");
  deleteVlans(host, port, listVlans(host, port));
  addVlans(host, bridge, [{ id: 5, pvid: false, untagged: false }]);
  claim("a bridge itself may be in a VLAN", texts(bridge) === "1pu,5");
  deleteLink(host, bridge);
  deleteLink(host, port);
}

/** Links on top of another, made in another namespace from the start, of each kind that the kernel has. */
function kinds(host: NetworkStack, sandbox: NetworkStack): void {
  const parentIndex = required(host, "veth0").index;
  const made: readonly (readonly [kind: string, data: Attributes | undefined])[] = [
    ["macvlan", new Attributes().set(macvlanAttributes.mode, macvlanMode.bridge)],
    ["ipvlan", new Attributes().set(ipvlanAttributes.mode, ipvlanMode.l2)],
    ["vlan", new Attributes().set(vlanAttributes.id, 5)],
    ["vrf", new Attributes().set(vrfAttributes.table, 50)],
    ["dummy", undefined],
    ["ifb", undefined],
  ];
  const port = required(host, "veth0");
  changeLink(host, port, { masterIndex: 0 });
  claim("a port is taken from its bridge", required(host, "veth0").masterIndex === 0);
  for (const row of made) {
    const kind = row[0];
    const onTop = kind.endsWith("vlan") ? parentIndex : undefined;
    const { namespace } = sandbox;
    const spec = { name: `k-${kind}`, kind, data: row[1], parentIndex: onTop, namespace, up: true };
    const refusal = errnoOf(() => createLink(host, spec));
    if (refusal === "EOPNOTSUPP") {
      console.log(`skipped: this kernel has no links of kind ${kind}`);
      continue;
    }
    const link = findLink(sandbox, spec.name);
    claim(`a ${kind} is made in another namespace, up`, refusal === "none" && link?.kind === kind && link.up);
    claim(`a ${kind} is on its link`, link?.linkIndex === (onTop ?? 0));
    if (kind === "vlan") claim("a vlan has its number", link?.kindData?.get(vlanAttributes.id) === 5);
    if (kind === "macvlan") claim("a macvlan has its mode", link?.kindData?.get(macvlanAttributes.mode) === 4);
    if (link !== undefined) deleteLink(sandbox, link);
  }
}

/** Many links at once, so that dumps take several datagrams; and a batch of which one message is refused. */
function many(host: NetworkStack): void {
  for (let i = 0; i < 60; i++) createVeth(host, { name: `many${i}`, peer: { name: `more${i}` } });
  claim("a long dump is whole", listLinks(host, { kind: "veth" }).length === 121);
  const body = messageBody(linkHeader(0), new Attributes());
  const first = host.route.firstOfDump("look at the first links", 18, body).length;
  claim("a dump can be left after its first part", first > 0 && first < 123);
  const removal = listLinks(host, { kind: "veth" }).filter((link) => link.name.startsWith("many"));
  const steps = removal.map((link) => ({
    operation: `delete ${link.name}`,
    type: 17,
    flags: 4,
    body: messageBody(linkHeader(link.index), new Attributes()),
  }));
  const missing = {
    operation: "delete nobody",
    type: 17,
    flags: 0,
    body: messageBody(linkHeader(4711), new Attributes()),
  };
  const said = textOf(() => host.route.batch("delete many", [...steps, missing, missing]));
  claim("a batch tells which message was refused", said.startsWith("delete nobody: no such device (ENODEV)"));
  claim("a batch does the others", listLinks(host, { kind: "veth" }).length === 1);
  const large = new Uint8Array(70_000);
  const operation = "send much";
  const batch = [0, 1, 2, 3].map(() => ({ operation, type: 1, flags: 0, body: large }));
  claim("a batch may be larger than the send buffer", errnoOf(() => host.route.batch(operation, batch)) === "none");
}

/** The end of the call's time stops a wait, and what is then taken back still works. */
function interruption(host: NetworkStack): void {
  const port = required(host, "veth0");
  const never = (_link: Link): boolean => false;
  armTermination(150);
  const start = clockMs();
  const stopped = textOf(() => waitForLink(host, port.index, never, 60_000));
  claim("the call's deadline ends a wait", clockMs() - start < 5000 && stopped.includes(`wait for link ${port.index}`));
  claim("afterwards requests work", deleteLink(host, port) && findLink(host, "veth0") === undefined);
  claim("afterwards waits work", waitForLink(host, required(host, "br0").index, never, 50) === undefined);
}

function main(path: string): void {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  namespaces(path);
  const host = NetworkStack.host();
  const namespace = NetworkNamespace.open(path);
  const sandbox = NetworkStack.of(namespace);
  bridges(host, sandbox);
  links(host, sandbox);
  addresses(host);
  routes(host);
  rules(host);
  neighbours(host);
  sysctls(sandbox);
  waits(host, sandbox);
  vlans(host);
  kinds(host, sandbox);
  many(host);
  interruption(host);
  sandbox.close();
  host.close();
  namespace.close();
  console.log("done");
}

main("/run/netns/other");
