/**
 * tuning: changes sysctls of the container's network and attributes of its interface, and sets them back on DEL.
 * Chained after the plugin that makes the interface.
 *
 *   [eth0 mac mtu promisc allmulti txqlen] container, /proc/sys/net        <dataDir>/<container>_eth0.json: what was there before
 */
import { requestedMac } from "../../pkg/link/requested-mac.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { writeRefusal } from "../../pkg/sysctl/sysctl.ts";
import type { Environment } from "../../spec/environment.ts";
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { NetworkConfig } from "../../spec/network-config.ts";
import type { Interface, Result } from "../../spec/result.ts";
import { requireAllowed } from "./allow-list.ts";
import { type Backup, isOfNamespace, isOutlived, type LinkValues, mergeBackups } from "./backup.ts";
import { BackupFile } from "./backup-file.ts";
import { config, type TuningConfig } from "./config.ts";
import { duplicateKey } from "./duplicate-keys.ts";
import { handOver } from "./hand-over.ts";
import { isEmpty, readFormerValues, requireFittingMac, restoreValues, setValues, verifyValues } from "./link-values.ts";
import {
  type Parameter,
  parametersOf,
  readFormer,
  restoreSysctls,
  verifyParameters,
  writeParameters,
} from "./sysctls.ts";

