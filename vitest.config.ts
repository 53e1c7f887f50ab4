/** Unit tests lie beside the source; what needs a kernel or the executables is in test/ and runs by `npm test` only. */
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What needs neither root nor a build: `npm run test:unit`. */
const unprivileged = ["{spec,pkg,plugins,ipam,cmd,libcni,scripts}/**/*.test.ts", "test/*.test.ts"];

/** The files that take minutes, longest first; all others take less. */
const longest = [
  "faults-native",
  "vm/kernel",
  "matrix-kernel",
  "matrix-native",
  "faults-bun",
  "matrix-bun",
  "portmap/packets",
];

/** Starts the long files first, so that none is left to run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.includes(name));
      return at === -1 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: [...unprivileged] } },
      { extends: true, test: { name: "end-to-end", include: ["test/**/*.test.ts"], exclude: [...unprivileged] } },
    ],
    pool: "forks",
    sequence: { sequencer: LongestFirst },
    // Tests wait for programs, and programs for the kernel: of two cores, two workers leave a third idle.
    maxWorkers: 3,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
