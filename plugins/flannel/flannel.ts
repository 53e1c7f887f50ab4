/**
 * flannel: lets another plugin, bridge unless said otherwise, attach the container with what flanneld has for this node.
 *
 *   flanneld ──▶ /run/flannel/subnet.env ──▶ flannel ──{subnet, mtu, ipMasq}──▶ bridge ──▶ host-local
 */
import type { Delegates } from "../../pkg/invoke/delegates.ts";
import { findPlugin } from "../../pkg/invoke/find-plugin.ts";
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
import type { ValidAttachments } from "../../pkg/skel/valid-attachments.ts";
import type { Environment } from "../../spec/environment.ts";
import { ErrorCode, messageOf } from "../../spec/errors.ts";
import { NetworkConfig } from "../../spec/network-config.ts";
import type { Result } from "../../spec/result.ts";
import { config, type FlannelConfig } from "./config.ts";
import { callConfig, delegateConfig } from "./delegate-config.ts";
import { DelegateRecord, type Remembered, readRecord, recordPaths, removeRecord } from "./delegate-record.ts";
import { readSubnetFile, type Subnet } from "./subnet-file.ts";

export function flannel(): Plugin {
  return definePlugin({ type: "flannel", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, network, attachment, delegates, environment, sandbox, undo, warn }: Add<FlannelConfig>): Result {
  const subnet = readSubnetFile(config.subnetFile, ErrorCode.TryAgain);
  const text = delegateConfig(network, config, subnet);
  findPlugin(config.delegateType, environment.get("CNI_PATH"));
  // A repeated ADD is the delegate's to refuse; its DEL would then remove the living interface.
  const isFirst = findLink(sandbox.stack, attachment.ifName) === undefined;

  const record = new DelegateRecord(config.dataDir, attachment, warn);
  const earlier = record.find();
  undo.push("put back the delegate's configuration", () => record.putBack(earlier));
  record.write(text);
  const delegate = calledWith(delegates, environment, text, network);
  if (isFirst) undo.push(`take back what ${config.delegateType} did`, () => delegate.del(config.delegateType));
  return delegate.add(config.delegateType);
}

/** The delegate with a configuration of its own, and what the runtime passes in this call. */
function calledWith(delegates: Delegates, environment: Environment, text: string, network: NetworkConfig): Delegates {
  return delegates.with(environment, new NetworkConfig(callConfig(text, network)));
}

/** As ADD was made, whatever is configured now. */
function del({ config, network, attachment, delegates, environment, teardown, warn }: Del<FlannelConfig>): void {
  const record = new DelegateRecord(config.dataDir, attachment, warn);
  teardown.attempt("take back what the delegate did", () => {
    const remembered = record.find();
    if (remembered !== undefined) {
      calledWith(delegates, environment, remembered.text, network).del(remembered.type);
    } else {
      delWithoutRecord(config, network, delegates, environment, warn);
    }
    record.remove();
  });
}

/** Nothing says that there is anything to take back. If there is, what is configured now will find it; if not, it is no failure. */
function delWithoutRecord(
  config: FlannelConfig,
  network: NetworkConfig,
  delegates: Delegates,
  environment: Environment,
  warn: (line: string) => void,
): void {
  try {
    const text = delegateConfig(network, config, findSubnet(config));
    calledWith(delegates, environment, text, network).del(config.delegateType);
  } catch (error) {
    warn(
      `flannel: no configuration of the delegate is remembered, and with today's its DEL fails: ${messageOf(error)}`,
    );
  }
}

/** For DEL and GC, which can do without. */
function findSubnet(config: FlannelConfig): Subnet | undefined {
  try {
    return readSubnetFile(config.subnetFile, ErrorCode.TryAgain);
  } catch (_) {
    return undefined;
  }
}

function check({ config, network, attachment, delegates, environment, warn }: Check<FlannelConfig>): void {
  const remembered = new DelegateRecord(config.dataDir, attachment, warn).find();
  if (remembered !== undefined) {
    calledWith(delegates, environment, remembered.text, network).check(remembered.type);
    return;
  }
  const text = delegateConfig(network, config, readSubnetFile(config.subnetFile, ErrorCode.TryAgain));
  calledWith(delegates, environment, text, network).check(config.delegateType);
}

/** First what is on record, as it was made; then whatever else the delegate finds. */
function gc(call: Gc<FlannelConfig>): void {
  const { config, network, delegates, environment, valid, teardown, warn } = call;
  teardown.attempt(`look through ${config.dataDir}`, () => {
    for (const path of recordPaths(config.dataDir)) {
      teardown.attempt(`collect ${path}`, () => {
        const remembered = readRecord(path, warn);
        if (remembered === undefined || !isStale(remembered, valid)) return;
        collect(remembered, delegates, environment, network);
        removeRecord(remembered);
      });
    }
  });
  teardown.attempt(`collect with ${config.delegateType}`, () => {
    const text = delegateConfig(network, config, findSubnet(config));
    calledWith(delegates, environment, text, network).gc(config.delegateType);
  });
}

/** The original's records do not name the interface: those of a container with any interface alive are left. */
function isStale(remembered: Remembered, valid: ValidAttachments): boolean {
  if (remembered.network !== valid.network) return false;
  if (remembered.ifName === "") return !valid.holdsContainer(remembered.containerId);
  return !valid.holds(remembered.containerId, remembered.ifName);
}

/** DEL of that attachment; where its interface is not known, GC with the configuration of its ADD. */
function collect(remembered: Remembered, delegates: Delegates, environment: Environment, network: NetworkConfig): void {
  if (remembered.ifName === "") {
    calledWith(delegates, environment, remembered.text, network).gc(remembered.type);
    return;
  }
  const dead = environment
    .with("CNI_CONTAINERID", remembered.containerId)
    .with("CNI_IFNAME", remembered.ifName)
    .with("CNI_NETNS", "");
  calledWith(delegates, dead, remembered.text, network).del(remembered.type);
}

function status({ config, network, delegates, environment }: Status<FlannelConfig>): void {
  const text = delegateConfig(network, config, readSubnetFile(config.subnetFile, ErrorCode.NotAvailable));
  calledWith(delegates, environment, text, network).status(config.delegateType);
}
