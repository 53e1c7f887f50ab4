/** By what the host's interface beside a network's macvlans, and the routes through it, are found again. Pure. */
import { textDigest } from "../codec/sha512.ts";
import { networkTag } from "../skel/attachment.ts";

/**
 * Who made a route (RTPROT_*): a number that neither linux/rtnetlink.h nor iproute2's rt_protos has given to anybody, so that
 * `ip route show proto 70` lists the routes to containers.
 */
export const shimProtocol = 70;

/** The longest alias that is still easy to read. */
const TAG_BYTES = 120;

/**
 * `shim` and eight hexadecimal digits: one for each network and parent, which is meant by its index, for a parent can be renamed, and
 * another be called as it was.
 */
export function shimName(network: string, parentIndex: number): string {
  return `shim${textDigest(`${network}/${parentIndex}`, 8)}`;
}

/**
 * The shim's hardware address, locally administered. It follows from network and parent, so that containers still reach a shim that was
 * removed and made again, and differs from node to node as the parents' do.
 */
export function shimMac(network: string, parentMac: string): string {
  const pairs: string[] = ["02"];
  const digits = textDigest(`${network}/${parentMac}`, 10);
  for (let at = 0; at < 10; at += 2) pairs.push(digits.slice(at, at + 2));
  return pairs.join(":");
}

/** The alias of a network's shims: the network's tag, and the names for people. */
export function shimTag(network: string, parent: string): string {
  return `${shimMark(network)} ${network} ${parent}`.slice(0, TAG_BYTES);
}

export function isShimTag(tag: string, network: string): boolean {
  return tag.startsWith(`${shimMark(network)} `);
}

function shimMark(network: string): string {
  return `${networkTag(network)}-shim`;
}

/**
 * The metric of an attachment's routes, 1 to 2³²-1, by which they are found: a route carries no text. It decides nothing, for no other
 * route is as narrow. Two attachments have the same with a probability of 1 to 2³².
 */
export function routeMetric(attachmentKey: string): number {
  return Math.max(1, parseInt(textDigest(attachmentKey, 8), 16));
}
