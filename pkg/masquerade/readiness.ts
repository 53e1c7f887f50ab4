/** Whether this node can filter and translate packets as a configuration asks: for STATUS of bridge and ptp. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { Iptables } from "../iptables/iptables.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { adviceToLoad, nftablesPresent } from "../nftables/support.ts";
import { chosenBackend, type MasqueradeBackend } from "./backend.ts";

/** @throws CniError 50 when an ADD that masquerades would fail */
export function requireMasquerade(host: NetworkStack, configured: MasqueradeBackend | undefined): void {
  if (chosenBackend(host, configured) === "nftables") {
    requireNftables(host, otherBackend);
    return;
  }
  if (Iptables.find(4) !== undefined) return;
  throw new CniError(
    ErrorCode.NotAvailable,
    "iptables-save and iptables-restore are not installed",
    "install iptables, or load the module nf_tables (modprobe nf_tables) and leave out ipMasqBackend",
  );
}

/** What to do where nf_tables is missing and nobody can load it. */
const otherBackend = 'set ipMasqBackend to "iptables"';

/** `otherwise` is how to do without. @throws CniError 50 when the kernel has no nf_tables; KernelError when it may not be asked */
export function requireNftables(host: NetworkStack, otherwise: string): void {
  if (nftablesPresent(host)) return;
  throw noNftables(ErrorCode.NotAvailable, otherwise);
}

/** That the kernel cannot do what is asked for, with a code for the verb. */
export function noNftables(code: number, otherwise: string = otherBackend): CniError {
  return new CniError(code, "the kernel has no nf_tables", adviceToLoad(otherwise));
}
