/** What bandwidth needs of the kernel, said in its words where the kernel says "no such file". */
import { requireKind, requireQueueKind } from "../../pkg/link/kind-support.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { BandwidthConfig } from "./config.ts";
import { isPartial } from "./scope.ts";

/** Runs a step; `parts` are the kernel modules that it needs. @throws CniError 5 naming them when the kernel lacks one */
export function needing<T>(parts: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno !== "ENOENT" && error.errno !== "EOPNOTSUPP") throw error;
    throw new CniError(
      ErrorCode.Io,
      `Cannot limit the rate: ${error.message}`,
      `this kernel lacks one of ${parts}: load it (modprobe), or use a kernel that has it`,
    );
  }
}

/** For STATUS: as far as can be told without changing anything. @throws CniError 50 */
export function requireParts(host: NetworkStack, config: BandwidthConfig): void {
  requireKind(host, "ifb");
  requireQueueKind(host, "tbf", "sch_tbf");
  if (isPartial(config.scope)) requireQueueKind(host, "htb", "sch_htb");
}
