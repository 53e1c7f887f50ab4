import { describe, expect, test } from "vitest";
import { AddressCopy } from "../../pkg/netlink/address-copy.ts";
import { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import { Attachment } from "../../pkg/skel/attachment.ts";
import type { FormerState } from "./former-state.ts";
import { decodeState, encodeState } from "./state-document.ts";

/** 10.1.2.1/24, and a route to 10.9.0.0/16, as Linux 6.18 tells of them. */
const address = AddressCopy.of(
  Buffer.from(
    "0218800002000000080001000a010201080002000a010201080004000a0102ff0800030062723000" +
      "080008008000000014000600ffffffffffffffff0c4b05000c4b0500",
    "hex",
  ),
);
const route = RouteCopy.of(
  Buffer.from(
    "02100000fc0300011000000008000f00e8030000080001000a0900000c0008000800020014050000080005000a0102090800040002000000",
    "hex",
  ),
);

const state: FormerState = {
  attachment: new Attachment("net", "container", "eth0"),
  namespacePath: "/run/netns/a",
  namespace: "4:4026532807",
  name: "ens5",
  index: 3,
  kind: "",
  mac: "02:00:00:00:00:05",
  permanentMac: "52:54:00:00:00:01",
  hardware: "/sys/devices/pci0000:00/0000:00:03.0/virtio2",
  pciAddress: "0000:00:03.0",
  mtu: 1450,
  up: true,
  promiscuous: true,
  allMulticast: false,
  txQueueLength: 77,
  group: 4,
  master: "br7",
  alias: 'rack "3"\n',
  alternativeNames: ["enp0s5"],
  restoresAddresses: true,
  addresses: [address].filter((each) => each !== undefined),
  routes: [route].filter((each) => each !== undefined),
};

describe("a record", () => {
  test("tells what was written", () => {
    const read = decodeState(encodeState(state), "record");
    const { addresses, routes, ...others } = read;
    expect(others).toEqual({ ...state, addresses: undefined, routes: undefined });
    expect(addresses.map((each) => each.address.prefix.toString())).toEqual(["10.1.2.1/24"]);
    expect(routes.map((each) => each.toString())).toEqual(["10.9.0.0/16 via 10.1.2.9"]);
    expect(encodeState(read)).toBe(encodeState(state));
  });

  test("is readable for people, and names its format first", () => {
    expect(encodeState(state).split("\n").slice(0, 3)).toEqual([
      "{",
      '  "format": "ferrule host-device 1",',
      '  "network": "net",',
    ]);
  });

  const damaged = [
    { what: "empty", text: "" },
    { what: "cut", text: encodeState(state).slice(0, 200) },
    { what: "a list", text: "[]" },
    { what: "of another format", text: encodeState(state).replace("device 1", "device 2") },
    { what: "without a name", text: encodeState(state).replace('"ens5"', "5") },
    { what: "without a container", text: encodeState(state).replace('"container"', "null") },
    { what: "with half an address", text: encodeState(state).replace('"message": "0218', '"message": "18') },
    { what: "with a route that is no message", text: encodeState(state).replace('"message": "0210', '"message": "xy') },
    { what: "with an MTU of 0", text: encodeState(state).replace('"mtu": 1450', '"mtu": 0') },
  ];
  test.each(damaged)("is refused when $what", ({ text }) => {
    expect(() => decodeState(text, "record")).toThrow(/record/);
  });
});
