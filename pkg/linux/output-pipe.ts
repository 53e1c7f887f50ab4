/** What a child process prints, read into memory. Used by ./process.ts. */
import { closeSync, readSync } from "node:fs";
import { errno, pipe, writeAll } from "#system";
import { KernelError } from "./errno.ts";
import { EFBIG } from "./headers/errno.ts";

const MOST_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 65536;

/** A pipe and what has come out of it. The writing end is for the child. */
export class OutputPipe {
  private readonly operation: string;
  /** Whether what is read goes to our stderr as well. */
  private readonly forward: boolean;
  private readEnd: number;
  private writeEnd: number;
  private bytes: Uint8Array = new Uint8Array(CHUNK_BYTES);
  private length = 0;

  constructor(operation: string, forward: boolean) {
    this.operation = operation;
    this.forward = forward;
    const ends = new Uint8Array(8);
    if (pipe(ends) < 0) throw new KernelError(operation, errno());
    const view = new DataView(ends.buffer);
    this.readEnd = view.getInt32(0, true);
    this.writeEnd = view.getInt32(4, true);
  }

  /** The descriptor to poll; -1 at the end, which poll leaves out. */
  get reader(): number {
    return this.readEnd;
  }

  get writer(): number {
    return this.writeEnd;
  }

  /** Whether every writer has closed its end. */
  get atEnd(): boolean {
    return this.readEnd < 0;
  }

  /** Reads what is there; waits if there is nothing. @throws KernelError EFBIG above 16 MiB */
  read(): void {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = readSync(this.readEnd, chunk, 0, chunk.length, null);
    if (count <= 0) {
      closeSync(this.readEnd);
      this.readEnd = -1;
      return;
    }
    const fresh = chunk.subarray(0, count);
    if (this.forward) writeAll(2, fresh);
    if (this.length + count > MOST_BYTES) throw new KernelError(`${this.operation}: read what it prints`, EFBIG);
    this.reserve(this.length + count);
    this.bytes.set(fresh, this.length);
    this.length += count;
  }

  private reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(length, this.bytes.length * 2));
    larger.set(this.bytes, 0);
    this.bytes = larger;
  }

  text(): string {
    return new TextDecoder().decode(this.bytes.subarray(0, this.length));
  }

  closeWriter(): void {
    if (this.writeEnd >= 0) closeSync(this.writeEnd);
    this.writeEnd = -1;
  }

  close(): void {
    this.closeWriter();
    if (this.readEnd >= 0) closeSync(this.readEnd);
    this.readEnd = -1;
  }
}
