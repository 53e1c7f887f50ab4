/**
 * A netlink socket: requests, dumps, batches and notifications. It alone knows sequence numbers, acknowledgements,
 * multipart answers, interrupted dumps and lost messages. It belongs to the network namespace it was opened in.
 * Source: linux/netlink.h, Documentation/userspace-api/netlink/intro.rst.
 */
import { closeSync } from "node:fs";
import { bind, clockMs, errno, poll, recv, send, setsockopt, socket } from "#system";
import { u32 } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "../linux/errno.ts";
import { EAGAIN, EINTR, EMSGSIZE, ENOBUFS, ETIMEDOUT } from "../linux/headers/errno.ts";
import { POLLIN } from "../linux/headers/poll.ts";
import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from "../linux/headers/socket.ts";
import { remainingMs, throwIfTerminated } from "../linux/termination.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import {
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
} from "./headers/netlink.ts";
import {
  decodeAcknowledgement,
  decodeDone,
  type Envelope,
  type Message,
  splitMessages,
  writeMessage,
} from "./message.ts";

export type { Message };

/** The kernel answers while the request is being sent; this only bounds the impossible. */
const ANSWER_SECONDS = 10;
const FIRST_INBOX_BYTES = 32 * 1024;
/** What the socket may hold: enough for the acknowledgements and the text of the largest batch. */
const LARGE_BUFFER_BYTES = 64 * 1024 * 1024;
/** How often a dump is begun again because what it lists changed meanwhile. */
const DUMP_TRIES = 100;

/** How many sockets of unfinished dumps are kept open. */
const MAX_UNFINISHED = 16;

/** One message of a batch; `operation` names it in errors. */
export interface BatchMessage {
  readonly operation: string;
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** What came of one attempt at a dump. */
interface DumpOutcome {
  readonly messages: Message[];
  readonly complete: boolean;
}

export class NetlinkSocket {
  private readonly protocol: number;
  private readonly namespace: NetworkNamespace | undefined;
  private readonly descriptor: number;
  private sequence = 0;
  private inbox: Uint8Array = new Uint8Array(0);
  private readonly unfinished: NetlinkSocket[] = [];
  private closed = false;

  private constructor(protocol: number, namespace: NetworkNamespace | undefined, descriptor: number) {
    this.protocol = protocol;
    this.namespace = namespace;
    this.descriptor = descriptor;
  }

  /** Opens a socket of a NETLINK_* protocol in the namespace, or in the current one. @throws KernelError */
  static open(protocol: number, namespace?: NetworkNamespace): NetlinkSocket {
    const create = (): number => {
      const descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
      if (descriptor < 0) throw new KernelError("open a netlink socket", errno());
      return descriptor;
    };
    const opened = new NetlinkSocket(protocol, namespace, namespace === undefined ? create() : namespace.enter(create));
    opened.configure();
    return opened;
  }

  private configure(): void {
    const on = u32.encode(1);
    // Each only improves answers: a kernel that lacks one (before 4.20) still works.
    setsockopt(this.descriptor, SOL_NETLINK, NETLINK_EXT_ACK, on);
    setsockopt(this.descriptor, SOL_NETLINK, NETLINK_CAP_ACK, on);
    setsockopt(this.descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on);
    const timeout = new Uint8Array(16);
    new DataView(timeout.buffer).setUint32(0, ANSWER_SECONDS, true);
    setsockopt(this.descriptor, SOL_SOCKET, SO_RCVTIMEO, timeout);
  }

