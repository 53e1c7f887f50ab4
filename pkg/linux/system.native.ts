/**
 * The operating system as the native build sees it: link-time bindings to musl and to native/shim.c, named in
 * native/ffi.json. Imported as `#system` by pkg/linux, pkg/netlink, pkg/netns and cmd/cni; ./system.bun.ts is the
 * same for Bun. Results below 0 mean failure, and `errno()` tells which, unless a function's own words say -errno.
 */
declare function c_errno(): number;
declare function c_socket(domain: number, type: number, protocol: number): number;
declare function c_bind(fd: number, address: Uint8Array): number;
declare function c_connect(fd: number, address: Uint8Array): number;
declare function c_setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
declare function c_send(fd: number, bytes: Uint8Array, flags: number): number;
declare function c_recv(fd: number, buffer: Uint8Array, flags: number): number;
declare function c_setns(fd: number, type: number): number;
declare function c_flock(fd: number, operation: number): number;
declare function c_kill(pid: number, signal: number): number;
declare function c_poll(entries: Uint8Array, timeoutMs: number): number;
declare function c_filesystem_magic(fd: number): number;
declare function c_set_modification_time(fd: number, seconds: number): number;
declare function c_pipe(fds: Uint8Array): number;
declare function c_memfd(name: Uint8Array): number;
declare function c_ioctl(fd: number, request: number, argument: Uint8Array): number;
declare function c_ioctl_number(fd: number, request: number, argument: number): number;
declare function c_pidfd(pid: number): number;
declare function c_clock_ms(): number;
declare function c_write_all(fd: number, bytes: Uint8Array): number;
declare function c_arm_signals(): number;
declare function c_alarm(milliseconds: number): number;
declare function c_signal_received(): number;
declare function c_last_words(text: Uint8Array): void;
declare function c_spawn(
  path: Uint8Array,
  argv: Uint8Array,
  environment: Uint8Array,
  stdin: number,
  stdout: number,
  stderr: number,
): number;
declare function c_wait_exit(pid: number, flags: number): number;

/** Why the last call failed. */
export function errno(): number {
  return c_errno();
}

export function socket(domain: number, type: number, protocol: number): number {
  return c_socket(domain, type, protocol);
}

/** `address`: a struct sockaddr of its family. */
export function bind(fd: number, address: Uint8Array): number {
  return c_bind(fd, address);
}

export function connect(fd: number, address: Uint8Array): number {
  return c_connect(fd, address);
}

export function setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
  return c_setsockopt(fd, level, name, value);
}

/** The number of bytes sent. */
export function send(fd: number, bytes: Uint8Array, flags: number): number {
  return c_send(fd, bytes, flags);
}

/** The number of bytes received into `buffer`; with MSG_TRUNC the datagram's own length. */
export function recv(fd: number, buffer: Uint8Array, flags: number): number {
  return c_recv(fd, buffer, flags);
}

/** Enters the namespace of an open descriptor; `type` is a CLONE_NEW* that it must be of, or 0. */
export function setns(fd: number, type: number): number {
  return c_setns(fd, type);
}

export function flock(fd: number, operation: number): number {
  return c_flock(fd, operation);
}

/**
 * `entries`: consecutive struct pollfd (int fd, short events, short revents), changed in place; -1 ms waits for ever.
 */
export function poll(entries: Uint8Array, timeoutMs: number): number {
  return c_poll(entries, timeoutMs);
}

/** f_type of the file system that the descriptor lies on (linux/magic.h). */
export function filesystemMagic(fd: number): number {
  return c_filesystem_magic(fd);
}

/** `seconds` since 1970, without a fraction; the time of the last access stays. */
export function setModificationTime(fd: number, seconds: number): number {
  return c_set_modification_time(fd, seconds);
}

/**
 * Starts a program: its pid, or -errno (of execve too). `path` ends with NUL; `argv` and `environment` are
 * NUL-terminated strings, one after the other. The child has its own process group, default signals, only the three
 * descriptors, and is killed when this process ends.
 */
export function spawn(
  path: Uint8Array,
  argv: Uint8Array,
  environment: Uint8Array,
  stdin: number,
  stdout: number,
  stderr: number,
): number {
  return c_spawn(path, argv, environment, stdin, stdout, stderr);
}

/** A child's exit status, 128 + the signal that killed it, or -errno; -EAGAIN with WNOHANG (1) while it runs. */
export function waitExit(pid: number, flags: number): number {
  return c_wait_exit(pid, flags);
}

/** A negative pid is a process group. */
export function kill(pid: number, signal: number): number {
  return c_kill(pid, signal);
}

/** A descriptor that polls readable once the process has ended. */
export function pidfd(pid: number): number {
  return c_pidfd(pid);
}

/** Writes the read and the write end (two i32), both O_CLOEXEC, into `fds`. */
export function pipe(fds: Uint8Array): number {
  return c_pipe(fds);
}

/** An anonymous file in memory; `name` ends with NUL. */
export function memfd(name: Uint8Array): number {
  return c_memfd(name);
}

/** `argument`: the struct that the request takes, changed in place. */
export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  return c_ioctl(fd, request, argument);
}

/** The same for requests that take a number (32 bits, unsigned) and no struct, such as TUNSETOWNER. */
export function ioctlNumber(fd: number, request: number, argument: number): number {
  return c_ioctl_number(fd, request, argument);
}

/** SIGTERM, SIGINT and SIGALRM are noted from now on, and a blocked call returns EINTR; SIGPIPE is ignored. */
export function armSignals(): number {
  return c_arm_signals();
}

/** SIGALRM after that time and then each second; 0 takes it back. */
export function alarm(milliseconds: number): number {
  return c_alarm(milliseconds);
}

/** The number of the first signal noted since `armSignals`, or 0. */
export function signalReceived(): number {
  return c_signal_received();
}

/** What to print to stdout, then ending with status 1, should the program abort; an empty text takes it back. */
export function lastWords(text: Uint8Array): void {
  c_last_words(text);
}

/** Writes all bytes, however often that takes; 0, or -1. */
export function writeAll(fd: number, bytes: Uint8Array): number {
  return c_write_all(fd, bytes);
}

/** Milliseconds of a clock that only runs forward; only differences mean something. */
export function clockMs(): number {
  return c_clock_ms();
}
