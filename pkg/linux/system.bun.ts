/**
 * The operating system as Bun sees it: the functions of ./system.native.ts, whose words hold here too, through
 * bun:ffi over glibc. Imported as `#system`. What differs: SIGINT ends the process at once, and `lastWords` has
 * nothing to do, because here an index past an array's end is `undefined` and not an abort.
 */
import { dlopen, type Pointer, ptr, read } from "bun:ffi";
import { EAGAIN, EBUSY, EINTR, EINVAL } from "./headers/errno.ts";
import { POLLIN } from "./headers/poll.ts";
import { SIGALRM, SIGKILL, SIGTERM } from "./headers/signal.ts";

const { symbols: c } = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: "ptr" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u32", "i32"], returns: "i32" },
  fstatfs: { args: ["i32", "ptr"], returns: "i32" },
  futimens: { args: ["i32", "ptr"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  ioctl: { args: ["i32", "usize", "ptr"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  syscall: { args: ["i32", "i32", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "usize"], returns: "i32" },
  write: { args: ["i32", "ptr", "usize"], returns: "i32" },
  kill: { args: ["i32", "i32"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  setitimer: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  eventfd_write: { args: ["i32", "u64"], returns: "i32" },
});

/** linux/stat.h: a time that stays as it is. */
const UTIME_OMIT = 0x3ffffffen;

class State {
  /** Kept at once: the engine's own calls change libc's errno before a caller asks. */
  errno = 0;
  firstSignal = 0;
  readonly armed: number[] = [];
  readonly tethers: Map<number, Tether> = new Map();
}
const state = new State();
const errnoLocation = c.__errno_location();

function kept(result: number): number {
  if (result < 0 && errnoLocation !== null) state.errno = read.i32(errnoLocation);
  return result;
}

/** Bun refuses a pointer to no bytes. */
function nonEmpty(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? new Uint8Array(1) : bytes;
}

export function errno(): number {
  return state.errno;
}

export function socket(domain: number, type: number, protocol: number): number {
  return kept(c.socket(domain, type, protocol));
}

export function bind(fd: number, address: Uint8Array): number {
  return kept(c.bind(fd, nonEmpty(address), address.length));
}

export function connect(fd: number, address: Uint8Array): number {
  return kept(c.connect(fd, nonEmpty(address), address.length));
}

export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  return kept(c.setsockopt(fd, level, name, nonEmpty(value), value.length));
}

export function send(fd: number, bytes: Uint8Array, flags: number): number {
  return kept(c.send(fd, nonEmpty(bytes), bytes.length, flags));
}

export function recv(fd: number, buffer: Uint8Array, flags: number): number {
  return kept(c.recv(fd, nonEmpty(buffer), buffer.length, flags));
}

export function setns(fd: number, type: number): number {
  return kept(c.setns(fd, type));
}

export function flock(fd: number, operation: number): number {
  return kept(c.flock(fd, operation));
}

export function poll(entries: Uint8Array, timeoutMs: number): number {
  // The signals' eventfds are polled too: a signal that came just before the call must end it as well.
  const count = Math.floor(entries.length / 8);
  const all = new Uint8Array((count + state.armed.length) * 8);
  all.set(entries.subarray(0, count * 8), 0);
  for (const [i, signal] of state.armed.entries()) all.set(pollEntry(signal, POLLIN), (count + i) * 8);
  const ready = kept(c.poll(nonEmpty(all), count + state.armed.length, timeoutMs));
  if (ready < 0) return ready;
  if (noteSignals()) {
    state.errno = EINTR;
    return -1;
  }
  entries.set(all.subarray(0, count * 8), 0);
  return ready;
}

export function filesystemMagic(fd: number): number {
  const status = new Uint8Array(256); // struct statfs is 120 bytes, f_type first
  if (kept(c.fstatfs(fd, status)) < 0) return -1;
  return new DataView(status.buffer).getUint32(0, true);
}

export function setModificationTime(fd: number, seconds: number): number {
  const times = new DataView(new ArrayBuffer(32)); // struct timespec[2]: access, modification
  times.setBigInt64(8, UTIME_OMIT, true);
  times.setBigInt64(16, BigInt(seconds), true);
  return kept(c.futimens(fd, new Uint8Array(times.buffer)));
}

export function kill(pid: number, signal: number): number {
  return kept(c.kill(pid, signal));
}

export function pidfd(pid: number): number {
  const SYS_pidfd_open = 434;
  return kept(c.syscall(SYS_pidfd_open, pid, 0));
}

export function pipe(fds: Uint8Array): number {
  if (fds.length < 8) {
    state.errno = EINVAL;
    return -1;
  }
  const O_CLOEXEC = 0o2000000;
  return kept(c.pipe2(fds, O_CLOEXEC));
}

export function memfd(name: Uint8Array): number {
  const MFD_CLOEXEC = 1;
  return kept(c.memfd_create(name, MFD_CLOEXEC));
}

export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  return kept(c.ioctl(fd, request, nonEmpty(argument)));
}

export function ioctlNumber(fd: number, request: number, argument: number): number {
  // What is called a pointer here is passed on as the number that it is.
  return kept(c.ioctl(fd, request, argument as Pointer));
}

export function writeAll(fd: number, bytes: Uint8Array): number {
  let rest = bytes;
  while (rest.length > 0) {
    const written = kept(c.write(fd, rest, rest.length));
    if (written >= 0) {
      rest = rest.subarray(written);
    } else if (state.errno === EAGAIN) {
      poll(pollEntry(fd, 4 /* POLLOUT */), -1);
    } else if (state.errno !== EINTR) {
      return -1;
    }
  }
  return 0;
}

function pollEntry(fd: number, events: number): Uint8Array {
  const entry = new DataView(new ArrayBuffer(8));
  entry.setInt32(0, fd, true);
  entry.setInt16(4, events, true);
  return new Uint8Array(entry.buffer);
}

export function clockMs(): number {
  return performance.now();
}

export function lastWords(_text: Uint8Array): void {}

// ---- Signals that ask us to end ----
//
// A JavaScript function cannot be a signal handler, so libc's eventfd_write is: it is called with the signal's
// number, which it takes for a descriptor, and there we have put an eventfd. Without SA_RESTART the blocked call
// returns EINTR as well. SIGINT's number is stderr's, so SIGINT keeps its default. Bun ignores SIGPIPE itself.

export function armSignals(): number {
  let result = 0;
  state.firstSignal = 0;
  const handler = addressOf(c.eventfd_write);
  for (const signal of [SIGTERM, SIGALRM]) {
    if (state.armed.includes(signal)) {
      drain(signal);
      continue;
    }
    const F_GETFD = 1;
    if (c.fcntl(signal, F_GETFD, 0) >= 0) {
      state.errno = EBUSY; // someone's descriptor: this signal keeps its default
      result = -1;
      continue;
    }
    const EFD_CLOEXEC_NONBLOCK = 0o2004000;
    const O_CLOEXEC = 0o2000000;
    const event = kept(c.eventfd(0, EFD_CLOEXEC_NONBLOCK));
    if (event < 0) return -1;
    if (event !== signal) {
      const moved = kept(c.dup3(event, signal, O_CLOEXEC));
      c.close(event);
      if (moved < 0) return -1;
    }
    // struct sigaction of glibc: handler (8 bytes), mask (128), flags (4), padding (4), restorer (8)
    const action = new DataView(new ArrayBuffer(152));
    const SA_SIGINFO = 4; // the second argument, the value added, is then a pointer and so never 0
    action.setBigUint64(0, BigInt(handler), true);
    action.setInt32(136, SA_SIGINFO, true);
    if (kept(c.sigaction(signal, new Uint8Array(action.buffer), null)) < 0) return -1;
    state.armed.push(signal);
  }
  return result;
}

/** Where the C function behind a bound symbol is. */
function addressOf(bound: object): Pointer {
  const address: unknown = Reflect.get(bound, "ptr");
  if (typeof address !== "number") throw new Error("bun:ffi does not tell a symbol's address");
  return address as Pointer;
}

function drain(signal: number): boolean {
  return c.read(signal, new Uint8Array(8), 8) === 8;
}

/** Whether a signal came since the last time. */
function noteSignals(): boolean {
  let any = false;
  for (const signal of state.armed) {
    if (!drain(signal)) continue;
    any = true;
    if (state.firstSignal === 0) state.firstSignal = signal;
  }
  return any;
}

export function signalReceived(): number {
  noteSignals();
  return state.firstSignal;
}

export function alarm(milliseconds: number): number {
  // struct itimerval: interval, then first value; seconds and microseconds each
  const timer = new DataView(new ArrayBuffer(32));
  timer.setBigInt64(0, milliseconds > 0 ? 1n : 0n, true);
  timer.setBigInt64(16, BigInt(Math.floor(milliseconds / 1000)), true);
  timer.setBigInt64(24, BigInt(Math.floor(milliseconds % 1000) * 1000), true);
  const ITIMER_REAL = 0;
  return kept(c.setitimer(ITIMER_REAL, new Uint8Array(timer.buffer), null));
}

// ---- Children ----

/**
 * What kills a child with its parent where posix_spawn cannot call prctl: a pipe that only the parent could write to.
 * The child's process group owns the read end, with O_ASYNC and SIGKILL as its signal; when the last write end
 * closes, the kernel sends it. The child holds that end as descriptor 3, so it lasts as long as the child does.
 */
class Tether {
  private readonly readEnd: number;
  private readonly writeEnd: number;

  private constructor(readEnd: number, writeEnd: number) {
    this.readEnd = readEnd;
    this.writeEnd = writeEnd;
  }

  static make(): Tether | undefined {
    const ends = new Uint8Array(8);
    if (pipe(ends) < 0) return undefined;
    const view = new DataView(ends.buffer);
    return new Tether(view.getInt32(0, true), view.getInt32(4, true));
  }

  get childEnd(): number {
    return this.readEnd;
  }

  tie(group: number): void {
    const [F_SETFL, F_SETOWN, F_SETSIG, O_ASYNC] = [4, 8, 10, 0o20000];
    c.fcntl(this.readEnd, F_SETOWN, -group);
    c.fcntl(this.readEnd, F_SETSIG, SIGKILL);
    c.fcntl(this.readEnd, F_SETFL, O_ASYNC);
  }

  /** Lets go without killing what the child may have left running. */
  release(): void {
    const F_SETFL = 4;
    c.fcntl(this.readEnd, F_SETFL, 0);
    c.close(this.readEnd);
    c.close(this.writeEnd);
  }
}

/** Pointers to the strings of a block, ended by NULL. */
function vectorOf(block: Uint8Array): BigUint64Array {
  const pointers: bigint[] = [];
  const base = block.length === 0 ? 0n : BigInt(ptr(block));
  for (let start = 0; start < block.length; start = block.indexOf(0, start) + 1) pointers.push(base + BigInt(start));
  return new BigUint64Array([...pointers, 0n]);
}

/** Bound when first needed: few calls start a program, and each symbol costs some 20 µs. */
function spawnFunctions() {
  return dlopen("libc.so.6", {
    posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
    posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
    posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
    posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
    posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
    posix_spawnattr_setflags: { args: ["ptr", "i16"], returns: "i32" },
    posix_spawnattr_setpgroup: { args: ["ptr", "i32"], returns: "i32" },
    posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
    posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
    posix_spawnattr_destroy: { args: ["ptr"], returns: "i32" },
  }).symbols;
}

/** Has the child close what it would inherit, where libc can (glibc 2.34); what we open ourselves is O_CLOEXEC. */
function closeFrom(actions: Uint8Array, lowest: number): void {
  try {
    const { symbols } = dlopen("libc.so.6", {
      posix_spawn_file_actions_addclosefrom_np: { args: ["ptr", "i32"], returns: "i32" },
    });
    symbols.posix_spawn_file_actions_addclosefrom_np(actions, lowest);
  } catch (_) {
    // An older libc: a descriptor that a runtime left open reaches the child, as it reached us.
  }
}

export function spawn(
  path: Uint8Array,
  argv: Uint8Array,
  environment: Uint8Array,
  stdin: number,
  stdout: number,
  stderr: number,
): number {
  const tether = Tether.make();
  if (tether === undefined) return -state.errno;
  const p = spawnFunctions();
  const actions = new Uint8Array(256); // posix_spawn_file_actions_t is 80 bytes
  p.posix_spawn_file_actions_init(actions);
  p.posix_spawn_file_actions_adddup2(actions, stdin, 0);
  p.posix_spawn_file_actions_adddup2(actions, stdout, 1);
  p.posix_spawn_file_actions_adddup2(actions, stderr, 2);
  p.posix_spawn_file_actions_adddup2(actions, tether.childEnd, 3);
  closeFrom(actions, 4);
  const attributes = new Uint8Array(512); // posix_spawnattr_t is 336 bytes
  const [SETPGROUP, SETSIGDEF, SETSIGMASK] = [2, 4, 8];
  p.posix_spawnattr_init(attributes);
  p.posix_spawnattr_setflags(attributes, SETPGROUP | SETSIGDEF | SETSIGMASK);
  p.posix_spawnattr_setpgroup(attributes, 0);
  p.posix_spawnattr_setsigmask(attributes, new Uint8Array(128));
  p.posix_spawnattr_setsigdefault(attributes, new Uint8Array(128).fill(0xff));
  const pid = new Int32Array(1);
  const error = p.posix_spawn(pid, path, actions, attributes, vectorOf(argv), vectorOf(environment));
  p.posix_spawn_file_actions_destroy(actions);
  p.posix_spawnattr_destroy(attributes);
  if (error !== 0) {
    tether.release();
    return -error;
  }
  const child = pid.at(0) ?? 0;
  tether.tie(child);
  state.tethers.set(child, tether);
  return child;
}

export function waitExit(pid: number, flags: number): number {
  const out = new Int32Array(1);
  const result = kept(c.waitpid(pid, out, flags));
  if (result < 0) return -state.errno;
  if (result === 0) return -EAGAIN;
  state.tethers.get(result)?.release();
  state.tethers.delete(result);
  const status = out.at(0) ?? 0;
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
