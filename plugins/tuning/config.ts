/** tuning's configuration: what is to be different, from the configuration, from `args.cni`, and from the runtime. */
import { type MacKeys, readMac } from "../../pkg/link/requested-mac.ts";
import { macFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";
import { sysctlPath } from "./sysctl-key.ts";

/** One sysctl as it is written. */
export interface SysctlSetting {
  readonly key: string;
  readonly value: string;
}

export interface TuningConfig {
  readonly sysctls: readonly SysctlSetting[];
  /** Those of `args.cni`, which win. */
  readonly askedSysctls: readonly SysctlSetting[];
  /** Of `args.cni`, else of the runtime; and of the configuration itself. */
  readonly mac: MacKeys;
  /** Bytes; 0 leaves it. */
  readonly mtu: number;
  /** Only true does something. */
  readonly promiscuous: boolean;
  readonly allMulticast: boolean | undefined;
  /** Packets. */
  readonly txQueueLength: number | undefined;
  /** Where what was replaced is remembered. */
  readonly dataDir: string;
}

const LARGEST_MTU = 65536;
const LARGEST_QUEUE = 2147483647;
export const DEFAULT_DATA_DIRECTORY = "/run/cni/tuning";

/** What configuration and `args.cni` may both say. */
interface Settings {
  readonly sysctls: readonly SysctlSetting[];
  readonly mtu: number | undefined;
  readonly promiscuous: boolean | undefined;
  readonly allMulticast: boolean | undefined;
  readonly txQueueLength: number | undefined;
}

interface Arguments {
  readonly settings: Settings;
  readonly mac: string | undefined;
}

export const config = (keys: Keys): TuningConfig => {
  const own = readSettings(keys);
  const mac = readMac(keys);
  const args = keys.members("args", readArgs, "arguments; these come before all else");
  const asked = args.settings;
  return {
    sysctls: own.sysctls,
    askedSysctls: asked.sysctls,
    mac: { own: mac.own, runtime: args.mac ?? mac.runtime },
    mtu: asked.mtu ?? own.mtu ?? 0,
    promiscuous: asked.promiscuous ?? own.promiscuous ?? false,
    allMulticast: asked.allMulticast ?? own.allMulticast,
    txQueueLength: asked.txQueueLength ?? own.txQueueLength,
    // Empty counts as absent, as in the reference.
    dataDir: keys.text("dataDir", DEFAULT_DATA_DIRECTORY, "directory of what was replaced") || DEFAULT_DATA_DIRECTORY,
  };
};

function readArgs(keys: Keys): Arguments {
  return keys.members("cni", readCniArgs, "arguments by the conventions of CNI");
}

function readCniArgs(keys: Keys): Arguments {
  const settings = readSettings(keys);
  return { settings, mac: keys.optional("mac", macFormat, "hardware address; comes before all others") };
}

function readSettings(keys: Keys): Settings {
  return {
    sysctls: readSysctls(keys),
    mtu: keys.optionalInteger("mtu", "bytes, of the container's interface alone; 0 leaves it", 0, LARGEST_MTU),
    promiscuous: keys.optionalFlag("promisc", "true: take packets that are for others; false leaves it as it is"),
    allMulticast: keys.optionalFlag("allmulti", "take all multicast packets, or not; unset leaves it"),
    txQueueLength: keys.optionalInteger(
      "txQLen",
      "packets that may wait to be sent; unset leaves it",
      0,
      LARGEST_QUEUE,
    ),
  };
}

function readSysctls(keys: Keys): SysctlSetting[] {
  const settings: SysctlSetting[] = [];
  const pairs = keys.textMembers("sysctl", "kernel parameters below net, by name; IFNAME stands for the interface");
  for (const pair of pairs) {
    const key = pair[0];
    if (sysctlPath(key, "eth0") === undefined) {
      keys.refuse(
        `invalid net sysctl key: "${key}"`,
        "sysctl",
        "only what is below /proc/sys/net belongs to a container's network",
      );
    } else {
      settings.push({ key, value: pair[1] });
    }
  }
  return settings;
}
