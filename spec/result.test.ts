import { expect, test } from "vitest";
import { Address } from "../pkg/ip/address.ts";
import { Prefix } from "../pkg/ip/prefix.ts";
import { describeInterface, type IpConfig, interfaceOf, ipsOf, noDns, type Result } from "./result.ts";

const interfaces = [describeInterface("cni0", "", 0), describeInterface("eth0", "", 0, "/run/netns/a")];
const ipOf = (index: number | undefined): IpConfig => ({
  address: new Prefix(new Address(new Uint8Array([10, 1, 0, 2])), 24),
  gateway: undefined,
  interface: index,
});

test.each([
  [0, "cni0"],
  [1, "eth0"],
  [2, undefined],
  [-1, undefined],
  [undefined, undefined],
])("an address with the interface %s is on %s", (index, name) => {
  const ip = ipOf(index);
  const result: Result = { interfaces, ips: [ip], routes: [], dns: noDns };
  expect(interfaceOf(result, ip)?.name).toBe(name);
  expect(ipsOf(result, "eth0")).toEqual(name === "cni0" ? [] : [ip]);
});
