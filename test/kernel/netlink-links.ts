/** Links against this machine's kernel: bridges, ports and VLANs, veth pairs, links on top of others, waiting for them. */
import { clockMs } from "#system";
import { armTermination } from "../../pkg/linux/termination.ts";
import { addAddress } from "../../pkg/netlink/address.ts";
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
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { waitForAddresses, waitForLink } from "../../pkg/netlink/wait.ts";
import { claim, errnoOf, required, textOf } from "./claims.ts";
import { prefix } from "./values.ts";

export function bridges(host: NetworkStack, sandbox: NetworkStack): void {
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

export function links(host: NetworkStack, sandbox: NetworkStack): void {
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

export function waits(host: NetworkStack, sandbox: NetworkStack): void {
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
export function vlans(host: NetworkStack): void {
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
export function kinds(host: NetworkStack, sandbox: NetworkStack): void {
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
export function many(host: NetworkStack): void {
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
export function interruption(host: NetworkStack): void {
  const port = required(host, "veth0");
  const never = (_link: Link): boolean => false;
  armTermination(150);
  const start = clockMs();
  const stopped = textOf(() => waitForLink(host, port.index, never, 60_000));
  claim("the call's deadline ends a wait", clockMs() - start < 5000 && stopped.includes(`wait for link ${port.index}`));
  claim("afterwards requests work", deleteLink(host, port) && findLink(host, "veth0") === undefined);
  claim("afterwards waits work", waitForLink(host, required(host, "br0").index, never, 50) === undefined);
}
