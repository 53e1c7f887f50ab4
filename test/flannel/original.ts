/** The original flannel plugin as Debian packaged it last (bullseye, suite 0.9.0; IPv4, up to version 0.4.0 of the specification). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, type Suite } from "../helpers/engines.ts";

/** flannel with bridge and host-local of its time, as scripts/get-reference unpacks them. */
export const original: Suite = { name: "original", directory: join(projectRoot, ".cache/flannel/usr/lib/cni") };

/** Why nothing can be compared with it, or `undefined` when it is there. */
export function originalMissing(): string | undefined {
  if (existsSync(join(original.directory, "flannel"))) return undefined;
  const how = "SUITE=bullseye scripts/get-reference .cache/flannel";
  return process.env["FERRULE_FLANNEL_MISSING"] ?? `the original flannel plugin is not unpacked: run ${how}`;
}
