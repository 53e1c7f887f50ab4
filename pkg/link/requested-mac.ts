/**
 * The hardware address that is asked for: `runtimeConfig.mac`, else MAC of CNI_ARGS, else the configuration's `mac`. Used by plugins
 * that give a container's interface its address.
 */
import { parseArgs } from "../../spec/args.ts";
import type { Environment } from "../../spec/environment.ts";
import { invalidConfig } from "../../spec/errors.ts";
import { macFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";
import { isUnicastMac, ZERO_MAC } from "../ip/mac.ts";

/** What the configuration says of it, normalised. */
export interface MacKeys {
  readonly own: string | undefined;
  readonly runtime: string | undefined;
}

export function readMac(keys: Keys): MacKeys {
  const own = keys.optional("mac", macFormat, "hardware address; MAC of CNI_ARGS and runtimeConfig.mac come before it");
  return { own, runtime: keys.members("runtimeConfig", readRuntimeMac, "what the runtime adds for capabilities") };
}

function readRuntimeMac(keys: Keys): string | undefined {
  return keys.optional("mac", macFormat, "hardware address (capability `mac`)");
}

/** `undefined`: the kernel chooses. @throws CniError 4 or 7 when CNI_ARGS or its MAC is malformed, or the address cannot be an interface's */
export function requestedMac(keys: MacKeys, environment: Environment): string | undefined {
  const mac = wantedMac(keys, environment);
  // Others, such as InfiniBand's, are longer.
  if (mac !== undefined && mac.length === ZERO_MAC.length && !isUnicastMac(mac)) {
    throw invalidConfig(
      `hardware address ${mac} cannot be given: it is zero or a group's`,
      "the second digit of an interface's own address is even: 02:… and the like are free for anybody's use",
    );
  }
  return mac;
}

function wantedMac(keys: MacKeys, environment: Environment): string | undefined {
  const text = parseArgs(environment.get("CNI_ARGS"), ["MAC"]).get("MAC") ?? "";
  if (keys.runtime !== undefined) return keys.runtime;
  if (text === "") return keys.own;
  const mac = macFormat.parse(text);
  if (mac === undefined) {
    throw invalidConfig(
      `CNI_ARGS: MAC: expected ${macFormat.expected}, found "${text}"`,
      "the runtime passes it; without MAC the kernel chooses",
    );
  }
  return mac;
}
