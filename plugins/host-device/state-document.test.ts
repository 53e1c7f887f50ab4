import { describe, expect, test } from "vitest";
import { Attachment } from "../../pkg/skel/attachment.ts";
import type { FormerState } from "./former-state.ts";
import { decodeState, encodeState } from "./state-document.ts";

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
  addresses: [{ address: "192.0.2.5/24", peer: "", broadcast: "192.0.2.255", scope: 0 }],
  routes: [
    {
      dst: "0.0.0.0/0",
      gateway: "192.0.2.1",
      source: "",
      table: 254,
      priority: 50,
      scope: 0,
      protocol: 3,
      type: 1,
      mtu: 1400,
      advmss: 0,
      onLink: true,
    },
  ],
};

describe("a record", () => {
  test("tells what was written", () => {
    expect(decodeState(encodeState(state), "record")).toEqual(state);
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
    { what: "with an MTU of 0", text: encodeState(state).replace('"mtu": 1450', '"mtu": 0') },
  ];
  test.each(damaged)("is refused when $what", ({ text }) => {
    expect(() => decodeState(text, "record")).toThrow(/record/);
  });
});
