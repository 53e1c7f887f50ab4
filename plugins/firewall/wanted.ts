/** What an attachment asks of the firewall, read from the result so far: what every backend makes rules of. */
import type { Address } from "../../pkg/ip/address.ts";
import { findLink } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { invalidConfig } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import type { FirewallConfig, IngressPolicy } from "./config.ts";

/** The interface of the host that the policy is about: the bridge, or with ptp the container's own end. */
export interface Ingress {
  readonly policy: IngressPolicy;
  readonly bridge: string;
  /** The container's port of the bridge; empty with ptp. */
  readonly port: string;
}

export interface Wanted {
  readonly attachment: Attachment;
  /** The container's addresses, each once. */
  readonly addresses: readonly Address[];
  /** `undefined` where the policy is open. */
  readonly ingress: Ingress | undefined;
  /** Bits that accepted packets are marked with; 0 for none. */
  readonly mark: number;
  /** firewalld's zone; empty where firewalld has no part in it. */
  readonly zone: string;
}

/** @throws CniError 7 when a policy is asked for and no interface of the host leads to the container */
export function wantedOf(host: NetworkStack, config: FirewallConfig, attachment: Attachment, result: Result): Wanted {
  const ingress = ingressOf(host, config.ingressPolicy, result);
  return { attachment, addresses: addressesOf(result), ingress, mark: config.acceptMark, zone: "" };
}

/** Every address of the result, whatever its interface, as in the reference. */
export function addressesOf(result: Result): Address[] {
  const found: Address[] = [];
  for (const ip of result.ips) {
    if (!found.some((each) => each.equals(ip.address.address))) found.push(ip.address.address);
  }
  return found;
}

function ingressOf(host: NetworkStack, policy: IngressPolicy, result: Result): Ingress | undefined {
  if (policy === "open") return undefined;
  const names: string[] = [];
  for (const each of result.interfaces) if (each.sandbox === "" && each.name !== "") names.push(each.name);
  const bridge = names.find((name) => findLink(host, name)?.kind === "bridge") ?? names.at(0);
  if (bridge !== undefined) return { policy, bridge, port: names.find((name) => name !== bridge) ?? "" };
  throw invalidConfig(
    `ingressPolicy "${policy}" needs an interface of the host, and the result so far names none`,
    'put "firewall" behind "bridge" or "ptp" in the list, or set ingressPolicy to "open"',
  );
}
