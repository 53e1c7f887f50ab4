/** Calls plugins as a runtime does: its own environment with the six CNI_* variables replaced, the request on stdin. */
import { findPlugin } from "../pkg/invoke/find-plugin.ts";
import { invoke, type RunInProcess } from "../pkg/invoke/invoke.ts";
import type { Environment, Verb } from "../spec/environment.ts";
import type { Attachment } from "./attachment.ts";

export class PluginCaller {
  private readonly environment: Environment;
  private readonly inProcess: RunInProcess;

  /** `cniPath` names the plugin directories, joined by ":". */
  constructor(environment: Environment, cniPath: string, inProcess: RunInProcess) {
    this.environment = environment.with("CNI_PATH", cniPath);
    this.inProcess = inProcess;
  }

  /** ADD, CHECK or DEL; what the plugin printed. @throws CniError the plugin's own, or 103; Interrupted, KernelError */
  callFor(attachment: Attachment, verb: Verb, type: string, request: string): string {
    const pairs: string[] = [];
    for (const [name, value] of attachment.args) pairs.push(`${name}=${value}`);
    const { containerId, netns, ifName } = attachment;
    return this.run(verb, containerId, netns, ifName, pairs.join(";"), type, request);
  }

  /** GC or STATUS: the variables of a container are there, and empty. Throws like `callFor`. */
  call(verb: Verb, type: string, request: string): string {
    return this.run(verb, "", "", "", "", type, request);
  }

  /** VERSION: plugins older than that verb want to see a container. Throws like `callFor`. */
  askVersion(type: string, request: string): string {
    return this.run("VERSION", "dummy", "dummy", "dummy", "", type, request);
  }

  /** Makes sure that the executable is there. @throws CniError 7 or 103 */
  find(type: string): void {
    findPlugin(type, this.environment.get("CNI_PATH"));
  }

  private run(
    verb: Verb,
    containerId: string,
    netns: string,
    ifName: string,
    args: string,
    type: string,
    request: string,
  ): string {
    const environment = this.environment
      .with("CNI_COMMAND", verb)
      .with("CNI_CONTAINERID", containerId)
      .with("CNI_NETNS", netns)
      .with("CNI_IFNAME", ifName)
      .with("CNI_ARGS", args);
    return invoke(type, environment, request, this.inProcess);
  }
}
