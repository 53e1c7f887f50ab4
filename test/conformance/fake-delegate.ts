/** IPAM plugins of the tests' own: shell scripts, which no plugin can run in its own process. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestNode } from "../helpers/node.ts";

/** The directory of an IPAM plugin "fake" that is this shell script, in place of the one before. */
export async function fakeDelegate(node: TestNode, script: string): Promise<string> {
  const directory = join(node.directory, "plugins");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "fake"), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, "fake"), 0o755);
  return directory;
}
