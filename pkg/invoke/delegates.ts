/** The plugins that a plugin hands work to, its IPAM plugin above all (SPEC section 4): same configuration, same environment, another verb. */

import { parseResult } from "../../spec/convert.ts";
import type { Environment, Verb } from "../../spec/environment.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { NetworkConfig } from "../../spec/network-config.ts";
import { emptyResult, type Result } from "../../spec/result.ts";
import { invoke, type RunInProcess } from "./invoke.ts";

/** Delegates of one call. */
export class Delegates {
  private readonly environment: Environment;
  private readonly config: NetworkConfig;
  private readonly inProcess: RunInProcess;

  constructor(environment: Environment, config: NetworkConfig, inProcess: RunInProcess) {
    this.environment = environment;
    this.config = config;
    this.inProcess = inProcess;
  }

  /** The same plugins, called with another configuration and environment: for what is delegated to is not IPAM alone. */
  with(environment: Environment, config: NetworkConfig): Delegates {
    return new Delegates(environment, config, this.inProcess);
  }

  /**
   * ADD of the plugin `type`: its result in the newest shape. The delegate has cleaned up after itself when this throws,
   * as far as it could; the caller still runs its DEL (SPEC section 4).
   * @throws CniError the delegate's own, or 103
   */
  add(type: string): Result {
    const printed = this.run(type, "ADD");
    if (printed.trim() === "null") return emptyResult;
    let value: unknown;
    try {
      value = JSON.parse(printed);
    } catch (_) {
      throw new CniError(
        ErrorCode.DelegateFailed,
        `plugin "${type}" succeeded but printed no result: "${printed.slice(0, 400)}"`,
        "its stdout must be one JSON document; its log belongs on stderr",
      );
    }
    return parseResult(value, this.config.cniVersion, `the result of plugin "${type}"`);
  }

  /** DEL of the plugin `type`; idempotent. @throws CniError the delegate's own, or 103 */
  del(type: string): void {
    this.run(type, "DEL");
  }

  /** CHECK of the plugin `type`. @throws CniError the delegate's own, or 103 */
  check(type: string): void {
    this.run(type, "CHECK");
  }

  /** GC of the plugin `type`. @throws CniError the delegate's own, or 103 */
  gc(type: string): void {
    this.run(type, "GC");
  }

  /** STATUS of the plugin `type`. @throws CniError the delegate's own, or 50 when it could not be run, as an ADD could not */
  status(type: string): void {
    try {
      this.run(type, "STATUS");
    } catch (error) {
      if (!(error instanceof CniError) || error.code !== ErrorCode.DelegateFailed) throw error;
      throw new CniError(ErrorCode.NotAvailable, error.message, error.details);
    }
  }

  private run(type: string, verb: Verb): string {
    return invoke(type, this.environment.with("CNI_COMMAND", verb), this.config.text, this.inProcess);
  }
}
