/** STATUS: whether an ADD would get its device now. */
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { HostDeviceConfig } from "./config.ts";
import { choiceWords, chooseDevice, type DeviceChoice, findChosen, meansFormer, notFound } from "./device-choice.ts";
import type { FormerState } from "./former-state.ts";
import type { DeviceRecords } from "./records.ts";
import { findInContainer, findOnHost, withContainer } from "./whereabouts.ts";

/**
 * A device on the host is ready, also one that was not given back yet. Where the runtime chooses, there is nothing to ask before it has.
 * @throws CniError 50 when it is in use or not there, 51 when the container that had it has lost it
 */
export function requireAvailable(
  host: NetworkStack,
  config: HostDeviceConfig,
  network: string,
  records: DeviceRecords,
): void {
  const choice = chosen(config);
  if (choice === undefined || choice.dpdk || findChosen(host, choice) !== undefined) return;
  const holder = records.all().find((state) => meansFormer(choice, state));
  if (holder === undefined) throw unavailable(notFound(host, choice));
  if (findOnHost(host, holder) !== undefined) return;
  if (holder.attachment.network === network && hasLost(holder)) throw lost(choice, holder);
  throw new CniError(
    ErrorCode.NotAvailable,
    `device ${choiceWords(choice)} is in use: ${holder.attachment.toString()} has it`,
    "an ADD succeeds when that container is deleted",
  );
}

function chosen(config: HostDeviceConfig): DeviceChoice | undefined {
  try {
    return chooseDevice(config);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw unavailable(error);
  }
}

function unavailable(error: CniError): CniError {
  return new CniError(ErrorCode.NotAvailable, error.message, error.details);
}

/** Whether the container's namespace is there, and the device is not in it. */
function hasLost(holder: FormerState): boolean {
  return withContainer(undefined, holder, (container: NetworkStack | undefined): boolean => {
    return container !== undefined && findInContainer(container, holder) === undefined;
  });
}

function lost(choice: DeviceChoice, { attachment }: FormerState): CniError {
  return new CniError(
    ErrorCode.LimitedConnectivity,
    `device ${choiceWords(choice)} is gone: ${attachment.toString()} has lost it`,
    "it was removed, or moved to another namespace by hand",
  );
}