export function tuning(): Plugin {
  return definePlugin({ type: "tuning", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, network, attachment, environment, sandbox, prevResult, undo, warn }: Add<TuningConfig>): Result {
  const result = requirePrevResult(prevResult, "tuning");
  const { parameters, values } = wantedOf(config, network, attachment.ifName, environment);
  if (parameters.length === 0 && isEmpty(values)) return result;
  requireAllowed(keysOf(parameters), ErrorCode.Io);
  // Sysctls alone are also set where the kernel has no interface, as for DPDK.
  const link = isEmpty(values) ? undefined : requireLink(sandbox.stack, attachment.ifName);
  if (link !== undefined) requireFittingMac(link, values.mac);

  const namespace = namespaceOf(sandbox.stack);
  const former: Backup = {
    owner: attachment.tag,
    sandbox: `${namespace.identity()} ${sandbox.path}`,
    link: link === undefined ? values : readFormerValues(link, values),
    sysctls: readFormer(namespace, parameters),
  };
  const file = BackupFile.of(config.dataDir, attachment, warn);
  const earlier = file.read();
  undo.push(`put back ${file.path}`, () => file.putBack(earlier));
  const isSameLife = earlier !== undefined && !isOutlived(earlier, former.sandbox, (path) => leadsTo(path, namespace));
  file.write(isSameLife ? mergeBackups(earlier, former) : former);

  undo.push(`set back ${attachment.ifName}`, () => restore(sandbox.stack, attachment.ifName, former, warn));
  // The MTU resets sysctls of IPv6, so that these come after.
  if (link !== undefined) setValues(sandbox.stack, link, values);
  writeParameters(namespace, parameters);
  return link === undefined ? result : retell(result, requireLink(sandbox.stack, link.name), values);
}

interface Wanted {
  readonly parameters: readonly Parameter[];
  readonly values: LinkValues;
}

/** @throws CniError 4 or 7 for CNI_ARGS or sysctls that cannot be used */
function wantedOf(config: TuningConfig, network: NetworkConfig, ifName: string, environment: Environment): Wanted {
  requireEachOnce(network);
  return {
    parameters: parametersOf(config.sysctls, config.askedSysctls, ifName),
    values: {
      mac: requestedMac(config.mac, environment),
      mtu: config.mtu === 0 ? undefined : config.mtu,
      promiscuous: config.promiscuous ? true : undefined,
      allMulticast: config.allMulticast,
      txQueueLength: config.txQueueLength,
    },
  };
}

/** Of two values one would win by chance. */
function requireEachOnce(network: NetworkConfig): void {
  const twice = duplicateKey(network.text, ["sysctl"]) ?? duplicateKey(network.text, ["args", "cni", "sysctl"]);
  if (twice === undefined) return;
  throw invalidConfig(`duplicated sysctl keys are not allowed: ${twice} is there twice`, "leave one of them out");
}

function keysOf(parameters: readonly Parameter[]): string[] {
  const keys: string[] = [];
  for (const parameter of parameters) keys.push(parameter.key);
  return keys;
}

function requireLink(stack: NetworkStack, ifName: string): Link {
  const link = findLink(stack, ifName);
  if (link !== undefined) return link;
  throw invalidConfig(
    `Cannot tune ${ifName}: the container has no such interface`,
    'put tuning after the plugin that makes the interface in the list\'s "plugins"',
  );
}

/** A sandbox's stack always has one. */
function namespaceOf(stack: NetworkStack): NetworkNamespace {
  if (stack.namespace !== undefined) return stack.namespace;
  throw new CniError(ErrorCode.InvalidEnvironment, "tuning: there is no network namespace to work in");
}

/** Whether the path is one of the namespace's names. */
function leadsTo(path: string, namespace: NetworkNamespace): boolean {
  const found = NetworkNamespace.find(path);
  try {
    return found?.equals(namespace) ?? false;
  } finally {
    found?.close();
  }
}

/** The container's interface as it is now; whatever else has its name is left alone. */
function retell(result: Result, link: Link, values: LinkValues): Result {
  const interfaces: Interface[] = [];
  for (const each of result.interfaces) {
    const { name, mac, mtu, sandbox, socketPath, pciID } = each;
    if (name !== link.name || sandbox === "") interfaces.push(each);
    else {
      const newMac = values.mac === undefined ? mac : link.mac;
      interfaces.push({
        name,
        mac: newMac,
        mtu: values.mtu === undefined ? mtu : link.mtu,
        sandbox,
        socketPath,
        pciID,
      });
    }
  }
  return { interfaces, ips: result.ips, routes: result.routes, dns: result.dns };
}

/** Attributes first: the MTU resets sysctls of IPv6. */
function restore(stack: NetworkStack, ifName: string, backup: Backup, warn: (line: string) => void): void {
  restoreValues(stack, ifName, backup.link, warn);
  restoreSysctls(namespaceOf(stack), backup.sysctls, warn);
}

/** By the file alone, whatever the configuration says now. Without the namespace, only the file is left to remove. */
function del({ config, attachment, sandbox, teardown, warn }: Del<TuningConfig>): void {
  const file = BackupFile.of(config.dataDir, attachment, warn);
  teardown.attempt(`set back ${attachment.ifName}`, () => {
    const backup = file.read();
    const stack = backup === undefined ? undefined : sandbox.find();
    if (backup !== undefined && stack !== undefined) {
      if (isOfNamespace(backup, namespaceOf(stack).identity())) {
        const isSameLife = (other: Backup): boolean =>
          !isOutlived(other, backup.sandbox, (path) => leadsTo(path, namespaceOf(stack)));
        const left =
          backup.sysctls.length === 0 ? backup : handOver(backup, file, config.dataDir, attachment, isSameLife, warn);
        restore(stack, attachment.ifName, left, warn);
      }
    }
    file.remove();
  });
}

/** What was configured, and nothing else: others may change the rest. */
function check({ config, network, attachment, environment, sandbox, prevResult }: Check<TuningConfig>): void {
  requireCheckedResult(prevResult, "tuning");
  const { parameters, values } = wantedOf(config, network, attachment.ifName, environment);
  const link = isEmpty(values) ? undefined : findLink(sandbox.stack, attachment.ifName);
  if (link !== undefined) verifyValues(link, values);
  else if (!isEmpty(values)) throw drift(`interface ${attachment.ifName} is missing in the container`);
  verifyParameters(namespaceOf(sandbox.stack), parameters);
}

/** The files say whose they are; the reference's do not, and may be another network's. */
function gc({ config, valid, teardown, warn }: Gc<TuningConfig>): void {
  teardown.attempt(`look through ${config.dataDir}`, () => {
    for (const file of BackupFile.all(config.dataDir, warn)) {
      teardown.attempt(`remove ${file.path}`, () => {
        const backup = file.read();
        if (backup !== undefined && valid.isStale(backup.owner)) file.remove();
      });
    }
    BackupFile.collectUnfinished(config.dataDir, (owner) => valid.isStale(owner));
  });
}

function status({ config, network }: Status<TuningConfig>): void {
  requireEachOnce(network);
  const parameters = parametersOf(config.sysctls, config.askedSysctls, "eth0");
  if (parameters.length === 0) return;
  requireAllowed(keysOf(parameters), ErrorCode.NotAvailable);
  const refusal = writeRefusal("net/core/somaxconn");
  if (refusal === "") return;
  throw new CniError(
    ErrorCode.NotAvailable,
    `tuning: sysctls cannot be set: ${refusal}`,
    "the runtime must run with a /proc/sys that can be written to",
  );
}
