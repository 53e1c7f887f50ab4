/**
 * How one TypeScript program becomes an executable, for each engine. Used by scripts/build.ts for the suite and by
 * tests for programs of their own. What the engines need beyond node_modules: gcc and musl-gcc (Debian: musl-tools)
 * for the native one.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const engines = ["native", "bun"] as const;
export type Engine = (typeof engines)[number];

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const nativeDirectory = join(root, "pkg/linux/native");

/** Compiles the program at `entry` to `output`; throws with the compiler's words. Takes seconds. */
export function compile(engine: Engine, entry: string, output: string): void {
  mkdirSync(dirname(output), { recursive: true });
  const fresh = `${output}.new`;
  const work = `${output}.work`;
  mkdirSync(work, { recursive: true });
  try {
    if (engine === "native") compileNative(entry, fresh, work);
    else compileBun(entry, fresh);
    renameSync(fresh, output); // an executable that is running is never written to
  } finally {
    rmSync(fresh, { force: true });
    rmSync(work, { recursive: true, force: true });
  }
}

/** Without builtins: allocator.c defines malloc, which the compiler must not reason about. */
const cOptions = ["-O2", "-Wall", "-Wextra", "-Werror", "-fno-builtin"];

function compileNative(entry: string, output: string, work: string): void {
  const bindings = join(work, "ffi.json");
  let text = readFileSync(join(nativeDirectory, "ffi.json"), "utf8");
  for (const name of ["shim", "allocator"]) {
    const object = join(work, `${name}.o`);
    run("musl-gcc", ["-c", ...cOptions, join(nativeDirectory, `${name}.c`), "-o", object]);
    text = text.replace(`"${name}.o"`, JSON.stringify(object));
  }
  writeFileSync(bindings, text);
  run("scriptc", ["build", entry, "--ffi", bindings, "--no-keep-c", "-o", output], {
    SCRIPTC_TARGET: "x86_64-linux-musl",
    SCRIPTC_LINKER: join(nativeDirectory, "musl-link"),
  });
  run("strip", [output]);
  checkNative(output);
}

/**
 * What a native executable must be: linked statically, and free of calls that scriptc could not compile. It puts a
 * throw in their place, which no test may ever reach; the throw's text is in the executable, and so is found here.
 */
function checkNative(path: string): void {
  const bytes = readFileSync(path);
  if (bytes.includes("no exact lowering")) {
    const at = bytes.indexOf("no exact lowering");
    const words = bytes
      .subarray(Math.max(0, at - 200), at + 200)
      .toString("latin1")
      .split("\0");
    throw new Error(
      `${path}: a function fills a slot of other parameter or result types, and calling it natively would throw: ` +
        `${words.find((each) => each.includes("no exact lowering")) ?? ""}`,
    );
  }
  if (interpreter(bytes)) throw new Error(`${path} is linked dynamically: it would need the node's libc`);
}

/** Whether an ELF file names a dynamic linker (a program header of type PT_INTERP). */
function interpreter(elf: Buffer): boolean {
  const headers = Number(elf.readBigUInt64LE(0x20));
  const size = elf.readUInt16LE(0x36);
  const count = elf.readUInt16LE(0x38);
  const PT_INTERP = 3;
  for (let i = 0; i < count; i++) if (elf.readUInt32LE(headers + i * size) === PT_INTERP) return true;
  return false;
}

function compileBun(entry: string, output: string): void {
  run("bun", [
    "build",
    "--compile",
    "--bytecode",
    "--format=cjs",
    "--minify",
    "--compile-jit-policy=100", // a plugin has ended before compiling its code would pay
    "--no-compile-autoload-dotenv", // the runtime's working directory is no place to take settings from
    "--no-compile-autoload-bunfig",
    entry,
    "--outfile",
    output,
  ]);
}

function run(command: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
  const PATH = `${root}/node_modules/.bin:${process.env["PATH"] ?? ""}`;
  try {
    execFileSync(command, words, {
      cwd: root,
      env: { ...process.env, PATH, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const output = error as { stdout?: Buffer; stderr?: Buffer; message: string };
    const said = `${output.stdout?.toString() ?? ""}${output.stderr?.toString() ?? ""}`.trim();
    throw new Error(`${command} failed:\n${said === "" ? output.message : said}`);
  }
}
