/**
 * Netlink messages: the header around every request and answer, and acknowledgements with the kernel's own words.
 * Used by socket.ts. Source: linux/netlink.h.
 */
import { cstring, DecodeError, u32 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import type { Writer } from "../codec/writer.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_HDRLEN } from "./headers/netlink.ts";

/** One message: what follows its header is `body`. */
export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A received message with what its header says. */
export interface Envelope {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** Appends a message, padded to 4 bytes. */
export function writeMessage(out: Writer, type: number, flags: number, sequence: number, body: Uint8Array): void {
  out
    .u32(NLMSG_HDRLEN + body.length)
    .u16(type)
    .u16(flags)
    .u32(sequence)
    .u32(0)
    .bytes(body)
    .align(4);
}

/** The messages of one datagram; bodies are copies. @throws DecodeError when a length is impossible */
export function splitMessages(bytes: Uint8Array): Envelope[] {
  const found: Envelope[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (at + NLMSG_HDRLEN <= bytes.length) {
    const length = view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || at + length > bytes.length) {
      throw new DecodeError("message", `message at byte ${at} claims ${length} bytes, ${bytes.length - at} are left`);
    }
    found.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.slice(at + NLMSG_HDRLEN, at + length),
    });
    at += (length + 3) & ~3;
  }
  return found;
}

/** What an acknowledgement, or the end of a dump, says. */
export interface Acknowledgement {
  /** Errno; 0 is success. */
  readonly error: number;
  /** The kernel's own words, with the attribute it objects to where it names one; often empty. */
  readonly text: string;
}

/** NLMSGERR_ATTR_* */
const acknowledgementAttributes = attributes({
  message: attribute(1, cstring),
  offset: attribute(2, u32),
  missingType: attribute(5, u32),
});

/** Reads NLMSG_ERROR, where the request's header (and unless capped, its body) stands before the attributes. */
export function decodeAcknowledgement(message: Envelope): Acknowledgement {
  const error = errorNumber(message);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { error, text: "" };
  const view = viewOf(message.body);
  const echoed = (message.flags & NLM_F_CAPPED) === 0 ? (view.getUint32(4, true) + 3) & ~3 : NLMSG_HDRLEN;
  return { error, text: explanation(message.body.subarray(Math.min(message.body.length, 4 + echoed))) };
}

/** Reads NLMSG_DONE: an errno for dumps that failed on the way, then attributes. */
export function decodeDone(message: Envelope): Acknowledgement {
  if (message.body.length < 4) return { error: 0, text: "" };
  const text = (message.flags & NLM_F_ACK_TLVS) === 0 ? "" : explanation(message.body.subarray(4));
  return { error: errorNumber(message), text };
}

function errorNumber(message: Envelope): number {
  if (message.body.length < 4) throw new DecodeError("acknowledgement", `need 4 bytes, have ${message.body.length}`);
  const view = viewOf(message.body);
  // Some dumps end with a count instead of an errno: above zero is no error.
  return Math.max(0, -view.getInt32(0, true));
}

function explanation(bytes: Uint8Array): string {
  const found = Attributes.decode(bytes, "acknowledgement");
  const parts: string[] = [];
  const words = found.get(acknowledgementAttributes.message);
  if (words !== undefined) parts.push(words);
  const offset = found.get(acknowledgementAttributes.offset);
  if (offset !== undefined) parts.push(`attribute at byte ${offset}`);
  const missing = found.get(acknowledgementAttributes.missingType);
  if (missing !== undefined) parts.push(`attribute ${missing} is missing`);
  return parts.join(", ");
}

/** A body: the fixed struct that the message's type begins with, then attributes. */
export function messageBody(header: Writer, content: Attributes): Uint8Array {
  return header.align(4).bytes(content.encode()).done();
}
