/** Runs another program to its end: stdin from memory, stdout and stderr into memory, never longer than a deadline. */
import { closeSync, openSync, readSync } from "node:fs";
import { clockMs, errno, kill, memfd, pipe, poll, spawn, waitExit, writeAll } from "#system";
import { errnoName, KernelError } from "./errno.ts";
import { throwIfTerminated } from "./termination.ts";

export interface ProcessOptions {
  readonly path: string;
  /** The first is what the program sees as its own name. */
  readonly argv: readonly string[];
  /** `NAME=value` each. */
  readonly environment: readonly string[];
  readonly stdin: string;
  readonly deadlineMs: number;
  /** Whether the stderr of a program that succeeded goes to ours. */
  readonly forwardStderr: boolean;
}

export interface ProcessOutcome {
  /** Exit status, or 128 and the signal's number. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the deadline came first and the program was killed, with its process group. */
  readonly timedOut: boolean;
}

const SIGKILL = 9;
const EINTR = 4;
const POLLIN = 1;
/** A program that prints more is cut off here; results are some kilobytes. */
const MOST_BYTES = 16 * 1024 * 1024;
/** An executable that is just being written: tried again, some times. */
const BUSY_TRIES = 20;
const BUSY_WAIT_MS = 50;

/**
 * Runs the program and collects what it prints. It has a process group of its own, which is killed as a whole at the deadline
 * and when this process is told to end.
 * @throws KernelError when it cannot be started; Interrupted
 */
export function runProcess(options: ProcessOptions): ProcessOutcome {
  const operation = `run ${options.path}`;
  const stdin = memoryFile(options.stdin, operation);
  const out = new Pipe(operation);
  const err = new Pipe(operation);
  let pid = -1;
  try {
    pid = start(options, stdin, out.writer, err.writer, operation);
    out.closeWriter();
    err.closeWriter();
    const ended = collect(out, err, options.deadlineMs, operation);
    if (!ended) kill(-pid, SIGKILL);
    const status = waitExit(pid, 0);
    kill(-pid, SIGKILL); // what it left behind in its group
    pid = -1;
    const stderr = err.text();
    if (status === 0 && options.forwardStderr && stderr !== "") writeAll(2, new TextEncoder().encode(stderr));
    return { status, stdout: out.text(), stderr, timedOut: !ended };
  } finally {
    if (pid > 0) {
      kill(-pid, SIGKILL);
      waitExit(pid, 0);
    }
    closeSync(stdin);
    out.close();
    err.close();
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
    const failure = writeAll(file, new TextEncoder().encode(text));
    if (failure < 0) throw new KernelError(operation, -failure);
    return openSync(`/proc/self/fd/${file}`, "r"); // from the beginning
  } finally {
    closeSync(file);
  }
}

/** Reads both pipes to their ends; false when the deadline came first. */
function collect(out: Pipe, err: Pipe, deadlineMs: number, operation: string): boolean {
  const until = clockMs() + deadlineMs;
  while (out.isOpen || err.isOpen) {
    const left = Math.ceil(until - clockMs());
    if (left <= 0) return false;
    const entries = new Uint8Array(16);
    const view = new DataView(entries.buffer);
    view.setInt32(0, out.isOpen ? out.reader : -1, true);
    view.setInt16(4, POLLIN, true);
    view.setInt32(8, err.isOpen ? err.reader : -1, true);
    view.setInt16(12, POLLIN, true);
    if (poll(entries, left) < 0) {
      const failure = errno();
      if (failure !== EINTR) throw new KernelError(operation, failure);
      throwIfTerminated(operation);
      continue;
    }
    if (view.getInt16(6, true) !== 0) out.read();
    if (view.getInt16(14, true) !== 0) err.read();
  }
  return true;
}

class Pipe {
  readonly reader: number;
  readonly writer: number;
  private readonly chunks: Uint8Array[] = [];
  private size = 0;
  private readerOpen = true;
  private writerOpen = true;
  private ended = false;

  constructor(operation: string) {
    const pair = new Uint8Array(8);
    if (pipe(pair) < 0) throw new KernelError(operation, errno());
    const view = new DataView(pair.buffer);
    this.reader = view.getInt32(0, true);
    this.writer = view.getInt32(4, true);
  }

  /** Whether more may come. */
  get isOpen(): boolean {
    return !this.ended;
  }

  read(): void {
    const chunk = new Uint8Array(65536);
    const count = readSync(this.reader, chunk, 0, chunk.length, null);
    if (count <= 0) this.ended = true;
    else if (this.size < MOST_BYTES) this.chunks.push(chunk.subarray(0, count));
    this.size += count;
  }

  text(): string {
    const whole = new Uint8Array(this.chunks.reduce((sum: number, chunk: Uint8Array): number => sum + chunk.length, 0));
    let at = 0;
    for (const [i, chunk] of this.chunks.entries()) {
      whole.set(this.chunks.at(i) ?? chunk, at);
      at += chunk.length;
    }
    return new TextDecoder().decode(whole);
  }

  closeWriter(): void {
    if (this.writerOpen) closeSync(this.writer);
    this.writerOpen = false;
  }

  close(): void {
    this.closeWriter();
    if (this.readerOpen) closeSync(this.reader);
    this.readerOpen = false;
  }
}
