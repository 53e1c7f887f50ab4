/** The hardware address of the container's end: `runtimeConfig.mac`, else `args.cni.mac`, else MAC of CNI_ARGS. */
import { parseArgs } from "../../spec/args.ts";
import type { Environment } from "../../spec/environment.ts";
import { invalidConfig } from "../../spec/errors.ts";
import { macFormat } from "../../spec/formats.ts";
import type { BridgeConfig } from "./config.ts";

/** `undefined`: the kernel chooses. @throws CniError 4 or 7 when CNI_ARGS or its MAC is malformed */
export function containerMac(config: BridgeConfig, environment: Environment): string | undefined {
  const text = parseArgs(environment.get("CNI_ARGS"), ["MAC"]).get("MAC") ?? "";
  if (config.mac !== undefined) return config.mac;
  if (text === "") return undefined;
  const mac = macFormat.parse(text);
  if (mac === undefined) throw invalidConfig(`CNI_ARGS: MAC: expected ${macFormat.expected}, found "${text}"`);
  return mac;
}
