import { describe, expect, test } from "vitest";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { type BandwidthConfig, config } from "./config.ts";

const read = (value: unknown): BandwidthConfig => config(Keys.of(value, "", new Problems(false)));
const runtime = { ingressRate: 1000, ingressBurst: 2000, egressRate: 3000, egressBurst: 4000 };

test("nothing said is no limit", () => {
  expect(read({})).toMatchObject({ ingress: undefined, egress: undefined, latencyMs: 25 });
  expect(read({ ingressRate: 0, ingressBurst: 0 })).toMatchObject({ ingress: undefined, egress: undefined });
});

test("a rate needs no burst", () => {
  expect(read({ egressRate: 1e6 }).egress).toEqual({ rate: 1e6, burst: undefined, unlimitedBurst: undefined });
});

describe("the configuration's own keys and the runtime's", () => {
  test("the runtime's count where there are none", () => {
    const { ingress, egress } = read({ runtimeConfig: { bandwidth: runtime } });
    expect([ingress, egress]).toMatchObject([
      { rate: 1000, burst: 2000 },
      { rate: 3000, burst: 4000 },
    ]);
  });

  test.each([{ ingressRate: 8000 }, { ingressRate: 0 }, { egressBurst: 0 }])("%j alone leaves none of them", (own) => {
    const { ingress, egress } = read({ ...own, runtimeConfig: { bandwidth: runtime } });
    expect(egress).toBeUndefined();
    expect(ingress?.rate).toBe("ingressRate" in own && own.ingressRate !== 0 ? 8000 : undefined);
  });

  test("subnets of the configuration stand beside rates of the runtime, and come before its subnets", () => {
    const bandwidth = { ...runtime, shapedSubnets: ["10.0.0.0/8"] };
    const both = read({ unshapedSubnets: ["192.0.2.0/24"], runtimeConfig: { bandwidth } });
    expect(both.ingress?.rate).toBe(1000);
    expect(both.scope.unshaped.map((each) => each.toString())).toEqual(["192.0.2.0/24"]);
    expect(both.scope.shaped).toEqual([]);
    expect(read({ runtimeConfig: { bandwidth } }).scope.shaped).toHaveLength(1);
  });
});

// plugins#609, kubernetes#90838: with these the reference lets hundreds of megabytes pass.
describe.each([2_147_483_647, 4_294_967_295, 34_359_738_352, 34_359_738_360])("a burst of %d bits", (burst) => {
  test("from the runtime says that there is none", () => {
    const { ingress } = read({ runtimeConfig: { bandwidth: { ingressRate: 1e7, ingressBurst: burst } } });
    expect(ingress).toEqual({ rate: 1e7, burst: undefined, unlimitedBurst: burst });
  });

  test("from the configuration is meant", () => {
    expect(read({ ingressRate: 1e7, ingressBurst: burst }).ingress).toMatchObject({ burst });
  });
});

test("exactly 4 GiB is accepted (cri-o#4348)", () => {
  expect(read({ ingressRate: 1e7, ingressBurst: 34_359_738_368 }).ingress).toMatchObject({ burst: 34_359_738_368 });
});

test.each([
  [{ ingressBurst: 8000 }, "ingressBurst: if burst is set, rate must also be set"],
  [{ egressRate: 0, egressBurst: 8000 }, "egressBurst: if burst is set, rate must also be set"],
  [{ ingressRate: 1e7, ingressBurst: 34_359_738_369 }, "ingressBurst: burst cannot be more than 4GB"],
  [{ ingressRate: 7 }, "ingressRate: 7 is less than a byte a second"],
  [{ ingressRate: -1 }, "ingressRate: -1 is out of range"],
  [{ egressRate: 2 ** 64 }, "egressRate: 18446744073709552000 is out of range"],
  [{ egressRate: 1.5 }, "egressRate: expected an integer, found"],
  [{ egressRate: "10M" }, "egressRate: expected an integer, found a string"],
  [{ latency: 0 }, "latency: 0 is out of range"],
  [
    { shapedSubnets: ["10.0.0.0"] },
    'shapedSubnets[0]: expected an address in CIDR notation (10.1.2.3/24), found "10.0',
  ],
  [
    { shapedSubnets: ["10.0.0.0/8"], unshapedSubnets: ["::/0"] },
    "unshapedSubnets and shapedSubnets cannot be both specified",
  ],
  [{ runtimeConfig: { bandwidth: { egressBurst: 1 } } }, "runtimeConfig.bandwidth.egressBurst: if burst is set"],
])("%j is refused: %s", (given, reason) => {
  expect(() => read(given)).toThrow(reason);
});
