/** A mapping as the kernel has it, without the container's names: what is left to know once its owner is gone. */
import { viewOf } from "../../pkg/codec/view.ts";
import { Address } from "../../pkg/ip/address.ts";
import { protocolDatum } from "../../pkg/nftables/datum.ts";
import type { RuleValues } from "../../pkg/nftables/rule-values.ts";

export interface Mapped {
  /** IPPROTO_* */
  readonly protocol: number;
  readonly hostPort: number;
  /** `undefined`: every address of the host. */
  readonly hostIp: Address | undefined;
  readonly container: Address;
  readonly containerPort: number;
}

/** Bytes that each part of a concatenation fills. */
const REGISTER = 4;

/** An element of the ports' maps, laid out as rules.ts declares them; `undefined` when it is none. */
export function decodeMapped(key: Uint8Array, data: Uint8Array): Mapped | undefined {
  const width = data.length - REGISTER;
  if (width !== 4 && width !== 16) return undefined;
  const prefix = key.length - 2 * REGISTER;
  if (prefix !== 0 && prefix !== width) return undefined;
  const keys = viewOf(key);
  const values = viewOf(data);
  return {
    protocol: keys.getUint8(prefix),
    hostPort: keys.getUint16(prefix + REGISTER, false),
    hostIp: prefix === 0 ? undefined : new Address(key.slice(0, width)),
    container: new Address(data.slice(0, width)),
    containerPort: values.getUint16(width, false),
  };
}

/** The mapping of a rule `[ip daddr A] PROTOCOL dport P dnat to B:Q` of others; `undefined` when it is none, or asks for more. */
export function mappingOfRule({ compared, loaded }: RuleValues): Mapped | undefined {
  const container = loaded.at(0);
  const containerPort = loaded.at(1);
  const hostIp = compared.length === 3 ? compared.at(0) : undefined;
  const protocol = compared.at(-2);
  const hostPort = compared.at(-1);
  if (compared.length > 3 || loaded.length !== 2 || (container?.length !== 4 && container?.length !== 16))
    return undefined;
  if (protocol?.length !== 1 || hostPort?.length !== 2 || containerPort?.length !== 2) return undefined;
  if (hostIp !== undefined && hostIp.length !== container.length) return undefined;
  return {
    protocol: numberIn(protocol),
    hostPort: numberIn(hostPort),
    hostIp: hostIp === undefined ? undefined : new Address(hostIp),
    container: new Address(container),
    containerPort: numberIn(containerPort),
  };
}

/** In network byte order. */
function numberIn(bytes: Uint8Array): number {
  let number = 0;
  for (const byte of bytes) number = number * 256 + byte;
  return number;
}

/** Both ends: `192.0.2.1:8080/tcp to 10.1.0.2:80`. */
export function mappingText(mapped: Mapped): string {
  return `${mappedText(mapped)} to ${mapped.container.toString()}:${mapped.containerPort}`;
}

/** `8080/tcp`, `192.0.2.1:8080/tcp`: the mapping's end on the host, for messages. */
export function mappedText({ protocol, hostPort, hostIp }: Mapped): string {
  const port = `${hostPort}/${protocolDatum(protocol).text}`;
  if (hostIp === undefined) return port;
  return hostIp.family === 6 ? `[${hostIp.toString()}]:${port}` : `${hostIp.toString()}:${port}`;
}
