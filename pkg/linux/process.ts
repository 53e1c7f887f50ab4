/** Runs another program to its end: stdin from memory, stdout and stderr into memory, never longer than a deadline. */
import { closeSync, openSync } from "node:fs";
import { clockMs, errno, kill, memfd, pidfd, poll, spawn, waitExit, writeAll } from "#system";
import { errnoName, KernelError } from "./errno.ts";
import { EINTR } from "./headers/errno.ts";
import { POLLIN } from "./headers/poll.ts";
import { SIGKILL } from "./headers/signal.ts";
import { OutputPipe } from "./output-pipe.ts";
import { throwIfTerminated } from "./termination.ts";

export interface ProcessOptions {
  readonly path: string;
  /** The first is what the program sees as its own name. */
  readonly argv: readonly string[];
  /** `NAME=value` each, and nothing else. */
  readonly environment: readonly string[];
  readonly stdin: string;
  /** Milliseconds from now; may be infinite. */
  readonly timeoutMs: number;
  /** Whether what it writes to stderr goes to ours as well, as it comes. */
  readonly forwardStderr?: boolean;
}

export interface ProcessOutcome {
  /** Exit status, or 128 and the signal's number. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the deadline came first and the program was killed, with its process group. */
  readonly timedOut: boolean;
}

/** poll's timeout is an int: longer waits are made of several. */
const LONGEST_POLL_MS = 1_000_000;
/** An executable that is just being written is tried again, for a second in all. */
const BUSY_TRIES = 200;
const BUSY_WAIT_MS = 5;

/**
 * Runs the program and collects what it prints. It has a process group of its own, which is killed as a whole at the
 * deadline and when this process is told to end. What it leaves running in the background neither is killed nor keeps
 * us waiting.
 * @throws KernelError when it cannot be started or prints more than 16 MiB; Interrupted
 */
export function runProcess(options: ProcessOptions): ProcessOutcome {
  const operation = `run ${options.path}`;
  const stdin = memoryFile(options.stdin, operation);
  const stdout = new OutputPipe(operation, false);
  const stderr = new OutputPipe(operation, options.forwardStderr === true);
  try {
    const child = new Child(start(options, stdin, stdout.writer, stderr.writer, operation), operation);
    try {
      stdout.closeWriter();
      stderr.closeWriter();
      const ended = child.collect(stdout, stderr, clockMs() + options.timeoutMs);
      const status = ended ? child.reap() : child.kill();
      return { status, stdout: stdout.text(), stderr: stderr.text(), timedOut: !ended };
    } finally {
      child.close();
    }
  } finally {
    closeSync(stdin);
    stdout.close();
    stderr.close();
  }
}

function start(options: ProcessOptions, stdin: number, stdout: number, stderr: number, operation: string): number {
  const path = block([options.path]);
  const argv = block(options.argv);
  const environment = block(options.environment);
  for (let tries = 1; ; tries++) {
    const pid = spawn(path, argv, environment, stdin, stdout, stderr);
    if (pid > 0) return pid;
    if (errnoName(-pid) !== "ETXTBSY" || tries === BUSY_TRIES) throw new KernelError(operation, -pid);
    poll(new Uint8Array(0), BUSY_WAIT_MS);
    throwIfTerminated(operation);
  }
}

/** NUL-terminated strings, one behind the other. */
function block(strings: readonly string[]): Uint8Array {
  let text = "";
  for (const each of strings) text += `${each}\0`;
  return new TextEncoder().encode(text);
}

/** A readable descriptor on a text that was never on a disk. */
function memoryFile(text: string, operation: string): number {
  const file = memfd(new TextEncoder().encode("stdin\0"));
  if (file < 0) throw new KernelError(operation, errno());
  try {
    if (writeAll(file, new TextEncoder().encode(text)) < 0) throw new KernelError(operation, errno());
    return openSync(`/proc/self/fd/${file}`, "r"); // a second description, at the beginning
  } finally {
    closeSync(file);
  }
}

/** A program that has been started: it is either reaped or killed, whatever happens. */
class Child {
  private readonly pid: number;
  private readonly operation: string;
  /** Readable once the program has ended; without it (no pidfd_open) the ends of both pipes tell. */
  private readonly end: number;
  private running = true;

  constructor(pid: number, operation: string) {
    this.pid = pid;
    this.operation = operation;
    this.end = pidfd(pid);
  }

  /** Reads both pipes until the program ends; false when the deadline (by clockMs) came first. */
  collect(stdout: OutputPipe, stderr: OutputPipe, deadline: number): boolean {
    const entries = new Uint8Array(24); // three struct pollfd
    const view = new DataView(entries.buffer);
    let ended = false;
    for (;;) {
      view.setInt32(0, stdout.reader, true);
      view.setInt16(4, POLLIN, true);
      view.setInt32(8, stderr.reader, true);
      view.setInt16(12, POLLIN, true);
      view.setInt32(16, ended ? -1 : this.end, true);
      view.setInt16(20, POLLIN, true);
      throwIfTerminated(this.operation); // a signal may have come since the last wait
      const left = Math.ceil(deadline - clockMs());
      if (!ended && left <= 0) return false;
      const ready = poll(entries, ended ? 0 : Math.min(left, LONGEST_POLL_MS));
      if (ready < 0) {
        const failure = errno();
        if (failure !== EINTR) throw new KernelError(this.operation, failure);
        continue;
      }
      if (view.getInt16(6, true) !== 0) stdout.read();
      if (view.getInt16(14, true) !== 0) stderr.read();
      if (view.getInt16(22, true) !== 0) ended = true;
      else if (ended && ready === 0) return true; // all that it had written has been read
      if (stdout.atEnd && stderr.atEnd && (ended || this.end < 0)) return true;
    }
  }

  /** The exit status of a program that has ended. */
  reap(): number {
    for (;;) {
      const status = waitExit(this.pid, 0);
      if (status === -EINTR) continue;
      this.running = false;
      if (status < 0) throw new KernelError(this.operation, -status);
      return status;
    }
  }

  kill(): number {
    kill(-this.pid, SIGKILL);
    return this.reap();
  }

  close(): void {
    if (this.running) this.kill();
    if (this.end >= 0) closeSync(this.end);
  }
}
