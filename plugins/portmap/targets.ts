/** Which mapping leads to which address of the container: what both backends make rules of. */
import type { Family } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import { invalidConfig } from "../../spec/errors.ts";
import { interfaceOf, type Result } from "../../spec/result.ts";
import type { PortMapping, Protocol } from "./config.ts";
import { type Mapped, mappedText } from "./mapped.ts";

/** One mapping for one of the container's addresses. */
export interface Target {
  readonly mapping: PortMapping;
  /** The container's address, with its subnet. */
  readonly container: Prefix;
}

/** IPPROTO_* */
export function protocolNumber(protocol: Protocol): number {
  switch (protocol) {
    case "tcp":
      return 6;
    case "udp":
      return 17;
    case "sctp":
      return 132;
  }
}

/** The mapping as the kernel has it. */
export function mappedTarget({ mapping, container }: Target): Mapped {
  return {
    protocol: protocolNumber(mapping.protocol),
    hostPort: mapping.hostPort,
    hostIp: specificAddress(mapping),
    container: container.address,
    containerPort: mapping.containerPort,
  };
}

/** The addresses that mappings lead to: of each family the first that is not another interface's. */
export function containerAddresses(result: Result, ifName: string): Prefix[] {
  const found: Prefix[] = [];
  for (const ip of result.ips) {
    const described = interfaceOf(result, ip);
    if (described !== undefined && (described.sandbox === "" || described.name !== ifName)) continue;
    if (!found.some((each) => each.family === ip.address.family)) found.push(ip.address);
  }
  return found.toSorted((a, b) => a.family - b.family);
}

/**
 * Every mapping with each address it is meant for. Mappings that are said twice count once.
 * @throws CniError 7 when two lead from one port to different ones
 */
export function targetsOf(mappings: readonly PortMapping[], containers: readonly Prefix[]): Target[] {
  const targets: Target[] = [];
  for (const container of containers) {
    const seen = new Map<string, number>();
    for (const mapping of mappings) {
      if (!concerns(mapping, container.family)) continue;
      const end = mappedText(mappedTarget({ mapping, container }));
      const other = seen.get(end);
      if (other === mapping.containerPort) continue;
      if (other !== undefined) {
        throw invalidConfig(
          `host port ${end} is mapped twice, to container ports ${other} and ${mapping.containerPort}`,
        );
      }
      seen.set(end, mapping.containerPort);
      targets.push({ mapping, container });
    }
  }
  return targets;
}

function concerns(mapping: PortMapping, family: Family): boolean {
  return mapping.hostIp === undefined || mapping.hostIp.family === family;
}

/** The one address of the host that the mapping is limited to; `undefined` when it is for all of them. */
export function specificAddress(mapping: PortMapping): PortMapping["hostIp"] {
  return mapping.hostIp === undefined || mapping.hostIp.isUnspecified ? undefined : mapping.hostIp;
}
