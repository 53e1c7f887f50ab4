/** System calls as Bun reaches them: bun:ffi over libc. The native engine's twin is system.native.ts; both export the same functions. */
import { dlopen, type Pointer, ptr, read } from "bun:ffi";

const { symbols: c } = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: "ptr" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "usize", "i32", "ptr", "u32"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  kill: { args: ["i32", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  fstatfs: { args: ["i32", "ptr"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  write: { args: ["i32", "ptr", "usize"], returns: "isize" },
  close: { args: ["i32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "usize"], returns: "isize" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  setitimer: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i16"], returns: "i32" },
  posix_spawnattr_setpgroup: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
  dlsym: { args: ["ptr", "ptr"], returns: "ptr" },
});

const EINTR = 4;
const EAGAIN = 11;
const SIGALRM = 14;
const SIGTERM = 15;
const O_CLOEXEC = 0x80000;

export function errno(): number {
  return read.i32(c.__errno_location() as Pointer);
}
export function socket(domain: number, type: number, protocol: number): number {
  return c.socket(domain, type, protocol);
}
export function bind(fd: number, address: Uint8Array): number {
  return c.bind(fd, address, address.length);
}
export function connect(fd: number, address: Uint8Array): number {
  return c.connect(fd, address, address.length);
}
export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  return c.setsockopt(fd, level, name, value, value.length);
}
export function send(fd: number, bytes: Uint8Array, flags: number): number {
  return c.send(fd, bytes, bytes.length, flags);
}
export function recv(fd: number, buffer: Uint8Array, flags: number): number {
  return c.recv(fd, buffer, buffer.length, flags);
}
export function sendto(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number {
  return c.sendto(fd, bytes, bytes.length, flags, address, address.length);
}
export function setns(fd: number, type: number): number {
  return c.setns(fd, type);
}
export function flock(fd: number, operation: number): number {
  return c.flock(fd, operation);
}
export function kill(pid: number, signal: number): number {
  return c.kill(pid, signal);
}
export function poll(entries: Uint8Array, timeoutMs: number): number {
  return c.poll(entries, entries.length / 8, timeoutMs);
}
export function filesystemMagic(fd: number): number {
  const info = new Uint8Array(256);
  return c.fstatfs(fd, info) < 0 ? 0 : new DataView(info.buffer).getUint32(0, true);
}

/** Pointers to the NUL-terminated strings of a block, and a NULL. */
function vector(block: Uint8Array): BigUint64Array {
  const pointers: bigint[] = [];
  if (block.length > 0) {
    const base = BigInt(ptr(block));
    for (let at = 0; at < block.length; at = block.indexOf(0, at) + 1) pointers.push(base + BigInt(at));
  }
  return new BigUint64Array([...pointers, 0n]);
}

/** POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK */
const SPAWN_FLAGS = 0x02 | 0x04 | 0x08;

/**
 * The child has a process group of its own. Unlike the native engine's it cannot be told here to die with this process:
 * prctl works in the child alone, and posix_spawn runs nothing of ours there; a SIGKILL of this process leaves it running.
 */
export function spawn(
  path: Uint8Array,
  argv: Uint8Array,
  environment: Uint8Array,
  stdin: number,
  stdout: number,
  stderr: number,
): number {
  const actions = new Uint8Array(256);
  const attributes = new Uint8Array(512);
  const allSignals = new Uint8Array(128).fill(0xff);
  c.posix_spawn_file_actions_init(actions);
  c.posix_spawn_file_actions_adddup2(actions, stdin, 0);
  c.posix_spawn_file_actions_adddup2(actions, stdout, 1);
  c.posix_spawn_file_actions_adddup2(actions, stderr, 2);
  c.posix_spawnattr_init(attributes);
  c.posix_spawnattr_setflags(attributes, SPAWN_FLAGS);
  c.posix_spawnattr_setpgroup(attributes, 0);
  c.posix_spawnattr_setsigdefault(attributes, allSignals);
  c.posix_spawnattr_setsigmask(attributes, new Uint8Array(128));
  const pid = new Int32Array(1);
  const failure = c.posix_spawn(pid, path, actions, attributes, vector(argv), vector(environment));
  return failure === 0 ? (pid[0] ?? -1) : -failure;
}

export function waitExit(pid: number, flags: number): number {
  const word = new Int32Array(1);
  for (;;) {
    const got = c.waitpid(pid, word, flags);
    if (got === 0) return -EAGAIN;
    if (got > 0) break;
    const failure = errno();
    if (failure !== EINTR) return -failure;
  }
  const status = word[0] ?? 0;
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
}
export function pipe(fds: Uint8Array): number {
  return c.pipe2(fds, O_CLOEXEC);
}
export function memfd(name: Uint8Array): number {
  return c.memfd_create(name, 1);
}
export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  return c.ioctl(fd, request, argument);
}

const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const SA_SIGINFO = 4;
let armed = false;

/**
 * A handler in JavaScript cannot run while a system call waits, and here is no C. So libc's own eventfd_write is the handler:
 * called with the signal's number as its descriptor, it writes into the eventfd that sits at that very descriptor.
 */
export function armSignals(): number {
  const name = new TextEncoder().encode("eventfd_write\0");
  const handler = c.dlsym(null, name);
  const events = c.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (const signal of [SIGALRM, SIGTERM]) {
    if (c.dup3(events, signal, O_CLOEXEC) < 0) return -1;
    const action = new Uint8Array(152);
    const view = new DataView(action.buffer);
    view.setBigUint64(0, BigInt(handler ?? 0), true);
    view.setInt32(136, SA_SIGINFO, true); // struct sigaction: sa_flags behind the handler and the mask of 128 bytes
    if (c.sigaction(signal, action, null) < 0) return -1;
  }
  c.close(events);
  armed = true;
  return 0;
}

export function alarm(milliseconds: number): number {
  const timer = new BigInt64Array(4);
  timer[0] = milliseconds === 0 ? 0n : 1n;
  timer[2] = BigInt(Math.floor(milliseconds / 1000));
  timer[3] = BigInt((milliseconds % 1000) * 1000);
  return c.setitimer(0, timer, null);
}

/** Number of a signal since the last call, or 0. Which of the two it was is not told apart: both mean the end. */
export function signalReceived(): number {
  if (!armed) return 0;
  return c.read(SIGTERM, new Uint8Array(8), 8) > 0 ? SIGTERM : 0;
}

/** Bun throws where the native engine aborts, so nothing needs to be kept. */
export function lastWords(_text: Uint8Array): void {}

export function writeAll(fd: number, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const rest = bytes.subarray(done);
    const written = Number(c.write(fd, rest, rest.length));
    if (written >= 0) {
      done += written;
      continue;
    }
    const failure = errno();
    if (failure !== EINTR) return -failure;
  }
  return 0;
}
export function clockMs(): number {
  return performance.now();
}
