/** Router advertisements as a rogue or a router sends them (RFC 4861 section 4.2), by a raw socket of socat's. */
import { runSuccessfully } from "./command.ts";
import type { Namespace } from "./namespace.ts";
import { until } from "./until.ts";

/** Default router for half an hour; and everybody is to make an address in 2001:db8:bad::/64. */
const advertisement: readonly number[] = [
  ...[134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0],
  ...[0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

/** What an address made of the advertisement begins with. */
export const advertisedPrefix = "2001:db8:bad:";

/** Sends one to all nodes on the interface's link; the kernel fills in the checksum. */
export async function advertiseRouter(from: Namespace, interfaceName: string): Promise<void> {
  await waitForSource(from, interfaceName);
  const octal = advertisement.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  // IPPROTO_IPV6, IPV6_MULTICAST_HOPS: advertisements with another hop limit are ignored.
  const target = `IP6-SENDTO:[ff02::1%${interfaceName}]:58,setsockopt-int=41:18:255`;
  await runSuccessfully(["nsenter", `--net=${from.path}`, "sh", "-c", `printf '${octal}' | socat -u - '${target}'`]);
}

/** Sends one after the other until `isSeen`: a first one may come before those who are to hear it. @throws Error when it takes too long */
export async function advertiseUntil(
  isSeen: () => boolean | Promise<boolean>,
  from: Namespace,
  interfaceName: string,
): Promise<void> {
  await until(async () => {
    await advertiseRouter(from, interfaceName);
    return isSeen();
  }, "an advertisement arrives");
}

/** The source must be a link-local address, which duplicate detection holds back for a second or two. */
async function waitForSource(from: Namespace, interfaceName: string): Promise<void> {
  const show = ["ip", "-6", "address", "show", "dev", interfaceName, "scope", "link", "-tentative"];
  const isReady = async (): Promise<boolean> => (await from.exec(show)).includes("fe80");
  await until(isReady, `${interfaceName} has a link-local address to advertise from`);
}

/** Whether the namespace has believed one: an address, or a route, that came by advertisement. */
export async function believesAdvertisement(where: Namespace): Promise<boolean> {
  const addresses = await where.exec(["ip", "-6", "address", "show"]);
  const routes = await where.exec(["ip", "-6", "route", "show", "table", "all"]);
  return addresses.includes(advertisedPrefix) || routes.includes("proto ra");
}

/** Waits until it does. @throws Error when it takes too long */
export async function waitUntilBelieved(where: Namespace): Promise<void> {
  await until(() => believesAdvertisement(where), "the advertisement is believed");
}
