/** One interface of one container, as a runtime asks for it: libcni's counterpart of the plugins' CNI_* variables. */
import { CniError, ErrorCode } from "../spec/errors.ts";
import { JsonObject, parseObject } from "../spec/json.ts";
import { identifierRule, interfaceNameProblem, isIdentifier } from "../spec/names.ts";

/** What identifies an attachment, together with the network's name. */
export interface AttachmentId {
  readonly containerId: string;
  readonly ifName: string;
}

export interface Attachment extends AttachmentId {
  /** Path of the container's network namespace; empty when it is gone (DEL). */
  readonly netns: string;
  /** CNI_ARGS. */
  readonly args: readonly (readonly [string, string])[];
  /** Data by capability name; a plugin gets what it declares. */
  readonly capabilityArgs: JsonObject;
}

/** No capability data. */
export function noCapabilityArgs(): JsonObject {
  return parseObject("{}", "no capability data");
}

/** Capability data from parsed JSON; what is no object counts as none. */
export function capabilityArgs(value: unknown): JsonObject {
  return JsonObject.of(value) ?? noCapabilityArgs();
}

/**
 * Refuses names that would lead out of the cache directory or that no kernel takes, before any plugin runs.
 * @throws CniError 3 without a container ID, 4 on a malformed container ID or interface name, 7 on a malformed network name
 */
export function requireAttachment(network: string, attachment: AttachmentId): void {
  const { containerId, ifName } = attachment;
  if (containerId === "") throw new CniError(ErrorCode.UnknownContainer, "missing containerID");
  if (!isIdentifier(containerId)) {
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      "invalid characters in containerID",
      `${containerId}: ${identifierRule}`,
    );
  }
  requireNetworkName(network);
  const problem = interfaceNameProblem(ifName);
  if (problem === undefined) return;
  throw new CniError(ErrorCode.InvalidEnvironment, problem, ifName === "" ? "" : `the interface name is "${ifName}"`);
}

/** @throws CniError 7 when it is missing or malformed */
export function requireNetworkName(network: string): void {
  if (network === "") throw new CniError(ErrorCode.InvalidConfig, "missing network name");
  if (isIdentifier(network)) return;
  throw new CniError(
    ErrorCode.InvalidConfig,
    "invalid characters found in network name",
    `${network}: ${identifierRule}`,
  );
}
