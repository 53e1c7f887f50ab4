/**
 * The runtime's side of the specification (SPEC section 3): what happens to a network configuration list on each verb. Used by
 * cnitool; a container runtime in TypeScript can be built on it.
 */
import type { RunInProcess } from "../pkg/invoke/invoke.ts";
import { toCniError } from "../pkg/skel/cni-error.ts";
import type { Environment } from "../spec/environment.ts";
import { CniError, ErrorCode, messageOf } from "../spec/errors.ts";
import { findVersion } from "../spec/versions.ts";
import { type Attachment, type AttachmentId, requireAttachment, requireNetworkName } from "./attachment.ts";
import type { AttachmentCache } from "./cache.ts";
import { failedPlugin, throwAll } from "./failure.ts";
import type { NetworkList } from "./network-list.ts";
import { PluginCaller } from "./plugin-call.ts";
import type { PluginConfig } from "./plugin-config.ts";
import { convertCached, readPrinted } from "./plugin-result.ts";
import { decodeVersions } from "./plugin-versions.ts";
import { attachmentRequest, gcRequest, statusRequest } from "./request.ts";

/** What a plugin of a list answers to VERSION. */
export interface PluginVersions {
  readonly type: string;
  readonly versions: readonly string[];
}

/** A list whose plugins are all there and speak its version. */
export interface ValidList {
  readonly plugins: readonly PluginVersions[];
  /** What the list's plugins can be given data for, by name, each once. */
  readonly capabilities: readonly string[];
}

export class Runtime {
  private readonly caller: PluginCaller;
  private readonly cache: AttachmentCache;
  private readonly warn: (line: string) => void;

  /** `environment` is passed on to the plugins; `cniPath` names their directories, joined by ":". */
  constructor(
    environment: Environment,
    cniPath: string,
    cache: AttachmentCache,
    inProcess: RunInProcess,
    warn: (line: string) => void,
  ) {
    this.caller = new PluginCaller(environment, cniPath, inProcess);
    this.cache = cache;
    this.warn = warn;
  }

  /**
   * ADD of every plugin in order, each with the result of the one before; the last result (JSON text) is cached and returned.
   * When one fails, DEL of the whole list takes back what the others made, unless the attachment was on record before: then it
   * is probably alive, and the failure is that of a second ADD.
   * @throws CniError the failed plugin's, named, with what could not be taken back in its details
   */
  addNetworkList(list: NetworkList, attachment: Attachment): string {
    requireAttachment(list.name, attachment);
    for (const plugin of list.plugins) {
      try {
        this.caller.find(plugin.type);
      } catch (error) {
        throw failedPlugin(error, plugin, "add");
      }
    }
    const recorded = this.cache.has(list.name, attachment);
    const progress = new Progress();
    try {
      for (const plugin of list.plugins) progress.result = this.add(list, plugin, attachment, progress.result);
      this.remember(list, attachment, progress.result);
    } catch (error) {
      const failure = toCniError(error);
      if (recorded) {
        throw failure.withDetails(
          "this attachment was there before and nothing was removed: DEL it before it is added again",
        );
      }
      const left = this.takeBack(list, attachment, progress.result);
      throw left.length === 0 ? failure : failure.withDetails(`not taken back: ${left.join("; ")}`);
    }
    return progress.result;
  }

  /**
   * DEL of every plugin in reverse order with the cached result; the first failure ends it, and the record stays for the next try.
   * A record that cannot be used is set aside, and the plugins do without.
   * @throws CniError the failed plugin's, named
   */
  delNetworkList(list: NetworkList, attachment: Attachment): void {
    requireAttachment(list.name, attachment);
    const prevResult = this.resultForDel(list, attachment);
    for (const plugin of list.plugins.toReversed()) {
      try {
        this.del(list, plugin, attachment, prevResult);
      } catch (error) {
        throw failedPlugin(error, plugin, "delete");
      }
    }
    this.cache.remove(list.name, attachment);
  }

  /** CHECK of every plugin in order, each with ADD's final result. @throws CniError the first failed plugin's, as it is */
  checkNetworkList(list: NetworkList, attachment: Attachment): void {
    requireAttachment(list.name, attachment);
    if (!knowsCheck(list)) {
      throw new CniError(
        ErrorCode.IncompatibleVersion,
        `configuration version "${list.cniVersion}" does not support the CHECK command`,
        "it needs cniVersion 0.4.0 or newer",
      );
    }
    if (list.disableCheck) return;
    let prevResult = "";
    try {
      prevResult = this.cachedResult(list, attachment);
    } catch (error) {
      const advice = "DEL sets the record aside: delete the attachment, and add it again";
      throw toCniError(error).during(`failed to get network "${list.name}" cached result`).withDetails(advice);
    }
    for (const plugin of list.plugins) {
      const request = attachmentRequest(list, plugin, attachment.capabilityArgs, prevResult);
      this.caller.callFor(attachment, "CHECK", plugin.type, request);
    }
  }

  /**
   * Removes what is left of attachments that are not in `valid`: DEL of those on record, then GC of every plugin, which may know
   * of more. No ADD or DEL may run meanwhile. Goes on past failures.
   * @throws CniError with all failures, a line each, and the first one's code
   */
  gcNetworkList(list: NetworkList, valid: readonly AttachmentId[]): void {
    requireNetworkName(list.name);
    if (list.disableGc) return;
    const failures: CniError[] = [];
    for (const stale of this.staleAttachments(list, valid, failures)) {
      try {
        this.delNetworkList(list, stale);
      } catch (error) {
        const subject = `failed to delete stale attachment ${stale.containerId} ${stale.ifName}`;
        failures.push(toCniError(error).during(subject));
      }
    }
    if (knowsGcAndStatus(list)) {
      for (const plugin of list.plugins) {
        try {
          this.caller.call("GC", plugin.type, gcRequest(list, plugin, valid));
        } catch (error) {
          failures.push(toCniError(error).during(`failed to GC plugin ${plugin.type}`));
        }
      }
    }
    throwAll(failures);
  }

