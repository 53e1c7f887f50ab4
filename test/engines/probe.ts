/** A program that puts pkg/linux to use, one subcommand each, compiled by both engines. Driven by system.test.ts. */
import { closeSync, openSync } from "node:fs";
import { errno, filesystemMagic, ioctl, kill, lastWords, memfd, pipe, poll, socket, spawn, writeAll } from "#system";
import { KernelError } from "../../pkg/linux/errno.ts";
import { FileLock } from "../../pkg/linux/file-lock.ts";
import { runProcess } from "../../pkg/linux/process.ts";
import { armTermination, Interrupted, remainingMs, throwIfTerminated } from "../../pkg/linux/termination.ts";

function say(line: string): void {
  writeAll(1, new TextEncoder().encode(`${line}\n`));
}

/** Waits without an event, as a blocked system call would: true when a signal ended the wait. */
function sleep(milliseconds: number): boolean {
  return poll(new Uint8Array(0), milliseconds) < 0;
}

/** run DEADLINE-MS STDIN PATH WORD… */
function run(words: readonly string[]): void {
  const [deadline, stdin, path, ...rest] = words;
  armTermination(60_000);
  const outcome = runProcess({
    path: path ?? "",
    argv: [path ?? "", ...rest],
    environment: ["COLOUR=blue", "EMPTY="],
    stdin: stdin ?? "",
    timeoutMs: Number(deadline),
    forwardStderr: true,
  });
  say(JSON.stringify(outcome));
}

/** echo SIZE: that many bytes to a program and back. */
function echo(words: readonly string[]): void {
  const text = "é".repeat(Number(words.at(0)) / 2);
  const outcome = runProcess({ path: "/bin/cat", argv: ["cat"], environment: [], stdin: text, timeoutMs: 20_000 });
  say(`${outcome.status} ${outcome.stdout === text}`);
}

/** wait DEADLINE-MS: until stopped, then 300 ms of taking back that cannot be stopped. */
function wait(words: readonly string[]): void {
  armTermination(Number(words.at(0)));
  say("armed");
  try {
    for (;;) {
      sleep(-1);
      throwIfTerminated("wait for nothing");
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say(`${error.message} (${error.reason})`);
  }
  sleep(300);
  throwIfTerminated("take back");
  say(`taken back with ${remainingMs() > 5000 ? "time" : "no time"} left`);
}

/** busy: computes until a signal that came meanwhile is seen. */
function busy(): void {
  armTermination(60_000);
  say("armed");
  try {
    for (;;) throwIfTerminated("compute");
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say(error.message);
  }
}

/** lock PATH HOLD-MS */
function lock(words: readonly string[]): void {
  armTermination(60_000);
  const held = FileLock.acquire(words.at(0) ?? "", "reserve an address");
  say("locked");
  sleep(Number(words.at(1)));
  held.release();
  say("released");
}

/** orphan: starts a shell with a child of its own, and is killed. */
function orphan(): void {
  const text = new TextEncoder();
  const script = "sleep 20 & echo $! $$; wait";
  const pid = spawn(text.encode("/bin/sh\0"), text.encode(`sh\0-c\0${script}\0`), new Uint8Array(0), 0, 1, 2);
  if (pid < 0) say(`spawn failed: ${-pid}`);
  sleep(300);
  kill(process.pid, 9);
}

/** abort index|stack: what the native engine cannot catch. */
function abort(words: readonly string[]): void {
  lastWords(new TextEncoder().encode('{"last":"words"}'));
  if (words.at(0) === "stack") say(`${depth(1)}`);
  const bytes = new Uint8Array(4);
  const beyond = bytes[words.length + 10] ?? 0;
  say(`went on: ${beyond}`);
}

function depth(level: number): number {
  return level < 0 ? 0 : 1 + depth(level + 1) + depth(level + 2);
}

/** calls: the functions that no other subcommand needs. */
function calls(): void {
  const proc = openSync("/proc", "r");
  say(`magic ${filesystemMagic(proc)}`);
  closeSync(proc);
  say(`magic of nothing ${filesystemMagic(-1)} ${errno()}`);
  const ends = new Uint8Array(8);
  say(`pipe ${pipe(ends)}`);
  const view = new DataView(ends.buffer);
  closeSync(view.getInt32(0, true));
  armTermination(60_000);
  say(`write to a closed pipe ${writeAll(view.getInt32(4, true), ends)} ${errno()}`);
  say(`memfd ${memfd(new TextEncoder().encode("x\0")) > 2}`);
  const internet = socket(2, 2, 0);
  const request = new Uint8Array(40); // struct ifreq
  request.set(new TextEncoder().encode("lo"), 0);
  say(`ioctl SIOCGIFINDEX ${ioctl(internet, 0x8933, request)} ${new DataView(request.buffer).getInt32(16, true)}`);
  say(`socket of no family ${socket(99, 1, 0)} ${errno()}`);
}

function main(command: string, words: readonly string[]): void {
  if (command === "run") run(words);
  else if (command === "echo") echo(words);
  else if (command === "wait") wait(words);
  else if (command === "busy") busy();
  else if (command === "lock") lock(words);
  else if (command === "orphan") orphan();
  else if (command === "abort") abort(words);
  else if (command === "calls") calls();
  else say(`no such subcommand: ${command}`);
}

try {
  main(process.argv.at(2) ?? "", process.argv.slice(3));
} catch (error) {
  if (error instanceof KernelError) say(`KernelError ${error.errno}: ${error.message}`);
  else if (error instanceof Interrupted) say(`Interrupted: ${error.message}`);
  else if (error instanceof Error) say(`Error: ${error.message}`);
  process.exitCode = 1;
}
