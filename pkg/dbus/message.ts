/**
 * D-Bus messages as bytes: calls with strings as arguments, and the answers to them, of which strings and booleans are read.
 * Used by bus.ts. Source: D-Bus specification 0.43, "Marshaling (wire format)" and "Message protocol".
 */
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";

/** What is called. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Strings (signature `s` each). */
  readonly words: readonly string[];
}

/** A message from the bus, as far as an answer is looked at. */
export interface Message {
  readonly type: number;
  /** The serial of the call that it answers; 0 when it answers none. */
  readonly replySerial: number;
  /** Of an error; else empty. */
  readonly errorName: string;
  readonly signature: string;
  readonly body: Uint8Array;
}

export const messageType = { call: 1, answer: 2, error: 3, signal: 4 } as const;

const LITTLE_ENDIAN = 0x6c; // 'l'
const PROTOCOL = 1;
/** A call does not start the service it is for. */
const NO_AUTO_START = 2;
/** endianness, type, flags, protocol; body length, serial, length of the header's fields */
const FIXED_BYTES = 16;
/** What the specification lets a message have. */
const MOST_BYTES = 128 * 1024 * 1024;

/** Header fields. */
const field = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const;

/** A broken message: whatever speaks there is no D-Bus. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** The call as bytes. `serial` is not 0. */
export function encodeCall(call: Call, serial: number): Uint8Array {
  const body = new Writer();
  for (const word of call.words) text(body, word);
  const out = new Writer().u8(LITTLE_ENDIAN).u8(messageType.call).u8(NO_AUTO_START).u8(PROTOCOL);
  out.u32(body.length).u32(serial).u32(0);
  textField(out, field.path, "o", call.path);
  textField(out, field.interface, "s", call.interface);
  textField(out, field.member, "s", call.member);
  textField(out, field.destination, "s", call.destination);
  if (call.words.length > 0) {
    out.align(8).u8(field.signature);
    signature(out, "g");
    signature(out, "s".repeat(call.words.length));
  }
  out.setU32(12, out.length - FIXED_BYTES);
  return out.align(8).bytes(body.done()).done().slice(0, out.length);
}

function text(out: Writer, value: string): void {
  const bytes = new TextEncoder().encode(value);
  out.align(4).u32(bytes.length).bytes(bytes).u8(0);
}

function signature(out: Writer, value: string): void {
  out.u8(value.length).bytes(new TextEncoder().encode(value)).u8(0);
}

function textField(out: Writer, code: number, type: string, value: string): void {
  out.align(8).u8(code);
  signature(out, type);
  text(out, value);
}

/** How long the message is that begins with these bytes; `undefined` until 16 of them are there. @throws ProtocolError */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint8(0) !== LITTLE_ENDIAN || view.getUint8(3) !== PROTOCOL) throw new ProtocolError("no D-Bus message");
  const length = aligned(FIXED_BYTES + view.getUint32(12, true), 8) + view.getUint32(4, true);
  if (length > MOST_BYTES) throw new ProtocolError(`a message of ${length} bytes`);
  return length;
}

function aligned(at: number, boundary: number): number {
  return Math.ceil(at / boundary) * boundary;
}

/** A whole message. @throws ProtocolError, RangeError when it is cut off */
export function decodeMessage(bytes: Uint8Array): Message {
  const view = viewOf(bytes);
  const end = FIXED_BYTES + view.getUint32(12, true);
  const reader = new Reader(bytes, FIXED_BYTES);
  let replySerial = 0;
  let errorName = "";
  let bodySignature = "";
  while (reader.at < end) {
    reader.align(8);
    const code = reader.u8();
    const type = reader.signature();
    if (type === "u") {
      const value = reader.u32();
      if (code === field.replySerial) replySerial = value;
    } else if (type === "g") {
      const value = reader.signature();
      if (code === field.signature) bodySignature = value;
    } else if (type === "s" || type === "o") {
      const value = reader.text();
      if (code === field.errorName) errorName = value;
    } else throw new ProtocolError(`a header field of type "${type}"`);
  }
  return {
    type: view.getUint8(1),
    replySerial,
    errorName,
    signature: bodySignature,
    body: bytes.subarray(aligned(end, 8)),
  };
}

/** The answer's first value when that is a string, else an empty one. */
export function firstText(message: Message): string {
  return message.signature.startsWith("s") ? new Reader(message.body, 0).text() : "";
}

/** The answer's first value when that is a list of strings, else none. */
export function firstTexts(message: Message): string[] {
  const found: string[] = [];
  if (!message.signature.startsWith("as")) return found;
  const reader = new Reader(message.body, 0);
  const bytes = reader.u32();
  const end = reader.at + bytes;
  while (reader.at < end) found.push(reader.text());
  return found;
}

/** The answer's first value when that is a boolean. */
export function firstFlag(message: Message): boolean | undefined {
  return message.signature.startsWith("b") ? new Reader(message.body, 0).u32() !== 0 : undefined;
}

/** Reads value after value; alignment counts from the first byte. */
class Reader {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.at = at;
  }

  align(boundary: number): void {
    this.at = aligned(this.at, boundary);
  }

  u8(): number {
    const value = this.view.getUint8(this.at);
    this.at += 1;
    return value;
  }

  u32(): number {
    this.align(4);
    const value = this.view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  text(): string {
    return this.characters(this.u32());
  }

  signature(): string {
    return this.characters(this.u8());
  }

  private characters(length: number): string {
    const end = this.at + length;
    if (end >= this.bytes.length) throw new ProtocolError("a text that is cut off");
    const value = new TextDecoder().decode(this.bytes.subarray(this.at, end));
    this.at = end + 1; // NUL
    return value;
  }
}
