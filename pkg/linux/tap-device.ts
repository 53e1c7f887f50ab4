/**
 * Tap devices: interfaces whose frames a program reads and writes. Used by plugins/tap. A device is held by an open file until it is
 * made persistent, so that one whose maker is killed is gone with it.
 * Source: Documentation/networking/tuntap.rst, linux/if_tun.h, drivers/net/tun.c.
 */
import { closeSync, openSync } from "node:fs";
import { errno, ioctl, ioctlNumber, spawn, waitExit } from "#system";
import { KernelError } from "./errno.ts";
import { EINTR } from "./headers/errno.ts";
import { inSelinuxContext } from "./selinux.ts";

export const TUN_DEVICE = "/dev/net/tun";

/** linux/if_tun.h; the highest bit makes them larger than an int. */
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const TUNSETCARRIER = 0x400454e2;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
/** No four bytes of packet information before each frame. */
const IFF_NO_PI = 0x1000;
/** Refused with EBUSY where the name is taken; without it the kernel would attach to a tap that is there. */
const IFF_TUN_EXCL = 0x8000;
/** struct ifreq: the name, then a union of 24 bytes, flags first. */
const IFREQ_BYTES = 40;
const FLAGS_AT = 16;

/** First word of the command line by which this executable makes a device in another SELinux context, called by itself alone. */
export const attachCommand = "attach-tap";

export interface TapOptions {
  readonly multiQueue: boolean;
  /** SELinux context of the device; empty is the process's own. */
  readonly selinuxContext: string;
}

export class TapDevice {
  private descriptor: number;
  private persistent = false;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Opens the device node: what it makes is in the namespace that the process is in now. @throws the file system's error */
  static open(): TapDevice {
    return new TapDevice(openSync(TUN_DEVICE, "r+"));
  }

  /**
   * Makes the interface `name`, down. It exists until `close`, or for good after `persist`.
   * @throws KernelError; EBUSY when an interface of that name exists
   */
  create(name: string, options: TapOptions): void {
    const operation = `create tap ${name}`;
    if (options.selinuxContext === "") {
      if (attach(this.descriptor, name, options.multiQueue) < 0) throw new KernelError(operation, errno());
      return;
    }
    // The kernel labels a device like the process that makes it, and a process changes its label only as it executes a program.
    const failure = inSelinuxContext(options.selinuxContext, () => this.createByOther(name, options.multiQueue));
    if (failure !== 0) throw new KernelError(`${operation} in SELinux context ${options.selinuxContext}`, failure);
  }

  /** 0, or the errno. The child's stdin is our open file: what it makes of it is ours. */
  private createByOther(name: string, multiQueue: boolean): number {
    const words = ["ferrule", attachCommand, name, multiQueue ? "multi-queue" : "one-queue"];
    const encoder = new TextEncoder();
    const path = encoder.encode("/proc/self/exe\0");
    const pid = spawn(path, encoder.encode(`${words.join("\0")}\0`), new Uint8Array(0), this.descriptor, 2, 2);
    if (pid < 0) return -pid;
    for (;;) {
      const status = waitExit(pid, 0);
      if (status !== -EINTR) return Math.abs(status);
    }
  }

  /** Without carrier the kernel sends nothing into a queue that nobody reads; whoever opens the device brings carrier. */
  dropCarrier(): void {
    // Linux 5.0; before, what it sends is lost with the queue.
    ioctl(this.descriptor, TUNSETCARRIER, new Uint8Array(4));
  }

  /** Who may open the device without CAP_NET_ADMIN: that user, and only members of that group. @throws KernelError */
  restrict(owner: number | undefined, group: number | undefined): void {
    if (owner !== undefined) this.set(`give the tap to user ${owner}`, TUNSETOWNER, owner);
    if (group !== undefined) this.set(`give the tap to group ${group}`, TUNSETGROUP, group);
  }

  /** From now on it outlives this process. @throws KernelError */
  persist(): void {
    this.set("make the tap persistent", TUNSETPERSIST, 1);
    this.persistent = true;
  }

  get isPersistent(): boolean {
    return this.persistent;
  }

  private set(operation: string, request: number, value: number): void {
    if (ioctlNumber(this.descriptor, request, value) < 0) throw new KernelError(operation, errno());
  }

  /** A second close does nothing. */
  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

/** TUNSETIFF; below 0 it failed. */
function attach(descriptor: number, name: string, multiQueue: boolean): number {
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(new TextEncoder().encode(name));
  const flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | (multiQueue ? IFF_MULTI_QUEUE : 0);
  new DataView(request.buffer).setUint16(FLAGS_AT, flags, true);
  return ioctl(descriptor, TUNSETIFF, request);
}

/** The other side of `selinuxContext`: makes the device on the open file that is stdin. The exit status is 0, or the errno. */
export function attachOnStdin(words: readonly string[]): number {
  return attach(0, words.at(0) ?? "", words.at(1) === "multi-queue") < 0 ? errno() : 0;
}
