import { describe, expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { readTrunk } from "./trunk.ts";

const read = (vlanTrunk: unknown): number[] | undefined => readTrunk(Keys.of({ vlanTrunk }, "", new Problems(false)));

describe("readTrunk()", () => {
  test.each([
    [undefined, undefined],
    [[], []],
    [[{ id: 101 }], [101]],
    [
      [{ id: 101 }, { minID: 200, maxID: 203 }],
      [101, 200, 201, 202, 203],
    ],
    [
      [{ minID: 5, maxID: 7 }, { id: 6 }, { id: 1 }],
      [1, 5, 6, 7],
    ],
    [[{ id: 9, minID: 2, maxID: 3 }], [2, 3, 9]],
    [[{ minID: 4094, maxID: 4094 }], [4094]],
  ])("%j is the VLANs %j", (given, vlans) => {
    expect(read(given)).toEqual(vlans);
  });

  test.each([
    [[{ minID: 100 }], "maxID is missing"],
    [[{ maxID: 100 }], "minID is missing"],
    [[{ minID: 101, maxID: 100 }], "minID is greater than maxID"],
    [[{ id: 0 }], "vlanTrunk[0].id: 0 is out of range"],
    [[{ id: 4095 }], "vlanTrunk[0].id: 4095 is out of range"],
    [[{ id: 5 }, { minID: 0, maxID: 4 }], "vlanTrunk[1].minID: 0 is out of range"],
    [[{ minID: 1, maxID: 4096 }], "vlanTrunk[0].maxID: 4096 is out of range"],
    [[{ minID: -1, maxID: 4 }], "vlanTrunk[0].minID: -1 is out of range"],
    [[{ id: "7" }], "vlanTrunk[0].id: expected an integer, found a string"],
    [{ id: 7 }, "vlanTrunk: expected a list"],
  ])("%j is refused: %s", (given, reason) => {
    expect(() => read(given)).toThrow(reason);
  });
});
