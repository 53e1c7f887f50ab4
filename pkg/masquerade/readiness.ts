/** Whether this node can filter and translate packets as a configuration asks: for STATUS of bridge and ptp. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { Iptables } from "../iptables/iptables.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { nftablesPresent } from "../nftables/support.ts";
import type { MasqueradeBackend } from "./backend.ts";

/** @throws CniError 50 when an ADD that masquerades would fail */
export function requireMasquerade(host: NetworkStack, backend: MasqueradeBackend): void {
  if (backend === "nftables") {
    requireNftables(host);
    return;
  }
  if (Iptables.find(4) !== undefined) return;
  throw new CniError(
    ErrorCode.NotAvailable,
    "iptables-save and iptables-restore are not installed",
    'install iptables, or set ipMasqBackend to "nftables"',
  );
}

/** @throws CniError 50 when the kernel has no nf_tables; KernelError when it may not be asked */
export function requireNftables(host: NetworkStack): void {
  if (nftablesPresent(host)) return;
  throw noNftables(ErrorCode.NotAvailable);
}

/** That the kernel cannot do what is asked for, with a code for the verb. */
export function noNftables(code: number): CniError {
  return new CniError(
    code,
    "the kernel has no nf_tables",
    'load the module nf_tables (modprobe nf_tables), or set ipMasqBackend to "iptables"',
  );
}
