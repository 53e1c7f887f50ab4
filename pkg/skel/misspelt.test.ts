import { expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { misspeltKeys } from "./misspelt.ts";

function linesOf(config: unknown): string[] {
  const keys = Keys.of(config, "", new Problems(false));
  keys.flag("isGateway", false, "");
  keys.texts("plugin", "");
  keys.integer("mtu", 0, "");
  return misspeltKeys("bridge", keys);
}

test("a key that is close to a known one is worth a line", () => {
  expect(linesOf({ isGatway: true, mtu: 1, Mtus: 2 })).toEqual([
    'bridge: unknown key "isGatway" is ignored: did you mean "isGateway"?',
    'bridge: unknown key "Mtus" is ignored: did you mean "mtu"?',
  ]);
});

test("known keys in another case, and keys like no other, pass", () => {
  expect(linesOf({ ISGATEWAY: true, kubernetes: {}, mac: "" })).toEqual([]);
});

test("keys of every network configuration pass, however close", () => {
  expect(linesOf({ plugins: [], IPAM: {}, "cni.dev/valid-attachments": [] })).toEqual([]);
});
