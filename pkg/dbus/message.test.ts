import { describe, expect, test } from "vitest";
import { toHex } from "../codec/hex.ts";
import {
  type Call,
  decodeMessage,
  encodeCall,
  firstFlag,
  firstText,
  firstTexts,
  messageLength,
  ProtocolError,
} from "./message.ts";

function bytes(hex: string): Uint8Array {
  return new Uint8Array((hex.replaceAll(/\s/g, "").match(/../g) ?? []).map((each) => parseInt(each, 16)));
}

const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const hello: Call = { ...bus, member: "Hello", words: [] };

// Taken by dbus-daemon 1.14.10.
const helloBytes = `
  6c 01 02 01 00000000 01000000 6d000000
  01 01 6f 00 15000000 2f6f72672f667265656465736b746f702f44427573 00 0000
  02 01 73 00 14000000 6f72672e667265656465736b746f702e44427573 00 000000
  03 01 73 00 05000000 48656c6c6f 00 0000
  06 01 73 00 14000000 6f72672e667265656465736b746f702e44427573 00 000000`;

// What dbus-daemon 1.14.10 answers to GetNameOwner of a name that nobody has, and to NameHasOwner of its own.
const noOwner = `
  6c0301013b000000030000007500000006017300040000003a312e300000000004017300290000006f72672e667265656465736b746f702e444275
  732e4572726f722e4e616d654861734e6f4f776e6572000000000000000501750002000000080167000173000007017300140000006f72672e66
  7265656465736b746f702e444275730000000036000000436f756c64206e6f7420676574206f776e6572206f66206e616d6520276f72672e6e6f
  626f6479273a206e6f2073756368206e616d6500`;
const isOwned = `
  6c02010104000000040000003d00000006017300040000003a312e30000000000501750003000000080167000162000007017300140000006f72
  672e667265656465736b746f702e444275730000000001000000`;

describe("encodeCall()", () => {
  test("writes a call without arguments", () => {
    expect(toHex(encodeCall(hello, 1))).toBe(toHex(bytes(helloBytes)));
  });

  test("pads the body's strings, and says where it begins", () => {
    const call = encodeCall({ ...bus, member: "x", words: ["a", "bc"] }, 7);
    expect(toHex(call.slice(-15))).toBe("010000006100000002000000626300");
    expect(messageLength(call)).toBe(call.length);
    expect(decodeMessage(call)).toMatchObject({ type: 1, signature: "ss", replySerial: 0 });
  });
});

describe("decodeMessage()", () => {
  test("reads whose answer it is and what the error is called", () => {
    const message = decodeMessage(bytes(noOwner));
    const errorName = "org.freedesktop.DBus.Error.NameHasNoOwner";
    expect(message).toMatchObject({ type: 3, replySerial: 2, errorName, signature: "s" });
    expect(firstText(message)).toBe("Could not get owner of name 'org.nobody': no such name");
    expect(firstFlag(message)).toBeUndefined();
    expect(messageLength(bytes(noOwner))).toBe(bytes(noOwner).length);
  });

  test("reads a method's answer", () => {
    const message = decodeMessage(bytes(isOwned));
    expect(message).toMatchObject({ type: 2, replySerial: 3, errorName: "", signature: "b" });
    expect(firstFlag(message)).toBe(true);
    expect(firstText(message)).toBe("");
  });

  test.each([
    ["01000000", true],
    ["00000000", false],
  ])("a boolean %s is %s", (body, flag) => {
    expect(firstFlag({ type: 2, replySerial: 1, errorName: "", signature: "b", body: bytes(body) })).toBe(flag);
  });

  test("a list of strings is read with what pads it, and an empty one", () => {
    const list = (body: string) =>
      firstTexts({ type: 2, replySerial: 1, errorName: "", signature: "as", body: bytes(body) });
    expect(list("12000000 02000000 6162 00 00 05000000 63646566 67 00")).toEqual(["ab", "cdefg"]);
    expect(list("00000000")).toEqual([]);
    expect(firstTexts(decodeMessage(bytes(isOwned)))).toEqual([]);
  });

  test("what is no D-Bus message, or cut off, is an error", () => {
    expect(() => messageLength(new TextEncoder().encode("HTTP/1.1 400 Bad"))).toThrow(ProtocolError);
    expect(() => decodeMessage(bytes(helloBytes).slice(0, 40))).toThrow(ProtocolError);
    expect(messageLength(bytes("6c01"))).toBeUndefined();
  });
});
