/** The result of a plugin that gives a container one interface. Used by the plugins whose whole result that is. */
import { describeInterface, type IpConfig, type Result } from "../../spec/result.ts";
import type { Link } from "../netlink/link.ts";
import type { Sandbox } from "../skel/sandbox.ts";

/** `link` as the only interface, with all that IPAM has given. */
export function interfaceResult(sandbox: Sandbox, link: Link, leased: Result): Result {
  const ips: IpConfig[] = [];
  for (const { address, gateway } of leased.ips) ips.push({ address, gateway, interface: 0 });
  const interfaces = [describeInterface(link.name, link.mac, link.mtu, sandbox.path)];
  return { interfaces, ips, routes: leased.routes, dns: leased.dns };
}
