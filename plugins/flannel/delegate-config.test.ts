import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../spec/errors.ts";
import { Keys } from "../../spec/keys.ts";
import { NetworkConfig } from "../../spec/network-config.ts";
import { Problems } from "../../spec/problems.ts";
import { config } from "./config.ts";
import { callConfig, delegateConfig } from "./delegate-config.ts";
import { parseRecord } from "./delegate-record.ts";
import { parseSubnetFile } from "./subnet-file.ts";

const FOUR = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
const SIX = "FLANNEL_IPV6_NETWORK=fd00:10:244::/56\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n";

function delegateOf(given: object, env = FOUR): unknown {
  const network = new NetworkConfig(JSON.stringify({ cniVersion: "1.0.0", name: "cbr0", type: "flannel", ...given }));
  const read = config(new Keys(network.object, "", new Problems(false)));
  return JSON.parse(delegateConfig(network, read, parseSubnetFile(env, "/f", ErrorCode.TryAgain)));
}

const plain = {
  cniVersion: "1.0.0",
  name: "cbr0",
  type: "bridge",
  ipMasq: false,
  mtu: 1450,
  isGateway: true,
  ipam: {
    type: "host-local",
    ranges: [[{ subnet: "10.244.1.0/24" }]],
    routes: [{ dst: "10.244.0.0/16" }],
  },
};

describe("the delegate gets", () => {
  test("a bridge with the node's subnet when nothing is said", () => {
    expect(delegateOf({})).toEqual(plain);
    expect(delegateOf({ delegate: null, ipam: null })).toEqual(plain);
  });

  test("both families, IPv4 first", () => {
    expect(delegateOf({}, FOUR + SIX)).toEqual({
      ...plain,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.244.1.0/24" }], [{ subnet: "fd00:10:244:1::/64" }]],
        routes: [{ dst: "10.244.0.0/16" }, { dst: "fd00:10:244::/56" }],
      },
    });
  });

  test("two networks as two routes, behind those given", () => {
    const ipam = {
      dataDir: "/d",
      ranges: [[{ subnet: "9.0.0.0/8" }]],
      routes: [{ dst: "1.2.3.0/24", gw: "10.244.1.9" }],
    };
    expect(delegateOf({ ipam }, FOUR.replace("/16", "/16,10.245.0.0/16"))).toMatchObject({
      ipam: {
        type: "host-local",
        dataDir: "/d",
        ranges: [[{ subnet: "10.244.1.0/24" }]],
        routes: [{ dst: "1.2.3.0/24", gw: "10.244.1.9" }, { dst: "10.244.0.0/16" }, { dst: "10.245.0.0/16" }],
      },
    });
  });

  test("masquerading when flanneld does none", () => {
    expect(delegateOf({}, FOUR.replace("true", "false"))).toMatchObject({ ipMasq: true });
  });

  test("its own values where it has some, and any other key as it is", () => {
    const delegate = { mtu: 1400, ipMasq: true, isGateway: false, hairpinMode: true, x: { y: [1, null] } };
    expect(delegateOf({ delegate })).toEqual({ ...plain, ...delegate });
  });

  test("no isGateway when it is no bridge", () => {
    expect(delegateOf({ delegate: { type: "ipvlan", master: "eth0" } })).not.toHaveProperty("isGateway");
  });

  test("the runtime's runtimeConfig, and this network's version and name", () => {
    const delegate = { cniVersion: "0.1.0", runtimeConfig: { mac: "x" } };
    expect(delegateOf({ delegate, runtimeConfig: { mac: "02:00:00:00:00:01" } })).toEqual({
      ...plain,
      runtimeConfig: { mac: "02:00:00:00:00:01" },
    });
  });

  test("dns and args of the network, unless it has its own", () => {
    const args = { cni: { ips: ["10.244.1.7"] } };
    expect(delegateOf({ dns: { domain: "a" }, args })).toMatchObject({ dns: { domain: "a" }, args });
    expect(delegateOf({ dns: { domain: "a" }, delegate: { dns: { domain: "b" } } })).toMatchObject({
      dns: { domain: "b" },
    });
  });
});

test.each([
  [{ delegate: { name: "x" } }, /'delegate' dictionary must not have 'name' field/],
  [{ delegate: { Ipam: {} } }, /'delegate' dictionary must not have 'ipam' field/],
  [{ delegate: { type: 5 } }, /delegate.type: expected a string/],
  [{ delegate: { type: "" } }, /must have \(string\) 'type' field/],
  [{ delegate: { type: "flannel" } }, /cannot delegate to itself/],
  [{ delegate: [] }, /delegate: expected an object/],
  [{ ipam: "host-local" }, /ipam: expected an object/],
  [{ ipam: { routes: {} } }, /ipam.routes: expected a list/],
])("%j is refused", (given, words) => {
  expect(() => delegateOf(given)).toThrow(words);
});

test("a call has the ADD's configuration with what the runtime passes now", () => {
  const now = new NetworkConfig(
    JSON.stringify({ cniVersion: "1.1.0", name: "cbr0", prevResult: { ips: [] }, "cni.dev/valid-attachments": null }),
  );
  expect(JSON.parse(callConfig(JSON.stringify(plain), now))).toEqual({
    ...plain,
    cniVersion: "1.1.0",
    prevResult: { ips: [] },
    "cni.dev/valid-attachments": null,
  });
});

/** Written by the original, 0.9.0. */
const ORIGINAL = `{"cniVersion":"0.4.0","ipMasq":false,"ipam":{"routes":[{"dst":"10.244.0.0/16"}],"subnet":"10.244.1.0/24","type":"host-local"},"isGateway":true,"mtu":1450,"name":"n","type":"bridge"}`;

test("the original's record is read; its owner is the file's name and the network", () => {
  const remembered = parseRecord(ORIGINAL, "/d/id");
  expect(remembered).toMatchObject({ type: "bridge", network: "n", containerId: "id", ifName: "" });
  expect(JSON.parse(remembered?.text ?? "")).toEqual(JSON.parse(ORIGINAL));
});

test.each(["", "{", "null", "[]", "{}", '{"type":"bridge"}', '{"type":1,"name":"n"}', "\0\0"])(
  "%j is no record",
  (text) => {
    expect(parseRecord(text, "/d/id")).toBeUndefined();
  },
);
