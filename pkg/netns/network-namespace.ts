/**
 * Network namespaces by path: opened, compared, entered for the length of one action. Sockets opened inside stay there.
 * Source: setns(2), network_namespaces(7), ioctl_nsfs(2).
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { errno, filesystemMagic, ioctl, setns } from "#system";
import { KernelError } from "../linux/errno.ts";

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000;
/** linux/magic.h */
const NSFS_MAGIC = 0x6e736673;
/** linux/nsfs.h: which CLONE_NEW* a namespace is of. */
const NS_GET_NSTYPE = 0xb703;
const OWN = "/proc/thread-self/ns/net";

/** Why a path does not lead to a network namespace. */
export type NamespaceProblem = "missing" | "not-a-network-namespace";

/** A path that is no network namespace, or none any more: `/run/netns/x` once unmounted is a plain file. */
export class NamespaceError extends Error {
  readonly path: string;
  readonly problem: NamespaceProblem;
  constructor(path: string, problem: NamespaceProblem) {
    const reason = problem === "missing" ? "there is nothing at this path" : "this path is no network namespace";
    super(`open network namespace ${path}: ${reason}`);
    this.name = "NamespaceError";
    this.path = path;
    this.problem = problem;
  }
}

/** An open network namespace. It exists at least as long as it is open. */
export class NetworkNamespace {
  readonly path: string;
  /** The open file, for IFLA_NET_NS_FD; valid until `close`. */
  readonly descriptor: number;
  private readonly device: number;
  private readonly inode: number;
  private closed = false;

  private constructor(path: string, descriptor: number, device: number, inode: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.device = device;
    this.inode = inode;
  }

  /** @throws NamespaceError when there is no network namespace at `path`; the file system's error when it cannot be read */
  static open(path: string): NetworkNamespace {
    const descriptor = openReadable(path);
    if (!isNetworkNamespace(descriptor)) {
      closeSync(descriptor);
      throw new NamespaceError(path, "not-a-network-namespace");
    }
    const status = fstatSync(descriptor);
    return new NetworkNamespace(path, descriptor, status.dev, status.ino);
  }

  /** The namespace at `path`, or `undefined` when there is none. @throws the file system's error when it cannot be read */
  static find(path: string): NetworkNamespace | undefined {
    try {
      return NetworkNamespace.open(path);
    } catch (error) {
      if (error instanceof NamespaceError) return undefined;
      throw error;
    }
  }

  /** The namespace that the calling thread is in. */
  static current(): NetworkNamespace {
    return NetworkNamespace.open(OWN);
  }

  /** Runs `action` inside the namespace and comes back, whatever happens. @throws KernelError when entering fails */
  enter<T>(action: () => T): T {
    const home = openSync(OWN, "r");
    try {
      join(this.descriptor, this.path);
      try {
        return action();
      } finally {
        comeHome(home);
      }
    } finally {
      closeSync(home);
    }
  }

  /** Whether both are the same namespace, by whatever path. */
  equals(other: NetworkNamespace): boolean {
    return this.device === other.device && this.inode === other.inode;
  }

  /** `device:inode`: tells namespaces apart as long as they are open. */
  identity(): string {
    return `${this.device}:${this.inode}`;
  }

  /** A second close does nothing. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.descriptor);
  }
}

function join(descriptor: number, path: string): void {
  if (setns(descriptor, CLONE_NEWNET) < 0) throw new KernelError(`enter network namespace ${path}`, errno());
}

/** In a foreign namespace nothing more would be right, least of all taking back what was done: tried again before giving up. */
function comeHome(descriptor: number): void {
  if (setns(descriptor, CLONE_NEWNET) < 0) join(descriptor, OWN);
}

function openReadable(path: string): number {
  try {
    // Without waiting: what stands there may be a FIFO.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK, 0);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") throw new NamespaceError(path, "missing");
    // A socket, or a /proc entry whose process is gone.
    if (code === "ENXIO" || code === "ESRCH") throw new NamespaceError(path, "not-a-network-namespace");
    throw error;
  }
}

function isNetworkNamespace(descriptor: number): boolean {
  return (
    filesystemMagic(descriptor) === NSFS_MAGIC && ioctl(descriptor, NS_GET_NSTYPE, new Uint8Array(8)) === CLONE_NEWNET
  );
}
