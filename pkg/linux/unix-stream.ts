/** A stream to a server on this machine (AF_UNIX). Used by pkg/dbus. Source: unix(7). */
import { closeSync } from "node:fs";
import { clockMs, connect, errno, poll, recv, send, socket } from "#system";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "./errno.ts";
import { EAGAIN, EINTR, ENAMETOOLONG, ETIMEDOUT } from "./headers/errno.ts";
import { POLLFD_BYTES, POLLIN, POLLOUT } from "./headers/poll.ts";
import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_STREAM } from "./headers/socket.ts";
import { throwIfTerminated } from "./termination.ts";

const PATH_BYTES = 107;
const CHUNK_BYTES = 4096;

export class UnixStream {
  private readonly descriptor: number;
  private readonly name: string;
  private readonly inbox: Uint8Array = new Uint8Array(CHUNK_BYTES);
  private closed = false;

  private constructor(descriptor: number, name: string) {
    this.descriptor = descriptor;
    this.name = name;
  }

  /** `name` is a path, or `@` and an abstract name. @throws KernelError ENOENT, ECONNREFUSED where nobody listens; Interrupted */
  static connect(name: string): UnixStream {
    const operation = `connect to ${name}`;
    const text = new TextEncoder().encode(name);
    if (text.length > PATH_BYTES) throw new KernelError(operation, ENAMETOOLONG);
    const descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw new KernelError(operation, errno());
    const opened = new UnixStream(descriptor, name);
    const address = new Writer().u16(AF_UNIX);
    if (name.startsWith("@")) address.u8(0).bytes(text.subarray(1));
    else address.bytes(text).u8(0);
    const bytes = address.done();
    while (connect(descriptor, bytes) < 0) {
      const failure = errno();
      if (failure !== EINTR) {
        opened.close();
        throw new KernelError(operation, failure);
      }
      throwIfTerminated(operation);
    }
    return opened;
  }

  /** Sends all of it. `untilMs` is of clockMs. @throws KernelError ETIMEDOUT when that takes too long; Interrupted */
  send(bytes: Uint8Array, untilMs: number): void {
    let rest = bytes;
    while (rest.length > 0) {
      const count = send(this.descriptor, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count >= 0) rest = rest.subarray(count);
      else this.wait(POLLOUT, `send to ${this.name}`, untilMs);
    }
  }

  /** What comes next, at least a byte; none at the stream's end. Valid until the next call. @throws as send() */
  receive(untilMs: number): Uint8Array {
    for (;;) {
      const count = recv(this.descriptor, this.inbox, MSG_DONTWAIT);
      if (count >= 0) return this.inbox.subarray(0, count);
      this.wait(POLLIN, `receive from ${this.name}`, untilMs);
    }
  }

  /** Waits when that is what the last call failed for. */
  private wait(events: number, operation: string, untilMs: number): void {
    const failure = errno();
    if (failure !== EAGAIN && failure !== EINTR) throw new KernelError(operation, failure);
    throwIfTerminated(operation);
    const leftMs = untilMs - clockMs();
    if (leftMs <= 0) throw new KernelError(operation, ETIMEDOUT);
    const entry = new Writer().u32(this.descriptor).u16(events).u16(0).done().slice(0, POLLFD_BYTES);
    if (poll(entry, Math.ceil(leftMs)) >= 0) return;
    const refused = errno();
    if (refused !== EINTR) throw new KernelError(operation, refused);
  }

  /** A second close does nothing. */
  close(): void {
    if (!this.closed) closeSync(this.descriptor);
    this.closed = true;
  }
}

/** The moment `waitMs` from now, for send() and receive(). */
export function momentIn(waitMs: number): number {
  return clockMs() + waitMs;
}
