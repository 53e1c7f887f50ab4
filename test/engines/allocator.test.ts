/** The native engine's memory (pkg/linux/native/allocator.c), by itself. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = ["/usr/bin/musl-gcc", "/usr/local/bin/musl-gcc"].find((path) => existsSync(path));

test.skipIf(compiler === undefined)("the allocator keeps what it is given, in every size", { timeout: 60_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "allocator-"));
  try {
    const program = join(directory, "program");
    const sources = ["test/engines/allocator.program.c", "pkg/linux/native/allocator.c"];
    execFileSync(compiler ?? "", ["-static", "-O2", "-fno-builtin", ...sources, "-o", program], { cwd: root });
    expect(execFileSync(program, { encoding: "utf8" })).toBe("ok\n");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
