import { describe, expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { config, type IpvlanConfig, modeName, modeNumber } from "./config.ts";

const read = (value: unknown): IpvlanConfig => config(Keys.of(value, "", new Problems(false)));

describe("config()", () => {
  test("an empty configuration is mode l2, with what the plugin before has made", () => {
    expect(read({})).toMatchObject({ master: "", mode: "l2", mtu: 0, ipamType: "", ipv6: "assigned" });
  });

  test("an empty mode is the default, as in the reference", () => {
    expect(read({ mode: "" }).mode).toBe("l2");
  });

  test.each([
    [{ mode: "bogus" }, 'mode: "bogus" is not one of l2, l3, l3s'],
    [{ mtu: -1 }, "mtu: -1 is out of range"],
    [{ master: 5 }, "master: expected a string, found a number"],
  ])("%j is refused: %s", (given, reason) => {
    expect(() => read(given)).toThrow(reason);
  });
});

test("each mode has the kernel's number, and its name back", () => {
  for (const mode of ["l2", "l3", "l3s"] as const) expect(modeName(modeNumber(mode))).toBe(mode);
  expect(modeName(undefined)).toBe("unknown");
});
