import { expect, test } from "vitest";
import { Environment } from "../../spec/environment.ts";
import { type MacKeys, requestedMac } from "./requested-mac.ts";

const own = "02:00:00:00:00:01";
const args = "02:00:00:00:00:02";
const runtime = "02:00:00:00:00:03";

function environment(text: string): Environment {
  return new Environment([["CNI_ARGS", text]]);
}

const rows: readonly (readonly [what: string, keys: MacKeys, args: string, expected: string | undefined])[] = [
  ["nobody asks: the kernel chooses", { own: undefined, runtime: undefined }, "", undefined],
  ["the configuration", { own, runtime: undefined }, "", own],
  ["CNI_ARGS before the configuration", { own, runtime: undefined }, `MAC=${args}`, args],
  ["the runtime before both", { own, runtime }, `MAC=${args}`, runtime],
  ["in any spelling", { own: undefined, runtime: undefined }, "MAC=02-00-00-00-00-0A", "02:00:00:00:00:0a"],
  ["an empty one in CNI_ARGS is none", { own, runtime: undefined }, "MAC=", own],
];

test.each(rows)("%s", (_, keys, text, expected) => {
  expect(requestedMac(keys, environment(text))).toBe(expected);
});

test("one in CNI_ARGS that is none is refused, also where another counts", () => {
  expect(() => requestedMac({ own, runtime: undefined }, environment("MAC=zz"))).toThrow(/CNI_ARGS: MAC: expected/);
  expect(() => requestedMac({ own, runtime }, environment("other=1"))).toThrow(/unknown args/);
});
