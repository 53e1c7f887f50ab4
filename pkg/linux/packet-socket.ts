/**
 * Ethernet frames of one interface, sent and received as they are. Used by pkg/address-probe. A socket belongs to the network namespace
 * that it is opened in. Source: packet(7), linux/if_packet.h.
 */
import { closeSync } from "node:fs";
import { bind, clockMs, errno, poll, recv, send, setsockopt, socket } from "#system";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "./errno.ts";
import { EAGAIN, EINTR } from "./headers/errno.ts";
import { POLLFD_BYTES, POLLIN } from "./headers/poll.ts";
import { AF_PACKET, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_RAW, SOL_PACKET } from "./headers/socket.ts";
import { throwIfTerminated } from "./termination.ts";

const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
/** No protocol until it is bound: from all interfaces it would receive otherwise. */
const NO_PROTOCOL = 0;
const MAC_BYTES = 6;
const LARGEST_FRAME_BYTES = 65536;

export class PacketSocket {
  private readonly descriptor: number;
  private readonly linkIndex: number;
  private readonly inbox: Uint8Array = new Uint8Array(LARGEST_FRAME_BYTES);
  private closed = false;

  private constructor(descriptor: number, linkIndex: number) {
    this.descriptor = descriptor;
    this.linkIndex = linkIndex;
  }

  /** For the frames of an EtherType that come in by a link of the namespace that the process is in now. @throws KernelError */
  static open(linkIndex: number, etherType: number): PacketSocket {
    const descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, NO_PROTOCOL);
    if (descriptor < 0) throw new KernelError("open a packet socket", errno());
    const opened = new PacketSocket(descriptor, linkIndex);
    // struct sockaddr_ll: family, protocol, index; then what only matters for sending without a header of one's own.
    const address = new Writer().u16(AF_PACKET).u16be(etherType).u32(linkIndex).u32(0).u32(0).u32(0).done();
    if (bind(descriptor, address) >= 0) return opened;
    const failure = errno();
    opened.close();
    throw new KernelError(`bind a packet socket to link ${linkIndex}`, failure);
  }

  /** Receives the frames to this group's hardware address as well, until it is closed. @throws KernelError */
  join(group: Uint8Array): void {
    // struct packet_mreq
    const request = new Writer().u32(this.linkIndex).u16(PACKET_MR_MULTICAST).u16(MAC_BYTES).bytes(group).u16(0).done();
    if (setsockopt(this.descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request) >= 0) return;
    throw new KernelError(`join a group on link ${this.linkIndex}`, errno());
  }

  /** Sends a frame, Ethernet header included. @throws KernelError; ENETDOWN while the link is down */
  send(frame: Uint8Array): void {
    while (send(this.descriptor, frame, 0) < 0) {
      const failure = errno();
      if (failure !== EINTR) throw new KernelError(`send a frame on link ${this.linkIndex}`, failure);
    }
  }

  /** A frame that has come in, valid until the next is received; `undefined` when there is none now. @throws KernelError */
  receive(): Uint8Array | undefined {
    const count = recv(this.descriptor, this.inbox, MSG_DONTWAIT);
    if (count >= 0) return this.inbox.subarray(0, count);
    const failure = errno();
    if (failure === EAGAIN || failure === EINTR) return undefined;
    throw new KernelError(`receive frames on link ${this.linkIndex}`, failure);
  }

  /** To poll. */
  get reader(): number {
    return this.descriptor;
  }

  /** A second close does nothing. */
  close(): void {
    if (!this.closed) closeSync(this.descriptor);
    this.closed = true;
  }
}

/**
 * Shows the frames that come in by any of the sockets to `isWanted`, for `waitMs`; true as soon as it says so of one.
 * @throws KernelError; Interrupted when the process is told to end
 */
export function receiveFrames(
  sockets: readonly PacketSocket[],
  operation: string,
  waitMs: number,
  isWanted: (frame: Uint8Array) => boolean,
): boolean {
  const untilMs = clockMs() + waitMs;
  for (;;) {
    for (const each of sockets) if (someWanted(each, isWanted)) return true;
    throwIfTerminated(operation);
    const leftMs = untilMs - clockMs();
    if (leftMs <= 0) return false;
    const entries = new Writer();
    for (const each of sockets) entries.u32(each.reader).u16(POLLIN).u16(0);
    if (poll(entries.done().slice(0, sockets.length * POLLFD_BYTES), Math.ceil(leftMs)) >= 0) continue;
    const failure = errno();
    if (failure !== EINTR) throw new KernelError(operation, failure);
  }
}

function someWanted(socket: PacketSocket, isWanted: (frame: Uint8Array) => boolean): boolean {
  for (let frame = socket.receive(); frame !== undefined; frame = socket.receive()) if (isWanted(frame)) return true;
  return false;
}
