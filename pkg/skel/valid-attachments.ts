/** What GC is told is alive (SPEC section 2, "cni.dev/valid-attachments"). */
import type { NetworkConfig } from "../../spec/network-config.ts";
import { Attachment, keyOfTag, networkTag } from "./attachment.ts";

export class ValidAttachments {
  readonly network: string;
  private readonly keys = new Set<string>();
  private readonly pairs = new Set<string>();
  private readonly containers = new Set<string>();

  constructor(network: NetworkConfig) {
    this.network = network.name;
    for (const each of network.validAttachments ?? []) {
      this.keys.add(new Attachment(network.name, each.containerID, each.ifname).key);
      this.pairs.add(`${each.containerID} ${each.ifname}`);
      this.containers.add(each.containerID);
    }
  }

  /** The keys of what is alive: for what is marked with a digest of one. */
  liveKeys(): string[] {
    const keys: string[] = [];
    for (const key of this.keys) keys.push(key);
    return keys;
  }

  /** Whether that interface of that container is alive. */
  holds(containerId: string, ifName: string): boolean {
    return this.pairs.has(`${containerId} ${ifName}`);
  }

  /** Whether any interface of that container is alive: for what is marked with the container alone. */
  holdsContainer(containerId: string): boolean {
    return this.containers.has(containerId);
  }

  /** The containers of which any interface is alive: for what is marked with a digest of the container alone. */
  liveContainers(): string[] {
    const containers: string[] = [];
    for (const containerId of this.containers) containers.push(containerId);
    return containers;
  }

  /** Whether a tag is one of ours, of this network, and of an attachment that is not alive. */
  isStale(tag: string): boolean {
    const key = keyOfTag(tag);
    if (key === undefined || this.keys.has(key)) return false;
    return key.startsWith(`${networkTag(this.network)}-`);
  }
}