  /**
   * Sends one request and waits for its acknowledgement; what the kernel answers besides. An interrupting signal does not
   * abandon it, since its outcome would be unknown. @throws KernelError
   */
  request(operation: string, type: number, flags: number, body: Uint8Array): Message[] {
    const sequence = this.transmit(operation, type, flags | NLM_F_REQUEST | NLM_F_ACK, body);
    const answers: Message[] = [];
    for (;;) {
      for (const message of this.read(operation)) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) {
          answers.push({ type: message.type, body: message.body });
          continue;
        }
        this.accept(operation, message);
        return answers;
      }
    }
  }

  /**
   * Lists objects; again from the start when they changed meanwhile, so that the list is of one moment.
   * @throws KernelError; EINTR when they never stop changing
   */
  dump(operation: string, type: number, body: Uint8Array): Message[] {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      const sequence = this.transmit(operation, type, NLM_F_REQUEST | NLM_F_DUMP, body);
      const outcome = this.collectDump(operation, sequence);
      if (outcome.complete) return outcome.messages;
      throwIfTerminated(operation);
    }
    throw new KernelError(operation, EINTR, "the list changed each time it was read");
  }

  private collectDump(operation: string, sequence: number): DumpOutcome {
    const messages: Message[] = [];
    let complete = true;
    for (;;) {
      for (const message of this.readDump(operation)) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) complete = false;
        if (message.type === NLMSG_ERROR) {
          this.accept(operation, message);
          return { messages, complete };
        }
        if (message.type === NLMSG_DONE) {
          const { error, text } = decodeDone(message);
          if (error === EINTR) complete = false;
          else if (error !== 0) throw new KernelError(operation, error, text);
          return { messages, complete };
        }
        if (message.type !== NLMSG_NOOP) messages.push({ type: message.type, body: message.body });
      }
    }
  }

  /** As `read`; a full receive buffer is no loss here: the kernel goes on with the dump as the buffer is emptied. */
  private readDump(operation: string): Envelope[] {
    for (;;) {
      try {
        return this.read(operation);
      } catch (error) {
        if (!(error instanceof KernelError) || error.number !== ENOBUFS) throw error;
      }
    }
  }

  /**
   * What the kernel sends first of a dump, which says whether there is anything at all without listing everything. On a
   * socket of its own, since only closing ends a dump early; it is closed with this one, so that the wait after deletions
   * (see `close`) comes once, at the end, and not here. @throws KernelError
   */
  firstOfDump(operation: string, type: number, body: Uint8Array): Message[] {
    const own = NetlinkSocket.open(this.protocol, this.namespace);
    this.unfinished.push(own);
    if (this.unfinished.length > MAX_UNFINISHED) this.unfinished.shift()?.close();
    return own.readFirst(operation, type, body);
  }

  private readFirst(operation: string, type: number, body: Uint8Array): Message[] {
    this.transmit(operation, type, NLM_F_REQUEST | NLM_F_DUMP, body);
    const messages: Message[] = [];
    for (const message of this.readDump(operation)) {
      if (message.type === NLMSG_ERROR) this.accept(operation, message);
      else if (message.type === NLMSG_DONE) {
        const { error, text } = decodeDone(message);
        if (error !== 0 && error !== EINTR) throw new KernelError(operation, error, text);
      } else if (message.type !== NLMSG_NOOP) messages.push({ type: message.type, body: message.body });
    }
    return messages;
  }

  /**
   * Sends many messages at once. Acknowledgements may be asked for but are not needed: the kernel has handled everything,
   * and queued every error, when sending returns. @throws KernelError of the first message refused, under its operation
   */
  batch(operation: string, messages: readonly BatchMessage[]): void {
    const first = this.sequence + 1;
    const out = new Writer();
    let expected = 0;
    for (const message of messages) {
      this.sequence += 1;
      if ((message.flags & NLM_F_ACK) !== 0) expected += 1;
      writeMessage(out, message.type, message.flags | NLM_F_REQUEST, this.sequence, message.body);
    }
    this.reserveInbox(messages.length);
    this.sendAll(operation, out.done());
    let failure: KernelError | undefined;
    while (true) {
      const received = this.readQueued(operation, failure === undefined && expected > 0);
      if (received === undefined) break;
      for (const message of received) {
        if (message.sequence < first || message.type !== NLMSG_ERROR) continue;
        expected -= 1;
        const { error, text } = decodeAcknowledgement(message);
        if (error === 0 || failure !== undefined) continue;
        failure = new KernelError(messages.at(message.sequence - first)?.operation ?? operation, error, text);
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** Room for an answer to each message of a batch: one that is lost might be the error. */
  private reserveInbox(count: number): void {
    // Each answer takes up to 1280 bytes of the kernel's accounting; the default buffer holds about 160.
    if (count > 100) this.enlarge(SO_RCVBUFFORCE, SO_RCVBUF);
  }

  private enlarge(force: number, polite: number): void {
    const size = u32.encode(LARGE_BUFFER_BYTES);
    // The first needs CAP_NET_ADMIN in the first user namespace and ignores the limit that the second obeys.
    if (setsockopt(this.descriptor, SOL_SOCKET, force, size) < 0) setsockopt(this.descriptor, SOL_SOCKET, polite, size);
  }

  /** Receives the notifications of these multicast groups (RTNLGRP_*) from now on. @throws KernelError */
  subscribe(groups: readonly number[]): void {
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
    if (bind(this.descriptor, address) < 0) throw new KernelError("bind a netlink socket", errno());
    for (const group of groups) {
      if (setsockopt(this.descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32.encode(group)) < 0) {
        throw new KernelError(`subscribe to netlink group ${group}`, errno());
      }
    }
  }

  /**
   * Waits for notifications until the clock (`clockMs`) reads `untilMs`: those that came, none when some were lost (look
   * again at what is watched), or `undefined` when the time is up. @throws KernelError; Interrupted
   */
  receive(operation: string, untilMs: number): Message[] | undefined {
    for (;;) {
      throwIfTerminated(operation);
      const leftMs = Math.max(0, Math.ceil(untilMs - clockMs()));
      const ready = this.awaitReadable(Math.min(leftMs, Math.ceil(remainingMs())));
      if (ready < 0 && errno() !== EINTR) throw new KernelError(operation, errno());
      if (ready < 0) continue;
      if (ready === 0) {
        // Either time is up; that of the whole call is told by throwing.
        if (clockMs() >= untilMs) return undefined;
        continue;
      }
      try {
        const messages: Message[] = [];
        for (const message of this.readQueued(operation, false) ?? []) {
          messages.push({ type: message.type, body: message.body });
        }
        return messages;
      } catch (error) {
        if (error instanceof KernelError && error.number === ENOBUFS) return [];
        throw error;
      }
    }
  }

  private awaitReadable(timeoutMs: number): number {
    const entry = new Uint8Array(8);
    const view = new DataView(entry.buffer);
    view.setInt32(0, this.descriptor, true);
    view.setInt16(4, POLLIN, true);
    return poll(entry, timeoutMs);
  }

  /** A second close does nothing. After deletions in nf_tables it waits for the kernel, some milliseconds. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const each of this.unfinished) each.close();
    closeSync(this.descriptor);
  }

  private transmit(operation: string, type: number, flags: number, body: Uint8Array): number {
    this.sequence += 1;
    const out = new Writer();
    writeMessage(out, type, flags, this.sequence, body);
    this.sendAll(operation, out.done());
    return this.sequence;
  }

  private sendAll(operation: string, bytes: Uint8Array): void {
    let enlarged = false;
    while (send(this.descriptor, bytes, 0) < 0) {
      const number = errno();
      if (number === EINTR) continue;
      if (number !== EMSGSIZE || enlarged) throw new KernelError(operation, number);
      enlarged = true;
      this.enlarge(SO_SNDBUFFORCE, SO_SNDBUF);
    }
  }

  /** The messages of the next datagram, waiting for it. @throws KernelError */
  private read(operation: string): Envelope[] {
    return this.readQueued(operation, true) ?? [];
  }

  /** As `read`; without waiting, `undefined` when there is none. */
  private readQueued(operation: string, wait: boolean): Envelope[] | undefined {
    const flags = wait ? 0 : MSG_DONTWAIT;
    if (this.inbox.length === 0) this.inbox = new Uint8Array(FIRST_INBOX_BYTES);
    for (;;) {
      // The kernel cuts what does not fit, so its length is asked for first.
      const length = recv(this.descriptor, this.inbox, flags | MSG_PEEK | MSG_TRUNC);
      if (length < 0) {
        const number = errno();
        if (number === EINTR) continue;
        if (number !== EAGAIN) throw new KernelError(operation, number);
        if (!wait) return undefined;
        throw new KernelError(operation, ETIMEDOUT, "the kernel did not answer");
      }
      if (length > this.inbox.length) {
        this.inbox = new Uint8Array(length * 2);
        continue;
      }
      const received = recv(this.descriptor, this.inbox, MSG_DONTWAIT);
      if (received < 0 && errno() !== EINTR && errno() !== EAGAIN) throw new KernelError(operation, errno());
      if (received < 0) continue;
      return splitMessages(this.inbox.subarray(0, received));
    }
  }

  private accept(operation: string, message: Envelope): void {
    const { error, text } = decodeAcknowledgement(message);
    if (error !== 0) throw new KernelError(operation, error, text);
  }
}
