/** Unit tests lie beside the source; what needs a kernel or the executables is in test/ and runs by `npm test` only. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["{spec,pkg,plugins,ipam,cmd,libcni,scripts}/**/*.test.ts"] } },
      { extends: true, test: { name: "end-to-end", include: ["test/**/*.test.ts"] } },
    ],
    pool: "forks",
    // Plugins run as processes of their own: more files at once than cores only make each other slow.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
