/** Which backend maps the ports: what the configuration says or implies, else nf_tables where the kernel has it, else iptables. */
import { Iptables } from "../../pkg/iptables/iptables.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { adviceAbout, nftablesSupport, saysAbsent } from "../../pkg/nftables/support.ts";
import { CniError } from "../../spec/errors.ts";
import type { Backend, PortmapConfig } from "./config.ts";

/** The backend for ADD, CHECK and STATUS; DEL and GC look into both. */
export function chooseBackend(host: NetworkStack, config: PortmapConfig): Backend {
  if (config.backend !== undefined) return config.backend;
  const problem = nftablesSupport(host);
  // Whoever is not allowed to use nf_tables, or had no memory to ask, is told so by the error.
  return problem !== undefined && saysAbsent(problem) ? "iptables" : "nftables";
}

/** @throws CniError of that code, which says what the backend lacks and how to come by it */
export function requireBackend(host: NetworkStack, backend: Backend, code: number): void {
  if (backend === "nftables") {
    const problem = nftablesSupport(host);
    if (problem === undefined) return;
    throw new CniError(
      code,
      `portmap cannot use nftables: ${problem.message}`,
      adviceAbout(problem, 'set "backend": "iptables"'),
    );
  }
  if (Iptables.find(4) !== undefined || Iptables.find(6) !== undefined) return;
  throw new CniError(
    code,
    "portmap cannot use iptables: neither iptables nor ip6tables is installed",
    'install iptables, or set "backend": "nftables"',
  );
}
