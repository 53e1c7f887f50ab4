/**
 * host-local: gives each attachment an address from every range set, kept in files on this host. Any interface plugin delegates
 * to it through `ipam.type`.
 *
 *   ADD ──► lock ──► next free address of each set ──► <dataDir>/<network>/10.1.0.5 = container, interface
 */
import { readFileSync } from "node:fs";
import type { Address } from "../../pkg/ip/address.ts";
import { isFileError, isKernelError } from "../../pkg/linux/errno.ts";
import { Interrupted } from "../../pkg/linux/termination.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { findLink } from "../../pkg/netlink/link.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import type { Sandbox } from "../../pkg/skel/sandbox.ts";
import { CniError, drift, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";
import { type Dns, type IpConfig, noDns, type Result } from "../../spec/result.ts";
import { findVersion } from "../../spec/versions.ts";
import { config, type HostLocalConfig } from "./config.ts";
import { probeStore } from "./probe.ts";
import type { RangeSet } from "./range.ts";
import { assignRequests, requestedByVariable } from "./requested.ts";
import { describeOwner, type Owner, type Reservation } from "./reservation.ts";
import { RELIEF, reserveAll, type Wish } from "./reserve.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { ReservationStore } from "./store.ts";

/** How long STATUS waits for a lock that an ADD holds for a millisecond. */
const STATUS_WAIT_MS = 2000;

export function hostLocal(): Plugin {
  return definePlugin({
    type: "host-local",
    since: "0.1.0",
    entersSandbox: false,
    config,
    add,
    del,
    check,
    gc,
    status,
  });
}

function add({ config, network, environment, attachment, sandbox, undo, warn }: Add<HostLocalConfig>): Result {
  refuseTooMany(config.sets, network.cniVersion);
  const dns = readDns(config.resolvConf);
  const variable = requestedByVariable(environment.get("CNI_ARGS"));
  const wish: Wish = {
    owner: { containerId: attachment.containerId, ifName: attachment.ifName },
    sets: config.sets,
    requested: assignRequests({ variable, args: config.argsIps, runtime: config.runtimeIps }, config.sets),
    isLeftover: (address: Address): boolean => isLeftover(sandbox, attachment.ifName, address),
  };
  let ips: readonly IpConfig[] = [];
  undo.push("release the reserved addresses", (): void => {
    const again = ips.length === 0 ? undefined : ReservationStore.find(config.dataDir, network.name, warn);
    if (again === undefined) return;
    withStore(again, (): void => {
      for (const ip of ips) again.release(ip.address.address, wish.owner);
    });
  });
  const store = openStore(wish.owner, config.dataDir, network.name, warn);
  ips = withStore(store, (): IpConfig[] => reserveAll(store, wish));
  return { interfaces: [], ips, routes: config.routes, dns };
}

/** By attachment alone: whatever has become of the ranges, and of the rest of the configuration. */
function del({ config, network, attachment, teardown, warn }: Del<HostLocalConfig>): void {
  const store = ReservationStore.find(config.dataDir, network.name, warn);
  if (store === undefined) return;
  const own: Owner = { containerId: attachment.containerId, ifName: attachment.ifName };
  withStore(store, (): void => {
    const owner = heldOwner(store, own);
    for (const address of store.addressesOf(owner)) {
      teardown.attempt(`release ${address.toString()}`, (): void => store.release(address, owner));
    }
    teardown.attempt("remove what a killed ADD left", (): void => store.removeLeftovers(own));
  });
}

/** Files of old releases name no interface: they count where none names this one. */
function heldOwner(store: ReservationStore, owner: Owner): Owner {
  return store.addressesOf(owner).length > 0 ? owner : { containerId: owner.containerId, ifName: "" };
}

function check({ config, network, attachment, prevResult, warn }: Check<HostLocalConfig>): void {
  const store = ReservationStore.find(config.dataDir, network.name, warn);
  const held =
    store === undefined
      ? []
      : withStore(store, (): Address[] => {
          const owner = { containerId: attachment.containerId, ifName: attachment.ifName };
          return store.addressesOf(heldOwner(store, owner));
        });
  for (const [index, set] of config.sets.entries()) {
    if (held.some((address) => set.contains(address))) continue;
    const ranges = `range set ${index} (${set.toString()})`;
    throw drift(`host-local: Failed to find address added by container ${attachment.containerId} in ${ranges}`);
  }
  for (const { address: prefix } of prevResult?.ips ?? []) {
    const { address } = prefix;
    if (!config.sets.some((set) => set.contains(address)) || held.some((each) => each.equals(address))) continue;
    throw drift(`host-local: ${address.toString()} is not reserved for container ${attachment.containerId}`);
  }
}

/** Every reservation on the network goes whose attachment is not alive; one of an old release, when no interface of its container is. */
function gc({ config, network, valid, teardown, warn }: Gc<HostLocalConfig>): void {
  const store = ReservationStore.find(config.dataDir, network.name, warn);
  if (store === undefined) return;
  const isStale = ({ containerId, ifName }: Owner): boolean =>
    ifName === "" ? !valid.holdsContainer(containerId) : !valid.holds(containerId, ifName);
  withStore(store, (): void => {
    store.collect(isStale, ({ address, owner }: Reservation, remove: () => void): void => {
      teardown.attempt(`release ${address.toString()} of ${describeOwner(owner)}`, remove);
    });
    const alive: Owner[] = [];
    for (const { containerID, ifname } of network.validAttachments ?? [])
      alive.push({ containerId: containerID, ifName: ifname });
    teardown.attempt("remove what killed ADDs left", (): void => store.removeLeftoversExcept(alive));
  });
}

function status({ config, network }: Status<HostLocalConfig>): void {
  const taken = probe(config.dataDir, network.name);
  for (const [index, set] of config.sets.entries()) {
    let count = 0;
    for (const address of taken) if (set.contains(address) && !set.isGateway(address)) count += 1;
    if (BigInt(count) < set.capacity) continue;
    throw new CniError(
      ErrorCode.NotAvailable,
      `no IP addresses available in range set: ${set.toString()}`,
      `every address of range set ${index} of network ${network.name} (${set.capacity.toString()} in all) is reserved: ${RELIEF}`,
    );
  }
}

/** @throws CniError 50 */
function probe(dataDir: string, network: string): Address[] {
  try {
    return probeStore(dataDir, network, STATUS_WAIT_MS);
  } catch (error) {
    throw new CniError(
      ErrorCode.NotAvailable,
      `host-local cannot reserve addresses of ${network}: ${messageOf(error)}`,
      reliefFor(error, dataDir),
    );
  }
}

/** What helps where the store cannot be opened. */
function reliefFor(error: unknown, dataDir: string): string {
  if (isKernelError(error, "EAGAIN")) return "an ADD takes milliseconds: see what that process waits for";
  if (isFileError(error, "ENOSPC") || isFileError(error, "EDQUOT")) {
    return `make room on the file system of dataDir ${dataDir} (df, df -i)`;
  }
  return `dataDir ${dataDir} must be a directory that can be written`;
}

/** @throws CniError 5 where the directory cannot be made or written; Interrupted */
function openStore(owner: Owner, dataDir: string, network: string, warn: (line: string) => void): ReservationStore {
  try {
    return ReservationStore.openFor(owner, dataDir, network, warn);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    throw new CniError(
      ErrorCode.Io,
      `Cannot reserve an address of network ${network}: ${messageOf(error)}`,
      reliefFor(error, dataDir),
    );
  }
}

function withStore<T>(store: ReservationStore, action: () => T): T {
  try {
    return action();
  } finally {
    store.close();
  }
}

function readDns(path: string): Dns {
  if (path === "") return noDns;
  try {
    return parseResolvConf(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CniError(
      ErrorCode.Io,
      `Cannot read resolvConf: ${messageOf(error)}`,
      "name an existing file in ipam.resolvConf, or leave it out",
    );
  }
}

/** Results before 0.3.0 have room for one address of each family. */
function refuseTooMany(sets: readonly RangeSet[], cniVersion: string): void {
  const version = findVersion(cniVersion);
  if (version === undefined || version.shape !== "020") return;
  const four = sets.filter((set) => set.family === 4).length;
  if (four < 2 && sets.length - four < 2) return;
  throw invalidConfig(
    `CNI version ${version.name} does not support more than 1 address per family`,
    "use cniVersion 0.3.0 or newer, or one range set of each family",
  );
}

/**
 * Whether an address that the attachment holds is the remains of an ADD that did not come to its end: its namespace is there, and
 * no interface of that name carries the address. The interface itself may be there: most plugins make it before they ask us.
 */
function isLeftover(sandbox: Sandbox, ifName: string, address: Address): boolean {
  const stack = sandbox.find();
  if (stack === undefined) return false;
  const link = findLink(stack, ifName);
  if (link === undefined) return true;
  return !listAddresses(stack, link).some((each) => each.prefix.address.equals(address));
}
