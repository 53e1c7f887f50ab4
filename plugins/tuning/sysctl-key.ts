/** Which kernel parameter a configured key means. Pure; source of the forms: sysctl(8), and what the reference takes. */

const PLACEHOLDER = "IFNAME";

/** Directories that have one entry for each interface: net/ipv4/conf/INTERFACE/PARAMETER. */
const families: readonly string[] = ["ipv4", "ipv6", "mpls"];
const perInterface: readonly string[] = ["conf", "neigh"];
const INTERFACE_AT = 3;

/**
 * The path below /proc/sys of `net.ipv4.conf.IFNAME.rp_filter` or `net/ipv4/conf/IFNAME/rp_filter`; `undefined` when the key leads
 * anywhere but below net. Dots and slashes both separate; what stands where an interface's name does is one name, however
 * many dots it has (`net.ipv4.conf.eth0.5.rp_filter`, and sysctl(8)'s `net.ipv4.conf.eth0/5.rp_filter`).
 */
export function sysctlPath(key: string, ifName: string): string | undefined {
  const parts = key.split(/[./]/).filter((part: string): boolean => part !== "");
  if (parts.length < 2 || parts.at(0) !== "net") return undefined;
  return substituted(joined(parts), ifName);
}

function joined(parts: readonly string[]): string {
  const named = families.includes(parts.at(1) ?? "") && perInterface.includes(parts.at(2) ?? "");
  if (!named || parts.length <= INTERFACE_AT + 2) return parts.join("/");
  const name = parts.slice(INTERFACE_AT, -1).join(".");
  return [...parts.slice(0, INTERFACE_AT), name, parts.at(-1) ?? ""].join("/");
}

/** The first IFNAME becomes the interface's name, which may have dots of its own. */
function substituted(path: string, ifName: string): string {
  const at = path.indexOf(PLACEHOLDER);
  return at < 0 ? path : path.slice(0, at) + ifName + path.slice(at + PLACEHOLDER.length);
}
