import { describe, expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { config } from "./config.ts";
import { wantedVlans } from "./vlan.ts";

/** As `bridge vlan show` words it. */
const show = (value: unknown): string[] =>
  wantedVlans(config(Keys.of(value, "", new Problems(false)))).map(
    ({ id, pvid, untagged }) => `${id}${pvid ? " PVID" : ""}${untagged ? " Egress Untagged" : ""}`,
  );

describe("wantedVlans()", () => {
  test.each([
    [{}, []],
    [{ vlanTrunk: [] }, []],
    [{ vlan: 100 }, ["100 PVID Egress Untagged"]],
    [{ vlanTrunk: [{ id: 101 }] }, ["1 PVID Egress Untagged", "101"]],
    [{ vlan: 100, vlanTrunk: [{ id: 101 }] }, ["100 PVID Egress Untagged", "101"]],
    [{ vlan: 100, vlanTrunk: [{ minID: 99, maxID: 101 }] }, ["100 PVID Egress Untagged", "99", "101"]],
    [{ vlanTrunk: [{ minID: 1, maxID: 2 }] }, ["1 PVID Egress Untagged", "2"]],
  ])("%j puts the port into %j", (given, vlans) => {
    expect(show(given)).toEqual(vlans);
  });
});
