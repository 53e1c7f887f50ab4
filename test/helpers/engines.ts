/** The suites under test: both builds of this one, and the reference suite where tests compare with it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

export const projectRoot: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** A directory of plugins, as CNI_PATH names one. */
export interface Suite {
  readonly name: string;
  readonly directory: string;
}

/** Where the builds are; FERRULE_DIST is for testing a release as it was packed. */
const dist = process.env["FERRULE_DIST"] ?? join(projectRoot, "dist");

const builds: readonly Suite[] = [
  { name: "native", directory: join(dist, "native/bin") },
  { name: "bun", directory: join(dist, "bun/bin") },
];

/** The reference suite as scripts/get-reference unpacks it. */
export const reference: Suite = { name: "reference", directory: join(projectRoot, ".cache/reference/usr/lib/cni") };

/** Why nothing can be compared with the reference suite, or `undefined` when it is there. */
export function referenceMissing(): string | undefined {
  if (existsSync(join(reference.directory, "bridge"))) return undefined;
  return process.env["FERRULE_REFERENCE_MISSING"] ?? "the reference suite is not unpacked: run scripts/get-reference";
}

/**
 * Every end-to-end test runs for each of these. FERRULE_ENGINES (names joined by commas) restricts them; "reference" is
 * understood too, for trying the tests themselves.
 */
export const engines: readonly Suite[] = selectEngines(process.env["FERRULE_ENGINES"] ?? "native,bun");

function selectEngines(names: string): Suite[] {
  const chosen: Suite[] = [];
  for (const name of names.split(",")) {
    const suite = [...builds, reference].find((each) => each.name === name.trim());
    if (suite === undefined) throw new Error(`FERRULE_ENGINES: "${name}" is none of native, bun, reference`);
    chosen.push(suite);
  }
  return chosen;
}

/** A test file for one engine alone, so that vitest can run engines side by side: declares its tests, or says why not. */
export function describeEngine(name: "native" | "bun", declare: (engine: Suite) => void): void {
  // Trying the tests themselves on the reference suite takes the place of the first engine.
  const chosen =
    engines.find((each) => each.name === name) ??
    (name === "native" ? engines.find((each) => each === reference) : undefined);
  if (chosen === undefined) {
    describe.skip(`${name}: not among FERRULE_ENGINES`, () => declare({ name, directory: "" }));
    return;
  }
  describe(chosen.name, () => declare(chosen));
}
