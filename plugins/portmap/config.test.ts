import { describe, expect, test } from "vitest";
import type { CniError } from "../../spec/errors.ts";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { config, type PortmapConfig } from "./config.ts";

function read(json: object, tolerant = false): PortmapConfig {
  return config(Keys.of(json, "", new Problems(tolerant)));
}
const mapped = (mapping: object): object => ({ runtimeConfig: { portMappings: [mapping] } });
const good = { hostPort: 8080, containerPort: 80, protocol: "tcp" };

describe("config()", () => {
  test("an empty configuration maps nothing and leaves the backend open", () => {
    const { backend, mappings, snat, masqAll, markBit } = read({});
    expect({ backend, mappings, snat, masqAll, markBit }).toEqual({
      backend: undefined,
      mappings: [],
      snat: true,
      masqAll: false,
      markBit: 13,
    });
  });

  test("protocols come in any case", () => {
    expect(read(mapped({ ...good, protocol: "UDP" })).mappings.at(0)?.protocol).toBe("udp");
  });

  test("an empty hostIP is none", () => {
    expect(read(mapped({ ...good, hostIP: "" })).mappings.at(0)?.hostIp).toBeUndefined();
  });

  const bad: readonly (readonly [json: object, message: RegExp])[] = [
    [mapped({ ...good, hostPort: 0 }), /portMappings\[0\]\.hostPort: 0 is out of range/],
    [mapped({ ...good, hostPort: 65536 }), /hostPort: 65536 is out of range/],
    [mapped({ ...good, containerPort: -1 }), /containerPort: -1 is out of range/],
    [mapped({ hostPort: 80, protocol: "tcp" }), /containerPort: missing/],
    [mapped({ ...good, protocol: "icmp" }), /protocol: "icmp" is none of tcp, udp, sctp/],
    [mapped({ ...good, hostIP: "localhost" }), /hostIP: expected an IP address/],
    [{ markMasqBit: 32 }, /markMasqBit: 32 is out of range/],
    [{ markMasqBit: 1, externalSetMarkChain: "X" }, /Cannot specify externalSetMarkChain and markMasqBit/],
    [{ backend: "ebtables" }, /backend: "ebtables" is not one of/],
    [
      { backend: "nftables", externalSetMarkChain: "X" },
      /nftables backend was requested but configuration contains iptables-specific options \[externalSetMarkChain\]/,
    ],
    [
      { backend: "iptables", conditionsV4: ["iifname", "eth0"] },
      /iptables backend was requested but configuration contains nftables-specific options \[conditionsV4\]/,
    ],
    [
      { conditionsV4: ["-s", "10.0.0.0/8"], conditionsV6: ["iifname", "eth0"] },
      /both iptables-specific options \[conditionsV4\]/,
    ],
  ];

  test.each(bad)("%j is refused", (json, message) => {
    let caught: unknown;
    try {
      read(json);
    } catch (error) {
      caught = error;
    }
    expect((caught as CniError).code).toBe(7);
    expect((caught as CniError).message).toMatch(message);
  });

  test("options decide the backend where nobody says it", () => {
    expect(read({ markMasqBit: 13 }).backend).toBe("iptables");
    expect(read({ externalSetMarkChain: "X" }).backend).toBe("iptables");
    expect(read({ conditionsV6: ["!", "-s", "fd00::1"] }).backend).toBe("iptables");
    expect(read({ conditionsV4: ["iifname", "eth0"] }).backend).toBe("nftables");
  });

  test("DEL passes over mappings that cannot be used", () => {
    const json = { runtimeConfig: { portMappings: [{ ...good, protocol: "icmp" }, good] } };
    expect(read(json, true).mappings).toHaveLength(1);
  });
});
