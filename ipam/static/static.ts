/**
 * static: gives the addresses that the configuration or the runtime names. It keeps nothing and asks nobody: that an address is
 * given once is the user's affair.
 */
import { type Add, type Check, type Del, definePlugin, type Plugin } from "../../pkg/skel/plugin.ts";
import { alwaysReady, nothingToCollect, requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import type { IpConfig, Result } from "../../spec/result.ts";
import { findVersion } from "../../spec/versions.ts";
import { addressesToGive } from "./addresses.ts";
import { config, type StaticAddress, type StaticConfig } from "./config.ts";

export function staticIpam(): Plugin {
  return definePlugin({
    type: "static",
    since: "0.1.0",
    entersSandbox: false,
    config,
    add,
    del,
    check,
    gc: nothingToCollect, // nothing is ever reserved
    status: alwaysReady, // all that an ADD needs is in the configuration
  });
}

function add({ config, network, environment }: Add<StaticConfig>): Result {
  const addresses = addressesToGive(config, environment.get("CNI_ARGS"));
  refuseTooMany(addresses, network.cniVersion);
  const ips: IpConfig[] = [];
  for (const { address, gateway } of addresses) ips.push({ address, gateway, interface: undefined });
  return { interfaces: [], ips, routes: config.routes, dns: config.dns };
}

/** Nothing was reserved. */
function del(_call: Del<StaticConfig>): void {}

/** A gateway that only prevResult knows is the interface plugin's, and none of ours. */
function check({ config, environment, attachment, prevResult }: Check<StaticConfig>): void {
  const found = requireCheckedResult(prevResult, "static").ips;
  for (const { address, gateway } of addressesToGive(config, environment.get("CNI_ARGS"))) {
    const given = found.find((ip) => ip.address.equals(address));
    if (given === undefined)
      throw drift(`static: Failed to find addr ${address.toString()} on interface ${attachment.ifName}`);
    if (gateway === undefined || given.gateway?.equals(gateway) === true) continue;
    throw drift(
      `static: Failed to match addr ${address.toString()} on interface ${attachment.ifName}: ` +
        `its gateway is ${given.gateway?.toString() ?? "missing"}, not ${gateway.toString()}`,
    );
  }
}

/** Results before 0.3.0 have room for one address of each family. */
function refuseTooMany(addresses: readonly StaticAddress[], cniVersion: string): void {
  const version = findVersion(cniVersion);
  if (version === undefined || version.shape !== "020") return;
  const four = addresses.filter(({ address }) => address.family === 4).length;
  if (four < 2 && addresses.length - four < 2) return;
  throw invalidConfig(
    `CNI version ${version.name} does not support more than 1 address per family`,
    "use cniVersion 0.3.0 or newer, or one address of each family",
  );
}