  /** STATUS of every plugin in order. @throws CniError the first one's that is not ready, as it is */
  statusNetworkList(list: NetworkList): void {
    if (!knowsGcAndStatus(list)) return;
    for (const plugin of list.plugins) this.caller.call("STATUS", plugin.type, statusRequest(list, plugin));
  }

  /** Asks every plugin for its versions. @throws CniError with all that is missing or does not speak the list's version */
  validateNetworkList(list: NetworkList): ValidList {
    const wanted = findVersion(list.cniVersion)?.name ?? list.cniVersion;
    const plugins: PluginVersions[] = [];
    const capabilities: string[] = [];
    const failures: CniError[] = [];
    for (const plugin of list.plugins) {
      for (const name of plugin.capabilities) if (!capabilities.includes(name)) capabilities.push(name);
      try {
        const versions = this.versionsOf(plugin.type);
        plugins.push({ type: plugin.type, versions });
        if (versions.includes(wanted)) continue;
        const message = `plugin ${plugin.type} does not support config version "${list.cniVersion}"`;
        failures.push(new CniError(ErrorCode.IncompatibleVersion, message, `it supports ${versions.join(", ")}`));
      } catch (error) {
        failures.push(toCniError(error));
      }
    }
    throwAll(failures);
    return { plugins, capabilities };
  }

  /** What a plugin answers to VERSION. @throws CniError when it cannot be run or answers rubbish */
  versionsOf(type: string): string[] {
    let printed = "";
    try {
      printed = this.caller.askVersion(type, '{"cniVersion":"1.1.0"}');
    } catch (error) {
      // Plugins from before the verb existed speak the oldest version alone.
      if (error instanceof CniError && error.message === "unknown CNI_COMMAND: VERSION") return ["0.1.0"];
      throw error;
    }
    return decodeVersions(printed, type);
  }

  private add(list: NetworkList, plugin: PluginConfig, attachment: Attachment, prevResult: string): string {
    try {
      const request = attachmentRequest(list, plugin, attachment.capabilityArgs, prevResult);
      const printed = this.caller.callFor(attachment, "ADD", plugin.type, request);
      return readPrinted(printed, list.cniVersion, "its result");
    } catch (error) {
      throw failedPlugin(error, plugin, "add");
    }
  }

  private del(list: NetworkList, plugin: PluginConfig, attachment: Attachment, prevResult: string): void {
    const request = attachmentRequest(list, plugin, attachment.capabilityArgs, prevResult);
    this.caller.callFor(attachment, "DEL", plugin.type, request);
  }

  private remember(list: NetworkList, attachment: Attachment, result: string): void {
    try {
      this.cache.write(list, attachment, result);
    } catch (error) {
      throw toCniError(error).during(`failed to set network "${list.name}" cached result`);
    }
  }

  /** DEL of the whole list, past failures, which are returned. */
  private takeBack(list: NetworkList, attachment: Attachment, result: string): string[] {
    const failures: string[] = [];
    const prevResult = knowsCheck(list) ? result : "";
    for (const plugin of list.plugins.toReversed()) {
      try {
        this.del(list, plugin, attachment, prevResult);
      } catch (error) {
        // A plugin that does not speak the version has done nothing.
        if (error instanceof CniError && error.code === ErrorCode.IncompatibleVersion) continue;
        failures.push(failedPlugin(error, plugin, "delete").message);
      }
    }
    return failures;
  }

  /** DEL knows prevResult since CHECK exists. */
  private resultForDel(list: NetworkList, id: AttachmentId): string {
    if (!knowsCheck(list)) return "";
    try {
      return this.cachedResult(list, id);
    } catch (error) {
      const away = this.cache.setAside(list.name, id);
      const where = away === "" ? "" : `, which is now ${away}`;
      this.warn(`the cached result of network ${list.name} is of no use${where}: ${messageOf(error)}`);
      return "";
    }
  }

  /** ADD's result in the list's version; empty when there is none. */
  private cachedResult(list: NetworkList, id: AttachmentId): string {
    const result = this.cache.read(list.name, id)?.result ?? "";
    return result === "" ? "" : convertCached(result, list.cniVersion);
  }

  private staleAttachments(list: NetworkList, valid: readonly AttachmentId[], failures: CniError[]): Attachment[] {
    const stale: Attachment[] = [];
    try {
      for (const cached of this.cache.list()) {
        const { network, containerId, ifName, netns, args, capabilityArgs } = cached;
        if (network !== list.name) continue;
        if (valid.some((each) => each.containerId === containerId && each.ifName === ifName)) continue;
        stale.push({ containerId, ifName, netns, args, capabilityArgs });
      }
    } catch (error) {
      failures.push(toCniError(error));
    }
    return stale;
  }
}

/** The result so far, which both a success and a failure need. */
class Progress {
  result = "";
}

function knowsCheck(list: NetworkList): boolean {
  return findVersion(list.cniVersion)?.check ?? false;
}

function knowsGcAndStatus(list: NetworkList): boolean {
  return findVersion(list.cniVersion)?.gcAndStatus ?? false;
}
