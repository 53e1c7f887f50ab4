/**
 * `npm run build [-- native|bun] [-- --force]`: compiles cmd/cni/main.ts to dist/<engine>/ferrule and hard-links it
 * under every plugin's and tool's name in dist/<engine>/bin. An engine whose sources are unchanged is not built
 * again. Without musl-gcc, and without the means to install it, the Bun executable takes the native one's place, and
 * that is said.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginNames, toolNames } from "../cmd/cni/names.ts";
import { compile, type Engine, engines } from "./compile.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const entry = join(root, "cmd/cni/main.ts");

function say(line: string): void {
  console.log(`build: ${line}`);
}

function main(words: readonly string[]): void {
  const force = words.includes("--force");
  const named = engines.filter((engine) => words.includes(engine));
  const unknown = words.filter((word) => word !== "--force" && !named.some((engine) => engine === word));
  if (unknown.length > 0) throw new Error(`unknown argument ${unknown.join(" ")}: native, bun or --force`);
  const chosen = named.length === 0 ? engines : named;
  const hash = hashOfInputs();
  const substitute = chosen.includes("native") && !provideMusl();
  for (const engine of engines) {
    if (engine === "native" && substitute) continue;
    if (chosen.includes(engine) || (engine === "bun" && substitute)) attempt(() => build(engine, hash, force));
  }
  if (substitute && process.exitCode !== 1) substituteBun();
}

/** One engine's failure does not keep the other from being built; the exit status tells it. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** Over everything that the executables are made of: sources, bindings, recipe, and the compilers' versions. */
function hashOfInputs(): string {
  const patterns = [
    "{cmd,plugins,ipam,pkg,spec,libcni}/**/*.ts",
    "pkg/linux/native/*",
    "scripts/{build,compile}.ts",
    "{package,package-lock,tsconfig}.json",
  ];
  const hash = createHash("sha256");
  for (const path of globSync(patterns, { cwd: root }).sort()) {
    if (!path.endsWith(".test.ts"))
      hash
        .update(path)
        .update("\0")
        .update(readFileSync(join(root, path)))
        .update("\0");
  }
  return hash.digest("hex");
}

function build(engine: Engine, hash: string, force: boolean): void {
  const directory = join(root, "dist", engine);
  const executable = join(directory, "ferrule");
  const stamp = join(directory, ".inputs");
  const names = [...pluginNames, ...toolNames];
  if (!force && existsSync(executable) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) {
    utimesSync(executable, new Date(), new Date()); // so that it counts as newer than its sources
    say(`${engine}: unchanged`);
    return;
  }
  const start = performance.now();
  rmSync(stamp, { force: true });
  if (engine === "native") removeSubstitute(directory);
  compile(engine, entry, executable);
  linkUnder(executable, join(directory, "bin"), names);
  writeFileSync(stamp, hash);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const kilobytes = Math.round(statSync(executable).size / 1000);
  say(
    `${engine}: dist/${engine}/ferrule, ${kilobytes} kB, under ${names.length} names in dist/${engine}/bin (${seconds} s)`,
  );
}

/** Leaves in `directory` nothing but the executable, under each of the names. */
function linkUnder(executable: string, directory: string, names: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  for (const name of names) linkSync(executable, join(directory, name));
}

/** Whether musl-gcc is there, installed now if need be. */
function provideMusl(): boolean {
  if (works("musl-gcc", ["--version"])) return true;
  if (process.getuid?.() !== 0 || !works("apt-get", ["--version"])) return false;
  say("musl-gcc is missing: installing musl-tools with apt-get");
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["-q", "-y", "install", "--no-install-recommends", "musl-tools", "gcc", "binutils"];
  return (
    works("apt-get", install, environment) ||
    (works("apt-get", ["-q", "update"], environment) && works("apt-get", install, environment))
  );
}

function works(command: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): boolean {
  try {
    execFileSync(command, words, { stdio: "ignore", env: { ...process.env, ...environment } });
    return true;
  } catch (_) {
    return false;
  }
}

/** Puts the Bun executable where the native one would be, so that whatever takes plugins from there works as well. */
function substituteBun(): void {
  const directory = join(root, "dist/native");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const executable = join(directory, "ferrule");
  linkSync(join(root, "dist/bun/ferrule"), executable);
  linkUnder(executable, join(directory, "bin"), [...pluginNames, ...toolNames]);
  say("native: NOT BUILT, for musl-gcc is missing and could not be installed (Debian: apt-get install musl-tools).");
  say("native: dist/native holds the Bun executable instead: it does the same, slower and with more memory.");
}

/** A native build that fails must not leave the Bun executable behind in its place, where it would pass for native. */
function removeSubstitute(directory: string): void {
  const [native, bun] = [join(directory, "ferrule"), join(root, "dist/bun/ferrule")];
  if (existsSync(native) && existsSync(bun) && statSync(native).ino === statSync(bun).ino) {
    rmSync(directory, { recursive: true });
  }
}

attempt(() => main(process.argv.slice(2)));
