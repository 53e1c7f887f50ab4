import { describe, expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { config, type MacvlanConfig, modeName, modeNumber } from "./config.ts";

const read = (value: unknown): MacvlanConfig => config(Keys.of(value, "", new Problems(false)));

describe("config()", () => {
  test("an empty configuration is a layer-2 network on the interface of the default route", () => {
    expect(read({})).toMatchObject({ master: "", mode: "bridge", mtu: 0, ipamType: "", ipv6: "assigned" });
    expect(read({})).toMatchObject({ linkInContainer: false, broadcastQueueLength: 0 });
  });

  test("keys are found whatever their case", () => {
    const given = { MASTER: "eth1", Mode: "vepa", bcQueueLen: 5, RuntimeConfig: { MAC: "C2:11:22:33:44:55" } };
    expect(read(given)).toMatchObject({
      master: "eth1",
      mode: "vepa",
      broadcastQueueLength: 5,
      mac: { runtime: "c2:11:22:33:44:55" },
    });
  });

  test.each([
    [{ mode: "source" }, 'mode: "source" is not one of bridge, private, vepa, passthru'],
    [{ mtu: 70000 }, "mtu: 70000 is out of range"],
    [{ bcqueuelen: 4294967296 }, "bcqueuelen: 4294967296 is out of range"],
    [{ linkInContainer: "yes" }, "linkInContainer: expected true or false, found a string"],
    [{ mac: "02:00" }, "mac: expected a hardware address"],
    [{ ipv6: "off" }, 'ipv6: "off" is not one of assigned, automatic'],
  ])("%j is refused: %s", (given, reason) => {
    expect(() => read(given)).toThrow(reason);
  });
});

test("each mode has the kernel's number, and its name back", () => {
  for (const mode of ["bridge", "private", "vepa", "passthru"] as const) expect(modeName(modeNumber(mode))).toBe(mode);
  expect(modeName(16)).toBe("source");
  expect(modeName(undefined)).toBe("unknown");
});
