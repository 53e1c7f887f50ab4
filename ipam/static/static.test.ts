import { describe, expect, it } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { addressesToGive } from "./addresses.ts";
import { config } from "./config.ts";

function given(document: unknown, cniArgs = ""): string[] {
  const addresses = addressesToGive(config(Keys.of(document, "", new Problems(false))), cniArgs);
  return addresses.map(({ address, gateway }) => `${address.toString()} ${gateway?.toString() ?? "-"}`);
}

const ipam = {
  addresses: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }, { address: "fd00::5/64" }],
};
const args = { cni: { ips: ["10.3.0.5/24"] } };
const runtimeConfig = { ips: ["10.4.0.5/24", "fd04::5/64"] };

describe("addressesToGive", () => {
  it("gives what is configured, host bits kept", () => {
    expect(given({ ipam })).toEqual(["10.1.0.5/24 10.1.0.1", "fd00::5/64 -"]);
  });

  it("gives nothing when nothing is configured", () => {
    expect(given({ ipam: {} })).toEqual([]);
  });

  it("adds those of CNI_ARGS, each with the gateway of its subnet", () => {
    expect(given({ ipam }, "IP=10.2.0.5/24, 10.5.0.5/24;GATEWAY=10.5.0.1,10.2.0.1")).toEqual([
      "10.1.0.5/24 10.1.0.1",
      "fd00::5/64 -",
      "10.2.0.5/24 10.2.0.1",
      "10.5.0.5/24 10.5.0.1",
    ]);
  });

  it("gives CNI_ARGS' GATEWAY to a configured address that has none, which the reference forgets", () => {
    expect(given({ ipam }, "GATEWAY=fd00::1,10.1.0.9")).toEqual(["10.1.0.5/24 10.1.0.1", "fd00::5/64 fd00::1"]);
  });

  it("lets args replace all, and the runtime replace args", () => {
    expect(given({ ipam, args }, "IP=10.2.0.5/24")).toEqual(["10.3.0.5/24 -"]);
    expect(given({ ipam, args, runtimeConfig }, "IP=10.2.0.5/24")).toEqual(["10.4.0.5/24 -", "fd04::5/64 -"]);
  });

  it.each([
    [{ args }, "", "IPAM config missing 'ipam' key"],
    [{ runtimeConfig }, "", "IPAM config missing 'ipam' key"],
    [
      { ipam: { addresses: [{ address: "10.1.0.5" }] } },
      "",
      "ipam.addresses[0].address: expected an address in CIDR notation",
    ],
    [{ ipam: { addresses: [{}] } }, "", "ipam.addresses[0].address: missing"],
    [{ ipam, args: { cni: { ips: ["10.1.0.5"] } } }, "", "args.cni.ips[0]: expected an address in CIDR notation"],
    [{ ipam, runtimeConfig: { ips: ["10.1.0.5"] } }, "", "runtimeConfig.ips[0]: expected an address in CIDR notation"],
    [{ ipam }, "IP=10.2.0.5", "the 'ip' field is expected to be in CIDR notation, got: '10.2.0.5'"],
    [{ ipam }, "GATEWAY=zz", "invalid gateway address: zz"],
  ])("refuses %j with CNI_ARGS %s", (document, cniArgs, message) => {
    expect(() => given(document, cniArgs)).toThrow(message);
  });
});
