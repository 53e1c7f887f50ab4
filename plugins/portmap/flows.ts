/**
 * UDP flows that the kernel still sends where a mapping does not lead any more, or not yet: it asks the rules for a flow's first
 * datagram only, and a client that never pauses never has another first one. Nobody else's flows are touched.
 */
import type { Address, Family } from "../../pkg/ip/address.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { deleteFlows, type Flow } from "../../pkg/netlink/conntrack.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { findElement } from "../../pkg/nftables/elements.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import { readSysctl } from "../../pkg/sysctl/sysctl.ts";
import { portElement } from "./elements.ts";
import type { Mapped } from "./mapped.ts";
import { families, table } from "./sets.ts";
import { specificAddress, type Target } from "./targets.ts";

const UDP = 17;

/** Forgets flows to a mapped port that do not lead to the container; their next datagram is mapped. */
export function forgetEarlierFlows(host: NetworkStack, targets: readonly Target[]): void {
  const local = new LocalAddresses(host);
  for (const family of families) {
    const mapped = targets.filter((each) => each.container.family === family && each.mapping.protocol === "udp");
    const ports = mapped.map((each: Target): number => each.mapping.hostPort);
    forgetWhere(host, family, ports, (flow: Flow): boolean => {
      if (!local.has(flow.original.destination)) return false;
      return mapped.some((target) => isAstray(host, target, flow));
    });
  }
}

/** Whether the mapping is for the flow, and the flow leads elsewhere. */
function isAstray(host: NetworkStack, target: Target, flow: Flow): boolean {
  const { mapping, container } = target;
  if (flow.original.destinationPort !== mapping.hostPort) return false;
  if (leadsTo(flow, container.address, mapping.containerPort)) return false;
  const destination = specificAddress(mapping);
  if (destination !== undefined) return destination.equals(flow.original.destination);
  return !isMappedAlone(host, target, flow.original.destination);
}

/**
 * Lists each family's flows once: the kernel walks its whole table each time, which takes milliseconds. One walk for both families
 * would have to send every flow there is: of families that are not said the kernel filters no ports (EOPNOTSUPP).
 */
function forgetWhere(
  host: NetworkStack,
  family: Family,
  ports: readonly number[],
  wanted: (flow: Flow) => boolean,
): void {
  if (ports.length === 0 || readSysctl(host.namespace, "net/netfilter/nf_conntrack_count") === "0") return;
  const same = ports.every((port) => port === ports.at(0));
  const destinationPort = same ? ports.at(0) : undefined;
  deleteFlows(host.netfilter, { family, protocol: UDP, destination: undefined, destinationPort }, wanted);
}

/** Whether that one address of the host has a mapping of its own, which goes before one for all addresses. */
function isMappedAlone(host: NetworkStack, target: Target, address: Address): boolean {
  if (!nftablesPresent(host)) return false;
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
  for (const family of families) {
    const gone = mappings.filter((each) => each.container.family === family && each.protocol === UDP);
    const ports = gone.map((each: Mapped): number => each.hostPort);
    forgetWhere(host, family, ports, (flow: Flow): boolean =>
      gone.some(
        (each) => flow.original.destinationPort === each.hostPort && leadsTo(flow, each.container, each.containerPort),
      ),
    );
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
