/** Whether this kernel, and what we are allowed, let nf_tables be used. */
import { adviceFor } from "../linux/advice.ts";
import { KernelError } from "../linux/errno.ts";
import { Attributes } from "../netlink/attributes.ts";
import { netfilterMessage } from "../netlink/netfilter.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { nftMessage } from "./messages.ts";

/**
 * Why nf_tables cannot be used (EPROTONOSUPPORT, EINVAL or EOPNOTSUPP without the kernel's modules, EPERM without
 * CAP_NET_ADMIN); `undefined` when it can. Asking loads the modules where the kernel may.
 */
export function nftablesSupport(stack: NetworkStack): KernelError | undefined {
  try {
    const body = netfilterMessage(0, new Attributes());
    stack.netfilter.request("ask for nf_tables", nftMessage.getGeneration, 0, body);
    return undefined;
  } catch (error) {
    if (error instanceof KernelError) return error;
    throw error;
  }
}

/** Whether an answer of `nftablesSupport` tells that the kernel has no nf_tables; others tell nothing about that. */
export function saysAbsent(problem: KernelError): boolean {
  return ["EPROTONOSUPPORT", "EINVAL", "EOPNOTSUPP", "EAFNOSUPPORT"].includes(problem.errno);
}

/** What to do where the kernel has no nf_tables; `otherwise` is how to do without. */
export function adviceToLoad(otherwise: string): string {
  return `load the module nf_tables (modprobe nf_tables), or ${otherwise}`;
}

/** What to do about an answer of `nftablesSupport`. */
export function adviceAbout(problem: KernelError, otherwise: string): string {
  return saysAbsent(problem) ? adviceToLoad(otherwise) : adviceFor(problem);
}

/**
 * Whether the kernel has nf_tables at all, for what is to be removed where it may never have been.
 * @throws KernelError EPERM and the like, which say nothing about that
 */
export function nftablesPresent(stack: NetworkStack): boolean {
  const problem = nftablesSupport(stack);
  if (problem === undefined) return true;
  if (saysAbsent(problem)) return false;
  // Made anew: natively an error that a function returned as one of two types loses its class when it is thrown.
  throw new KernelError(problem.operation, problem.number, problem.extack);
}
