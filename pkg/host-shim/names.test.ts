import { expect, test } from "vitest";
import { Attachment, keyOfTag } from "../skel/attachment.ts";
import { isShimTag, routeMetric, shimMac, shimName, shimTag } from "./names.ts";

test("a shim's name fits an interface, and differs by network and by parent", () => {
  expect(shimName("net", 2)).toMatch(/^shim[0-9a-f]{8}$/);
  expect(shimName("net", 2)).toBe(shimName("net", 2));
  expect(new Set([shimName("a", 2), shimName("b", 2), shimName("a", 3)]).size).toBe(3);
});

test("its hardware address is one host's, locally administered, and differs from node to node", () => {
  const mac = shimMac("net", "52:54:00:00:00:01");
  expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  expect(shimMac("net", "52:54:00:00:00:02")).not.toBe(mac);
});

test("its tag is the network's and no attachment's", () => {
  const tag = shimTag("net", "eth0");
  expect(isShimTag(tag, "net")).toBe(true);
  expect(isShimTag(tag, "other")).toBe(false);
  expect(keyOfTag(tag)).toBeUndefined();
  expect(shimTag("n".repeat(200), "eth0").length).toBe(120);
  expect(isShimTag(shimTag("n".repeat(200), "eth0"), "n".repeat(200))).toBe(true);
});

test("an attachment's metric is a number that the kernel takes, and differs by container", () => {
  const metric = (container: string): number => routeMetric(new Attachment("net", container, "eth0").key);
  for (let each = 0; each < 100; each++) {
    expect(metric(`c${each}`)).toBeGreaterThan(0);
    expect(metric(`c${each}`)).toBeLessThan(2 ** 32);
  }
  expect(metric("one")).not.toBe(metric("two"));
});
