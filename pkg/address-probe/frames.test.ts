import { describe, expect, test } from "vitest";
import { toHex } from "../codec/hex.ts";
import { viewOf } from "../codec/view.ts";
import { Address } from "../ip/address.ts";
import { parseMac } from "../ip/mac.ts";
import { announcementFrame, claimIn, groupsOf, probeFrame } from "./frames.ts";

const own = "02:00:00:00:00:01";
const ownBytes = parseMac(own) ?? new Uint8Array(6);

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

/** Bytes of hexadecimal digits, whitespace between them ignored. */
function bytes(hex: string): Uint8Array {
  return new Uint8Array((hex.replaceAll(/\s/g, "").match(/../g) ?? []).map((each) => Number.parseInt(each, 16)));
}

function claimed(hex: string): string {
  const claim = claimIn(bytes(hex), own);
  return claim === undefined ? "nothing" : `${claim.address.toString()} by ${claim.mac}`;
}

/** Added up with its checksum and the pseudo-header, a right message gives all ones (RFC 1071). */
function checksumHolds(packet: Uint8Array): boolean {
  const view = viewOf(packet);
  let sum = 58 + packet.length - 40;
  for (let at = 8; at < packet.length; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum === 0xffff;
}

describe("probeFrame()", () => {
  test("asks for an IPv4 address by an ARP request whose sender address is zero (RFC 5227)", () => {
    const arp = "0806 0001 0800 06 04 0001 020000000001 00000000 000000000000 c0000207";
    expect(probeFrame(ownBytes, address("192.0.2.7"))).toEqual(bytes(`ffffffffffff 020000000001 ${arp}`));
  });

  test("asks for an IPv6 address by a solicitation from the unspecified address (RFC 4862), with a right checksum", () => {
    const frame = probeFrame(ownBytes, address("2001:db8::1:2345"));
    expect(toHex(frame.subarray(0, 14))).toBe("3333ff01234502000000000186dd");
    const packet = frame.subarray(14);
    expect(toHex(packet.subarray(0, 8))).toBe("6000000000183aff");
    expect(toHex(packet.subarray(8, 24))).toBe("0".repeat(32));
    expect(toHex(packet.subarray(24, 40))).toBe("ff0200000000000000000001ff012345");
    expect(toHex(packet.subarray(40, 42))).toBe("8700");
    expect(toHex(packet.subarray(48))).toBe("20010db8000000000000000000012345");
    expect(checksumHolds(packet)).toBe(true);
  });
});

describe("announcementFrame()", () => {
  test("is, for IPv4, an ARP request for the address from the address (RFC 5227 section 2.3)", () => {
    const arp = "0806 0001 0800 06 04 0001 020000000001 c0000207 000000000000 c0000207";
    expect(announcementFrame(ownBytes, address("192.0.2.7"))).toEqual(bytes(`ffffffffffff 020000000001 ${arp}`));
  });

  test("is, for IPv6, an advertisement to all nodes that overrides (RFC 4861 section 7.2.6)", () => {
    const frame = announcementFrame(ownBytes, address("2001:db8::1:2345"));
    const packet = toHex(frame.subarray(14));
    expect(toHex(frame.subarray(0, 14))).toBe("33330000000102000000000186dd");
    expect(packet.slice(0, 80)).toBe(
      "6000000000203aff20010db8000000000000000000012345ff020000000000000000000000000001",
    );
    expect(packet.slice(88)).toBe("2000000020010db80000000000000000000123450201020000000001");
    expect(checksumHolds(frame.subarray(14))).toBe(true);
  });

  test("is a claim in others' ears", () => {
    for (const text of ["192.0.2.7", "2001:db8::1:2345"]) {
      const claim = claimIn(announcementFrame(ownBytes, address(text)), "02:00:00:00:00:09");
      expect(claim?.address.toString()).toBe(text);
      expect(claim?.mac).toBe(own);
    }
  });
});

test("answers to an IPv6 probe come to all nodes, other probes to the group of the address", () => {
  expect(groupsOf(address("2001:db8::1:2345")).map((each) => toHex(each))).toEqual(["333300000001", "3333ff012345"]);
  expect(groupsOf(address("192.0.2.7"))).toEqual([]);
});

describe("claimIn()", () => {
  const arp = "ffffffffffff 02000000000b 0806 0001 0800 06 04";
  const mine = "020000000001";
  const other = "02000000000b";
  const nobody = "000000000000";

  test("an ARP reply claims its sender's address", () => {
    expect(claimed(`${arp} 0002 ${other} c0000207 ${mine} 00000000`)).toBe("192.0.2.7 by 02:00:00:00:00:0b");
  });

  test("so does a request, and a gratuitous one", () => {
    expect(claimed(`${arp} 0001 ${other} c0000207 ${nobody} c0000209`)).toBe("192.0.2.7 by 02:00:00:00:00:0b");
    expect(claimed(`${arp} 0001 ${other} c0000207 ${nobody} c0000207`)).toBe("192.0.2.7 by 02:00:00:00:00:0b");
  });

  test("a sender's address counts even with our hardware address: ipvlan interfaces share one", () => {
    expect(claimed(`${arp} 0002 ${mine} c0000207 ${mine} 00000000`)).toBe("192.0.2.7 by 02:00:00:00:00:01");
  });

  test("another host's probe claims what it asks for; our own, sent back, nothing", () => {
    expect(claimed(`${arp} 0001 ${other} 00000000 ${nobody} c0000207`)).toBe("192.0.2.7 by 02:00:00:00:00:0b");
    expect(claimed(`${arp} 0001 ${mine} 00000000 ${nobody} c0000207`)).toBe("nothing");
  });

  test("a reply without sender address, another operation and other hardware claim nothing", () => {
    expect(claimed(`${arp} 0002 ${other} 00000000 ${mine} c0000207`)).toBe("nothing");
    expect(claimed(`${arp} 0003 ${other} c0000207 ${mine} c0000207`)).toBe("nothing");
    expect(claimed(`ffffffffffff ${other} 0806 0006 0800 06 04 0002 ${other} c0000207 ${mine} 00000000`)).toBe(
      "nothing",
    );
  });

  const header = `3333ff012345 ${other} 86dd 60000000 0018 3a ff`;
  const unspecified = "0".repeat(32);
  const target = "20010db8000000000000000000012345";
  const group = "ff0200000000000000000001ff012345";
  const allNodes = "ff020000000000000000000000000001";

  test("an advertisement claims its target", () => {
    expect(claimed(`${header} ${target} ${allNodes} 8800 0000 20000000 ${target}`)).toBe(
      "2001:db8::1:2345 by 02:00:00:00:00:0b",
    );
  });

  test("another host's probe claims its target; our own, sent back, nothing", () => {
    expect(claimed(`${header} ${unspecified} ${group} 8700 0000 00000000 ${target}`)).toBe(
      "2001:db8::1:2345 by 02:00:00:00:00:0b",
    );
    const sentBack = `3333ff012345 ${mine} 86dd 60000000 0018 3a ff ${unspecified} ${group} 8700 0000 00000000 ${target}`;
    expect(claimed(sentBack)).toBe("nothing");
  });

  test("a solicitation with a source claims that source, not what it asks for", () => {
    const source = "20010db8000000000000000000000009";
    expect(claimed(`${header} ${source} ${group} 8700 0000 00000000 ${target}`)).toBe(
      "2001:db8::9 by 02:00:00:00:00:0b",
    );
  });

  test("what has passed a router, and other messages, claim nothing", () => {
    const routed = `3333ff012345 ${other} 86dd 60000000 0018 3a fe`;
    expect(claimed(`${routed} ${target} ${allNodes} 8800 0000 20000000 ${target}`)).toBe("nothing");
    expect(claimed(`${header} ${target} ${allNodes} 8600 0000 20000000 ${target}`)).toBe("nothing");
    expect(claimed(`${other} ${mine} 0800 4500`)).toBe("nothing");
  });

  test("a frame cut anywhere claims nothing and does not fail", () => {
    const whole = [
      bytes(`${arp} 0002 ${other} c0000207 ${mine} 00000000`),
      bytes(`${header} ${target} ${allNodes} 8800 0000 20000000 ${target}`),
    ];
    for (const frame of whole) {
      for (let length = 0; length < frame.length; length++) {
        expect(claimIn(frame.subarray(0, length), own), `cut at ${length}`).toBeUndefined();
      }
    }
  });
});
