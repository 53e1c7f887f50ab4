import { describe, expect, test } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { noDns, plainRoute, type Result, type Route } from "../../spec/result.ts";
import { config } from "./config.ts";
import { withGateways } from "./gateway.ts";

const prefix = (text: string): Prefix => Prefix.parse(text) ?? Prefix.host(new Address(new Uint8Array(4)));

function leased(addresses: readonly string[], routes: readonly Route[] = []): Result {
  const ips = addresses.map((text) => ({ address: prefix(text), gateway: undefined, interface: undefined }));
  return { interfaces: [], ips, routes: [...routes], dns: noDns };
}

/** Gateways and routes as texts. */
function settle(keys: object, result: Result): { gateways: string[]; routes: string[] } {
  const settled = withGateways(result, config(Keys.of(keys, "", new Problems(false))), 2);
  return {
    gateways: settled.ips.map((ip) => ip.gateway?.toString() ?? "none"),
    routes: settled.routes.map(
      (route) => `${route.dst.toString()} via ${route.gw?.toString() ?? "its family's gateway"}`,
    ),
  };
}

describe("withGateways()", () => {
  test("without isGateway an address without gateway has none", () => {
    expect(settle({}, leased(["10.1.0.5/24"]))).toEqual({ gateways: ["none"], routes: [] });
  });

  test("isGateway makes the subnet's first address the gateway", () => {
    expect(settle({ isGateway: true }, leased(["10.1.0.5/24", "fd00::5/64"])).gateways).toEqual([
      "10.1.0.1",
      "fd00::1",
    ]);
  });

  test("isDefaultGateway adds one default route a family", () => {
    const result = leased(["10.1.0.5/24", "10.2.0.5/24", "fd00::5/64"]);
    expect(settle({ isDefaultGateway: true }, result).routes).toEqual(["0.0.0.0/0 via 10.1.0.1", "::/0 via fd00::1"]);
  });

  test("a default route of IPAM's counts, with a gateway or without", () => {
    const routes = [plainRoute(prefix("0.0.0.0/0"), undefined)];
    expect(settle({ isDefaultGateway: true }, leased(["10.1.0.5/24"], routes)).routes).toEqual([
      "0.0.0.0/0 via its family's gateway",
    ]);
  });

  test("one in another table does not", () => {
    const routes = [{ ...plainRoute(prefix("0.0.0.0/0"), undefined), table: 100 }];
    expect(settle({ isDefaultGateway: true }, leased(["10.1.0.5/24"], routes)).routes).toHaveLength(2);
  });
});
