import { describe, expect, test } from "vitest";
import { requestedMac } from "../../pkg/link/requested-mac.ts";
import { Environment } from "../../spec/environment.ts";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { type BridgeConfig, config } from "./config.ts";

const read = (value: unknown): BridgeConfig => config(Keys.of(value, "", new Problems(false)));

describe("config()", () => {
  test("an empty configuration is a layer-2 network on cni0", () => {
    expect(read({})).toMatchObject({ bridge: "cni0", ipamType: "", vlan: 0, usesVlans: false, mtu: 0, mac: undefined });
  });

  test("isDefaultGateway implies isGateway", () => {
    expect(read({ isDefaultGateway: true }).isGateway).toBe(true);
  });

  test("keys are found whatever their case", () => {
    expect(read({ ISGATEWAY: true, Bridge: "br7", RuntimeConfig: { MAC: "C2:11:22:33:44:55" } })).toMatchObject({
      isGateway: true,
      bridge: "br7",
      mac: "c2:11:22:33:44:55",
    });
  });

  test("an empty vlanTrunk still makes it a network with VLANs", () => {
    expect(read({ vlanTrunk: [] })).toMatchObject({ trunk: [], usesVlans: true });
  });

  test.each([
    [{ vlan: 4095 }, "vlan: 4095 is out of range: must be between 0 and 4094"],
    [{ vlan: -100 }, "vlan: -100 is out of range"],
    [{ hairpinMode: true, promiscMode: true }, "cannot set hairpin mode and promiscuous mode at the same time"],
    [
      { disableContainerInterface: true, ipam: { type: "x" } },
      "cannot use IPAM when DisableContainerInterface flag is set",
    ],
    [{ mtu: "1400" }, "mtu: expected an integer, found a string"],
    [{ portIsolation: "true" }, "portIsolation: expected true or false, found a string"],
    [{ ipMasqBackend: "ipvs" }, 'ipMasqBackend: "ipvs" is not one of nftables, iptables'],
    [{ runtimeConfig: { mac: "zz" } }, "runtimeConfig.mac: expected a hardware address"],
  ])("%j is refused: %s", (value, reason) => {
    expect(() => read(value)).toThrow(reason);
  });
});

describe("the container's hardware address", () => {
  const environment = (args: string): Environment => new Environment([["CNI_ARGS", args]]);

  const macOf = (value: unknown, environment: Environment): string | undefined =>
    requestedMac({ own: undefined, runtime: read(value).mac }, environment);

  test("runtimeConfig beats args.cni, which beats CNI_ARGS", () => {
    const args = { cni: { mac: "02:00:00:00:00:02" } };
    const runtimeConfig = { mac: "02:00:00:00:00:03" };
    const cniArgs = environment("MAC=02:00:00:00:00:01");
    expect(macOf({ args, runtimeConfig }, cniArgs)).toBe("02:00:00:00:00:03");
    expect(macOf({ args }, cniArgs)).toBe("02:00:00:00:00:02");
    expect(macOf({}, cniArgs)).toBe("02:00:00:00:00:01");
    expect(macOf({}, environment(""))).toBeUndefined();
  });

  test("unknown keys of CNI_ARGS are refused unless IgnoreUnknown says otherwise", () => {
    expect(() => macOf({}, environment("FOO=1"))).toThrow("unknown args");
    expect(macOf({}, environment("FOO=1;IgnoreUnknown=1"))).toBeUndefined();
  });
});
