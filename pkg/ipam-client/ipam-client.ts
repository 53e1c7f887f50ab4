/** What an interface plugin asks of its IPAM plugin (SPEC section 4). Used by every plugin that gives addresses. */

import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import type { Delegates } from "../invoke/delegates.ts";
import type { Attachment } from "../skel/attachment.ts";
import type { Teardown, Undo } from "../skel/undo.ts";

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

/**
 * DEL of an interface that may have addresses: the interface first, the addresses last, and not at all where it could not be removed,
 * for an address is never free while an interface still has it. `remove` takes absence for success; failures go to `teardown`.
 */
export function removeThenRelease(
  teardown: Teardown,
  attachment: Attachment,
  delegates: Delegates,
  type: string,
  remove: () => void,
): void {
  const isGone = teardown.attempt(`remove ${attachment.ifName}`, remove);
  if (isGone) releaseAddresses(teardown, delegates, type);
}

/** Gives an attachment's addresses back, where the network has an IPAM plugin (`type`); to be called once no interface has them. */
export function releaseAddresses(teardown: Teardown, delegates: Delegates, type: string): void {
  if (type !== "") teardown.attempt("release the addresses", () => delegates.del(type));
}

/** The same for those of attachments that are no longer alive. */
export function collectAddresses(teardown: Teardown, delegates: Delegates, type: string): void {
  if (type !== "") teardown.attempt("collect addresses", () => delegates.gc(type));
}
