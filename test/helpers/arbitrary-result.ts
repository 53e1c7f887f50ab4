/** Results of any content, for property tests of conversion and schemas. */
import fc from "fast-check";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "../../spec/result.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
export const anyAddress: fc.Arbitrary<Address> = fc.oneof(bytes(4), bytes(16)).map((each) => new Address(each));
export const anyPrefix: fc.Arbitrary<Prefix> = anyAddress.chain((address) =>
  fc.nat(address.bits).map((length) => new Prefix(address, length)),
);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const text = fc.oneof(fc.constant(""), fc.string({ unit: "grapheme-ascii", maxLength: 12 }));
const u32 = fc.nat(4294967295);

const anyInterface: fc.Arbitrary<Interface> = fc.record({
  name: text,
  mac: fc.oneof(fc.constant(""), fc.constant("c2:11:22:33:44:55")),
  mtu: fc.nat(65535),
  sandbox: text,
  socketPath: text,
  pciID: text,
});

const anyIp: fc.Arbitrary<IpConfig> = fc.record({
  address: anyPrefix,
  gateway: maybe(anyAddress),
  interface: maybe(fc.nat(3)),
});

const anyRoute: fc.Arbitrary<Route> = fc.record({
  dst: anyPrefix,
  gw: maybe(anyAddress),
  mtu: fc.nat(65535),
  advmss: fc.nat(65535),
  priority: u32,
  table: maybe(u32),
  scope: maybe(fc.nat(255)),
});

const anyDns: fc.Arbitrary<Dns> = fc.record({
  nameservers: fc.array(text, { maxLength: 2 }),
  domain: text,
  search: fc.array(text, { maxLength: 2 }),
  options: fc.array(text, { maxLength: 2 }),
});

export const anyResult: fc.Arbitrary<Result> = fc.record({
  interfaces: fc.array(anyInterface, { maxLength: 3 }),
  ips: fc.array(anyIp, { maxLength: 4 }),
  routes: fc.array(anyRoute, { maxLength: 4 }),
  dns: anyDns,
});
