/**
 * One process from start to end, with its wall and CPU time. It is started by posix_spawn straight from libc, since the engines'
 * own functions take a good part of a millisecond, which is as long as a plugin runs. Runs under Bun.
 */
import { dlopen, type Pointer, ptr } from "bun:ffi";
import { closeSync, readFileSync } from "node:fs";
import { memfd } from "../../pkg/linux/system.bun.ts";

const { symbols: c } = dlopen("libc.so.6", {
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  wait4: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
  write: { args: ["i32", "ptr", "usize"], returns: "i64" },
  lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
});

export interface Timing {
  readonly wallMs: number;
  /** User and system time of the process and of those that it waited for. */
  readonly cpuMs: number;
}

export interface ProcessOutcome extends Timing {
  /** 0..255, or 128 and the signal's number. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function zeroTerminated(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** A NULL-terminated array of pointers to the strings. */
function pointers(strings: readonly Uint8Array[]): BigUint64Array {
  return BigUint64Array.from([...strings.map((each) => BigInt(ptr(each))), 0n]);
}

function memoryFile(content: Uint8Array): number {
  const descriptor = memfd(zeroTerminated("bench"));
  if (descriptor < 0) throw new Error("memfd_create failed");
  if (content.length > 0) c.write(descriptor, ptr(content), content.length);
  c.lseek(descriptor, 0, 0);
  return descriptor;
}

/** struct timeval as milliseconds. */
function milliseconds(view: DataView, offset: number): number {
  return Number(view.getBigInt64(offset, true)) * 1000 + Number(view.getBigInt64(offset + 8, true)) / 1000;
}

/** Runs `argv` with just this environment. The time is from before its start until it has been waited for. */
export function runTimed(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdin: string,
): ProcessOutcome {
  const words = argv.map(zeroTerminated);
  const variables = Object.entries(environment).map(([name, value]) => zeroTerminated(`${name}=${value}`));
  const argvPointers = pointers(words);
  const environmentPointers = pointers(variables);
  const descriptors = [
    memoryFile(new TextEncoder().encode(stdin)),
    memoryFile(new Uint8Array(0)),
    memoryFile(new Uint8Array(0)),
  ];
  const actions = new Uint8Array(256); // posix_spawn_file_actions_t is 80 bytes
  c.posix_spawn_file_actions_init(ptr(actions));
  for (const [number, descriptor] of descriptors.entries()) {
    c.posix_spawn_file_actions_adddup2(ptr(actions), descriptor, number);
  }
  const pid = new Int32Array(1);
  const status = new Int32Array(1);
  const usage = new Uint8Array(144); // struct rusage: user time, system time, …
  const [file] = words;
  if (file === undefined) throw new Error("nothing to run");
  const addresses: Pointer[] = [pid, file, actions, argvPointers, environmentPointers, status, usage].map((each) =>
    ptr(each),
  );
  const [pidAt, fileAt, actionsAt, argvAt, environmentAt, statusAt, usageAt] = addresses;
  try {
    const start = Bun.nanoseconds();
    const error = c.posix_spawn(
      pidAt ?? null,
      fileAt ?? null,
      actionsAt ?? null,
      null,
      argvAt ?? null,
      environmentAt ?? null,
    );
    if (error !== 0) throw new Error(`cannot start ${argv.join(" ")}: error ${error}`);
    c.wait4(pid[0] ?? 0, statusAt ?? null, 0, usageAt ?? null);
    const wallMs = (Bun.nanoseconds() - start) / 1e6;
    const view = new DataView(usage.buffer);
    const raw = status[0] ?? 0;
    return {
      wallMs,
      cpuMs: milliseconds(view, 0) + milliseconds(view, 16),
      status: (raw & 0x7f) === 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f),
      stdout: readMemory(descriptors[1]),
      stderr: readMemory(descriptors[2]),
    };
  } finally {
    c.posix_spawn_file_actions_destroy(ptr(actions));
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function readMemory(descriptor: number | undefined): string {
  return readFileSync(`/proc/self/fd/${descriptor}`, "utf8");
}
