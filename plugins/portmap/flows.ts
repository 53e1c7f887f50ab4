/**
 * UDP flows that the kernel still sends where a mapping does not lead any more, or not yet: it asks the rules for a flow's first
 * datagram only, and a client that never pauses never has another first one. Nobody else's flows are touched.
 */
import type { Address } from "../../pkg/ip/address.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { deleteFlows, type Flow } from "../../pkg/netlink/conntrack.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { findElement } from "../../pkg/nftables/elements.ts";
import type { Mapped } from "./mapped.ts";
import { portElement, table } from "./rules.ts";
import { protocolNumber, specificAddress, type Target } from "./targets.ts";

const UDP = 17;

/** Forgets flows to a mapped port that do not lead to the container; their next datagram is mapped. */
export function forgetEarlierFlows(host: NetworkStack, targets: readonly Target[]): void {
  const local = new LocalAddresses(host);
  for (const target of targets) {
    const { mapping, container } = target;
    if (protocolNumber(mapping.protocol) !== UDP) continue;
    const destination = specificAddress(mapping);
    const filter = { family: container.family, protocol: UDP, destination, destinationPort: mapping.hostPort };
    deleteFlows(host.netfilter, filter, (flow: Flow): boolean => {
      const arrived = leadsTo(flow, container.address, mapping.containerPort);
      if (arrived || !local.has(flow.original.destination)) return false;
      return destination !== undefined || !isMappedAlone(host, target, flow.original.destination);
    });
  }
}

/** Whether that one address of the host has a mapping of its own, which goes before one for all addresses. */
function isMappedAlone(host: NetworkStack, target: Target, address: Address): boolean {
  const { hostPort, containerPort, protocol } = target.mapping;
  const alone: Target = {
    mapping: { hostPort, containerPort, protocol, hostIp: address },
    container: target.container,
  };
  const specific = portElement(alone, "");
  return findElement(host.netfilter, table, specific.set, specific.element) !== undefined;
}

/** Forgets the flows that lead to a container by mappings that are gone; their next datagram meets what is there now. */
export function forgetFlows(host: NetworkStack, mappings: readonly Mapped[]): void {
  for (const mapped of mappings) {
    if (mapped.protocol !== UDP) continue;
    const filter = {
      family: mapped.container.family,
      protocol: UDP,
      destination: mapped.hostIp,
      destinationPort: mapped.hostPort,
    };
    deleteFlows(host.netfilter, filter, (flow: Flow): boolean => leadsTo(flow, mapped.container, mapped.containerPort));
  }
}

/** Answers come from where a flow leads. */
function leadsTo(flow: Flow, container: Address, port: number): boolean {
  return flow.reply.source.equals(container) && flow.reply.sourcePort === port;
}

/** The host's own addresses, read when first asked for. */
class LocalAddresses {
  private readonly host: NetworkStack;
  private known: Address[] | undefined;

  constructor(host: NetworkStack) {
    this.host = host;
  }

  has(address: Address): boolean {
    if (address.isLoopback) return true;
    const known = this.known ?? this.read();
    this.known = known;
    return known.some((each) => each.equals(address));
  }

  private read(): Address[] {
    const found: Address[] = [];
    for (const each of listAddresses(this.host)) found.push(each.prefix.address);
    return found;
  }
}
