/**
 * `npm run demo [-- --engine bun] [-- --no-build]`: what the plugins do, shown on a node that exists for it alone: network and
 * mount namespaces of its own, which are gone when it ends. The story itself is in scripts/demo/play.ts.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { provideTools } from "./debian-tools.ts";
import { runEnclosed } from "./enclosure.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

function say(line: string): void {
  console.log(`demo: ${line}`);
}

function main(): number {
  const { values } = parseArgs({
    options: { engine: { type: "string", default: "native" }, "no-build": { type: "boolean", default: false } },
  });
  const engine = values.engine;
  if (engine !== "native" && engine !== "bun") throw new Error(`--engine ${engine}: it is native or bun`);
  provideTools(["unshare", "ip", "nft", "ping", "curl"], say);
  if (!values["no-build"]) {
    const { status } = spawnSync("npm", ["run", "--silent", "build", "--", engine], { cwd: root, stdio: "inherit" });
    if (status !== 0) throw new Error(`the ${engine} build failed`);
  }
  return runEnclosed([process.execPath, join(root, "scripts/demo/play.ts"), engine]);
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
