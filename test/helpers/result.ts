/** Asserts that a result has the shape of its version and that it says the truth about the sandbox. */
import { expect } from "vitest";
import { findVersion } from "../../spec/versions.ts";
import type { Namespace } from "./namespace.ts";
import type { Json } from "./plugin.ts";

/** One address of a result, whatever its shape. */
export interface ResultAddress {
  readonly address: string;
  readonly gateway: string | undefined;
}

/** The addresses of a result of any shape. */
export function addressesOf(result: Json): ResultAddress[] {
  const one = (each: Json, key: string): ResultAddress => ({ address: each[key], gateway: each.gateway });
  if (result.ips !== undefined) return result.ips.map((each: Json) => one(each, "address"));
  return [result.ip4, result.ip6].filter((each) => each !== undefined).map((each) => one(each, "ip"));
}

/** Asserts the shape: which members each version of the specification has. */
export function expectResultShape(result: Json, version: string): void {
  const shape = findVersion(version)?.shape;
  expect(result.cniVersion).toBe(version);
  if (shape === "020") {
    expect(result, "0.1.0 and 0.2.0 know ip4, ip6 and dns alone").not.toHaveProperty("ips");
    expect(result).not.toHaveProperty("interfaces");
    expect(result.ip4 ?? result.ip6, "a result of 0.1.0 or 0.2.0 has an address").toBeDefined();
    return;
  }
  expect(result).not.toHaveProperty("ip4");
  for (const ip of result.ips ?? []) {
    if (shape === "040") expect(ip.version, "0.3.0 to 0.4.0 tell the family").toMatch(/^[46]$/);
    else expect(ip, "since 1.0.0 the family is not told").not.toHaveProperty("version");
    if (ip.interface !== undefined)
      expect(result.interfaces[ip.interface], "an address's interface is in the list").toBeDefined();
  }
}

/** Asserts that the sandbox has what the result says: the interface, its MAC, its addresses. */
export async function expectResultIsTrue(result: Json, sandbox: Namespace, ifName: string): Promise<void> {
  const [link] = await sandbox.ip("-d", "address", "show", "dev", ifName);
  if (link === undefined) throw new Error(`the sandbox has no ${ifName}`);
  const has = link["addr_info"].map((each: Json) => `${each.local}/${each.prefixlen}`);
  for (const { address } of addressesOf(result)) expect(has).toContain(address);
  const described = (result.interfaces ?? []).find((each: Json) => each.sandbox !== undefined && each.sandbox !== "");
  if (result.interfaces === undefined) return;
  expect(described, "the result has the sandbox's interface").toBeDefined();
  expect(described.name).toBe(ifName);
  expect(described.mac).toBe(link["address"]);
  expect(described.sandbox).toBe(sandbox.path);
  expect(link["flags"]).toContain("UP");
}
