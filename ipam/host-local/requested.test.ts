import { describe, expect, it } from "vitest";
import type { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { RangeSet } from "./range.ts";
import { assignRequests, type Requests, requestedByVariable, requestedFormat } from "./requested.ts";

const sets = ["10.1.0.0/24", "10.2.0.0/24", "fd00::/64"].map((subnet) => {
  const spec = { subnet: Prefix.parse(subnet), rangeStart: undefined, rangeEnd: undefined, gateway: undefined };
  const { value } = RangeSet.of([spec]);
  if (value === undefined) throw new Error(subnet);
  return value;
});

function addresses(texts: readonly string[]): Address[] {
  return texts.map((text) => {
    const address = requestedFormat.parse(text);
    if (address === undefined) throw new Error(text);
    return address;
  });
}

function requests(variable: string[], args: string[] = [], runtime: string[] = []): Requests {
  return { variable: addresses(variable), args: addresses(args), runtime: addresses(runtime) };
}

function assigned(asked: Requests): (string | undefined)[] {
  return assignRequests(asked, sets).map((address) => address?.toString());
}

describe("assignRequests", () => {
  it("gives each set what was asked of it, from all three places", () => {
    expect(assigned(requests([]))).toEqual([undefined, undefined, undefined]);
    expect(assigned(requests(["10.2.0.9"], ["fd00::9/64"], ["10.1.0.9/16"]))).toEqual([
      "10.1.0.9",
      "10.2.0.9",
      "fd00::9",
    ]);
  });

  it("lets args override CNI_ARGS, and the runtime both, where they ask of one set", () => {
    expect(assigned(requests(["10.1.0.5"], ["10.1.0.6"]))).toEqual(["10.1.0.6", undefined, undefined]);
    expect(assigned(requests(["10.1.0.5"], ["10.1.0.6"], ["10.1.0.7"]))[0]).toBe("10.1.0.7");
  });

  it("takes the same address from two places once", () => {
    expect(assigned(requests(["10.1.0.5"], ["10.1.0.5"], ["10.1.0.5", "10.1.0.5"]))[0]).toBe("10.1.0.5");
  });

  it("refuses a gateway", () => {
    expect(() => assigned(requests([], ["10.1.0.1"]))).toThrow("requested ip 10.1.0.1 is subnet's gateway");
  });

  it("refuses what no set can give, and two of one set, naming each", () => {
    expect(() => assigned(requests(["172.16.0.1"], ["10.1.0.5"], ["10.2.0.5", "10.2.0.6"]))).toThrow(
      "failed to allocate all requested IPs: 10.2.0.6 172.16.0.1",
    );
  });
});

describe("requestedByVariable", () => {
  it.each([
    ["", []],
    ["IP=10.1.0.5", ["10.1.0.5"]],
    ["IP=10.1.0.5/24", ["10.1.0.5"]],
    ["IgnoreUnknown=1;K8S_POD_NAME=x;IP=fd00::5/64", ["fd00::5"]],
    ["IP=", []],
  ])("reads %s", (text, expected) => {
    expect(requestedByVariable(text).map((address) => address.toString())).toEqual(expected);
  });

  it("refuses what is no address, and unknown keys", () => {
    expect(() => requestedByVariable("IP=zz")).toThrow('ARGS: error parsing value of pair "IP=zz"');
    expect(() => requestedByVariable("FOO=1")).toThrow("ARGS: unknown args");
  });
});
