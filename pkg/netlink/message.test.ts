import { expect, test } from "vitest";
import { Writer } from "../codec/writer.ts";
import { decodeAcknowledgement, decodeDone, splitMessages, writeMessage } from "./message.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

test("a message is its header and its body, padded to four bytes", () => {
  const out = new Writer();
  writeMessage(out, 16, 0x605, 7, bytes("aabbcc"));
  expect(hex(out.done())).toBe("13000000100005060700000000000000aabbcc00");
});

test("a datagram is split into its messages", () => {
  const out = new Writer();
  writeMessage(out, 16, 2, 7, bytes("aabbcc"));
  writeMessage(out, 3, 2, 8, bytes("00000000"));
  expect(splitMessages(out.done()).map((each) => [each.type, each.flags, each.sequence, hex(each.body)])).toEqual([
    [16, 2, 7, "aabbcc"],
    [3, 2, 8, "00000000"],
  ]);
  expect(splitMessages(new Uint8Array(0))).toEqual([]);
});

for (const [what, data] of [
  ["longer than its datagram", "14000000100000000700000000000000"],
  ["shorter than its header", "0f000000100000000700000000000000"],
] as const) {
  test(`a message ${what} is refused`, () => {
    expect(() => splitMessages(bytes(data))).toThrow(/^message: message at byte 0 claims/);
  });
}

/** linux-6.18: RTM_NEWLINK of an unknown kind, with NETLINK_EXT_ACK and NETLINK_CAP_ACK. */
const unknownKind = `a1ffffff3c000000100005060700000000000000${"18000100"}${Buffer.from("Unknown device type\0").toString("hex")}`;

test("an acknowledgement tells the errno and the kernel's own words", () => {
  expect(decodeAcknowledgement({ type: 2, flags: 0x300, sequence: 7, body: bytes(unknownKind) })).toEqual({
    error: 95,
    text: "Unknown device type",
  });
});

test("an acknowledgement tells where the attribute stands that the kernel objects to", () => {
  const body = bytes("eaffffff3c0000001000050607000000000000000800020014000000");
  expect(decodeAcknowledgement({ type: 2, flags: 0x300, sequence: 7, body })).toEqual({
    error: 22,
    text: "attribute at byte 20",
  });
});

test("the request that an acknowledgement repeats is skipped where it is not cut", () => {
  const body = bytes("eaffffff1400000010000506070000000000000011223344" + "0800010061620000");
  expect(decodeAcknowledgement({ type: 2, flags: 0x200, sequence: 7, body })).toEqual({ error: 22, text: "ab" });
});

test("success is an acknowledgement without error", () => {
  const body = bytes("0000000014000000100005060700000000000000");
  expect(decodeAcknowledgement({ type: 2, flags: 0x100, sequence: 7, body })).toEqual({ error: 0, text: "" });
});

test("a dump's end may tell an error, a count, or nothing", () => {
  expect(decodeDone({ type: 3, flags: 2, sequence: 7, body: bytes("fcffffff") }).error).toBe(4);
  expect(decodeDone({ type: 3, flags: 2, sequence: 7, body: bytes("05000000") }).error).toBe(0);
  expect(decodeDone({ type: 3, flags: 2, sequence: 7, body: bytes("") }).error).toBe(0);
});

test("an acknowledgement that is cut is refused", () => {
  expect(() => decodeAcknowledgement({ type: 2, flags: 0, sequence: 7, body: bytes("0000") })).toThrow("need 4 bytes");
});
