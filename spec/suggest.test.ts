import { expect, test } from "vitest";
import { editDistance, suggest } from "./suggest.ts";

const known = ["isGateway", "isDefaultGateway", "mtu", "vlan", "vlanTrunk", "ipMasq", "promiscMode"];

test.each([
  ["isGatway", "isGateway"],
  ["isgatewya", "isGateway"],
  ["mtus", "mtu"],
  ["vlans", "vlan"],
  ["vlanTrunks", "vlanTrunk"],
  ["promiscmodes", "promiscMode"],
])("%s means %s", (name, meant) => {
  expect(suggest(name, known)).toBe(meant);
});

test.each(["mac", "", "backend", "gatewayIs", "mut"])("%j means none of them", (name) => {
  expect(suggest(name, known)).toBeUndefined();
});

test("the nearest wins, and the first of equals", () => {
  expect(suggest("hostPortt", ["hostPorts", "hostPort"])).toBe("hostPorts");
  expect(suggest("rangeStar", ["rangeStart", "rangeStop"])).toBe("rangeStart");
});

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["abc", "", 3],
  ["kitten", "sitting", 3],
  ["vlan", "vlan", 0],
])("%j and %j are %i slips apart", (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
});
