import { describe, expect, it } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { config, type HostLocalConfig } from "./config.ts";

function read(document: unknown): HostLocalConfig {
  return config(Keys.of(document, "", new Problems(false)));
}

function tolerant(document: unknown): Problems {
  const problems = new Problems(true);
  config(Keys.of(document, "", problems));
  return problems;
}

function texts(document: unknown): string[] {
  return read(document).sets.map((set) => set.toString());
}

const ranges = [[{ subnet: "10.2.0.0/24" }], [{ subnet: "fd00::/64", rangeStart: "fd00::10", rangeEnd: "fd00::20" }]];

describe("config", () => {
  it("reads the old style, one range beside type", () => {
    const ipam = { subnet: "10.1.0.0/16", rangeStart: "10.1.2.3", rangeEnd: "10.1.2.9", gateway: "10.1.0.9" };
    expect(texts({ ipam })).toEqual(["10.1.2.3-10.1.2.9"]);
    expect(read({ ipam }).sets.at(0)?.ranges.at(0)?.gateway.toString()).toBe("10.1.0.9");
  });

  it("reads the new style", () => {
    expect(texts({ ipam: { ranges } })).toEqual(["10.2.0.1-10.2.0.254", "fd00::10-fd00::20"]);
  });

  it("puts the runtime's sets first, then the old range, then ranges", () => {
    const document = {
      ipam: { subnet: "10.1.0.0/24", ranges },
      runtimeConfig: { ipRanges: [[{ subnet: "10.9.0.0/24" }, { subnet: "10.8.0.0/24" }]] },
    };
    expect(texts(document)).toEqual([
      "10.9.0.1-10.9.0.254,10.8.0.1-10.8.0.254",
      "10.1.0.1-10.1.0.254",
      "10.2.0.1-10.2.0.254",
      "fd00::10-fd00::20",
    ]);
  });

  it("lets the runtime's sets stand alone", () => {
    expect(texts({ ipam: {}, runtimeConfig: { ipRanges: ranges } })).toHaveLength(2);
  });

  it("keeps routes whole, and defaults the directory", () => {
    const routes = [
      { dst: "0.0.0.0/0" },
      { dst: "10.5.0.1/16", gw: "10.2.0.9", mtu: 1400, advmss: 1360, priority: 5, table: 100, scope: 253 },
    ];
    const finished = read({ ipam: { ranges, routes, resolvConf: "/etc/resolv.conf" } });
    expect(finished.routes.map((route) => [route.dst.toString(), route.gw?.toString(), route.table])).toEqual([
      ["0.0.0.0/0", undefined, undefined],
      ["10.5.0.1/16", "10.2.0.9", 100],
    ]);
    expect(finished.dataDir).toBe("/var/lib/cni/networks");
    expect(finished.resolvConf).toBe("/etc/resolv.conf");
  });

  it("reads requested addresses with and without a prefix length", () => {
    const finished = read({
      ipam: { ranges },
      args: { cni: { ips: ["10.2.0.5", "fd00::11/64"] } },
      runtimeConfig: { ips: ["10.2.0.6/24"] },
    });
    expect(finished.argsIps.map((address) => address.toString())).toEqual(["10.2.0.5", "fd00::11"]);
    expect(finished.runtimeIps.map((address) => address.toString())).toEqual(["10.2.0.6"]);
  });

  it.each([
    [{}, "IPAM config missing 'ipam' key"],
    [{ ipam: {} }, "no IP ranges specified"],
    [{ ipam: { ranges: [] } }, "no IP ranges specified"],
    [{ ipam: { ranges: [[]] } }, "invalid range set 0: empty range set"],
    [{ ipam: { ranges: [null] } }, "invalid range set 0: empty range set"],
    [{ ipam: { ranges: [[{ subnet: "10.1.0.0/24" }, { subnet: "fd00::/64" }]] } }, "set 0: mixed address families"],
    [{ ipam: { subnet: "10.1.0.0/16", ranges: [[{ subnet: "10.1.5.0/24" }]] } }, "range set 0 overlaps with 1"],
    [{ ipam: { ranges: [...ranges, [{ subnet: "10.1.0.3/24" }]] } }, "invalid range set 2: Network has host bits set"],
    [{ ipam: { ranges: [[{}]] } }, "invalid range set 0: a range needs a subnet"],
    [
      { ipam: { ranges: [[{ subnet: "10.1.0.0" }]] } },
      "ipam.ranges[0][0].subnet: expected an address in CIDR notation",
    ],
    [{ ipam: { ranges, routes: [{}] } }, "ipam.routes[0].dst: missing"],
    [{ ipam: { ranges }, args: { cni: { ips: ["zz"] } } }, "args.cni.ips[0]: expected an IP address"],
  ])("refuses %j", (document, message) => {
    expect(() => read(document)).toThrow(message);
  });

  it("lets DEL and GC work where ranges became invalid or empty, which stops the reference", () => {
    for (const document of [
      {},
      { ipam: { ranges: [] } },
      { ipam: { subnet: "10.1.0.3/24" } },
      { ipam: { ranges: "x" } },
    ]) {
      expect(tolerant(document).found).not.toHaveLength(0);
    }
    const problems = new Problems(true);
    const kept = config(
      Keys.of({ ipam: { dataDir: "/data", ranges: [[], [{ subnet: "10.1.0.0/24" }]] } }, "", problems),
    );
    expect(kept.dataDir).toBe("/data");
    expect(kept.sets).toHaveLength(1);
  });
});
