/** What an interface plugin asks of its IPAM plugin (SPEC section 4). Used by every plugin that gives addresses. */

import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import type { Delegates } from "../invoke/delegates.ts";
import type { Undo } from "../skel/undo.ts";

/**
 * Addresses, routes and dns for an attachment; released again when ADD fails later, and at once when the delegate itself fails.
 * @throws CniError the IPAM plugin's own, or 103 when it gives no address
 */
export function requestAddresses(delegates: Delegates, type: string, undo: Undo): Result {
  const result = addOrRelease(delegates, type);
  undo.pushWaiting(`release the addresses of ${type}`, () => delegates.del(type));
  if (result.ips.length > 0) return result;
  throw new CniError(
    ErrorCode.DelegateFailed,
    "IPAM plugin returned missing IP config",
    `give "${type}" a range or an address, or remove ipam for a layer-2 network`,
  );
}

/** A failed delegate gets its DEL (SPEC section 4); that this fails too does not hide the first error. */
function addOrRelease(delegates: Delegates, type: string): Result {
  try {
    return delegates.add(type);
  } catch (error) {
    if (!(error instanceof CniError)) {
      releaseFailure(delegates, type);
      throw error;
    }
    const failure = releaseFailure(delegates, type);
    if (failure === "") throw error;
    throw error.withDetails(
      failure === error.words ? "its DEL fails likewise" : `DEL of ${type} failed too: ${failure}`,
    );
  }
}

function releaseFailure(delegates: Delegates, type: string): string {
  try {
    delegates.del(type);
    return "";
  } catch (failure) {
    return messageOf(failure);
  }
}
