/** The container's network namespace as CNI_NETNS names it: opened when first needed, and never our own. */
import { statSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { NetworkStack } from "../netlink/stack.ts";
import { NetworkNamespace } from "../netns/network-namespace.ts";

export class Sandbox {
  /** CNI_NETNS as given; empty when the runtime gave none (DEL). */
  readonly path: string;
  private isGone = false;
  private namespace: NetworkNamespace | undefined;
  private opened: NetworkStack | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** The namespace's network. @throws CniError 4 when the path leads to no network namespace */
  get stack(): NetworkStack {
    if (this.opened !== undefined) return this.opened;
    const namespace = this.open();
    if (namespace === undefined) {
      const reason = exists(this.path) ? "it is no network namespace" : "no such file or directory";
      throw new CniError(
        ErrorCode.InvalidEnvironment,
        `failed to open netns "${this.path}": ${reason}`,
        "CNI_NETNS must name an existing one, such as /run/netns/NAME or /proc/PID/ns/net",
      );
    }
    this.opened = NetworkStack.of(namespace);
    return this.opened;
  }

  /** The namespace's network, or `undefined` when it is gone: for DEL, which then cleans the host's side alone. */
  find(): NetworkStack | undefined {
    return this.open() === undefined ? undefined : this.stack;
  }

  private open(): NetworkNamespace | undefined {
    if (this.namespace === undefined && this.path !== "" && !this.isGone)
      this.namespace = NetworkNamespace.find(this.path);
    return this.namespace;
  }

  /** Whether this is the namespace that the plugin itself runs in; a path that leads nowhere is not. */
  isOwn(): boolean {
    const namespace = this.open();
    if (namespace === undefined) return false;
    const own = NetworkNamespace.current();
    try {
      return own.equals(namespace);
    } finally {
      own.close();
    }
  }

  /** The path does not lead to the container's namespace any more: from now on there is none. */
  giveUp(): void {
    this.close();
    this.isGone = true;
  }

  close(): void {
    this.opened?.close();
    this.namespace?.close();
    this.opened = undefined;
    this.namespace = undefined;
  }
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (_) {
    return false;
  }
}
