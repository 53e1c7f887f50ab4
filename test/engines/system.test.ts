/** pkg/linux on both engines: ./probe.ts compiled as the plugins are, told to wait, run, lock and abort. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, engines } from "../../scripts/compile.ts";

const chosen = engines.filter((engine) => (process.env["FERRULE_ENGINES"] ?? "native,bun").split(",").includes(engine));

describe.each(chosen)("the system calls of the %s engine", (engine) => {
  let directory = "";
  let probe = "";

  beforeAll(() => {
    directory = mkdtempSync("/tmp/ferrule-probe-");
    probe = join(directory, "probe");
    compile(engine, join(import.meta.dirname, "probe.ts"), probe);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function run(...words: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(probe, words, { encoding: "utf8" });
  }
  function outcomeOf(...words: string[]): Record<string, unknown> {
    return JSON.parse(run("run", ...words).stdout) as Record<string, unknown>;
  }

  test("a program gets its stdin and environment, and gives its output and exit status", () => {
    const script = 'cat; echo "$COLOUR$EMPTY$HOME"; echo complaint >&2; exit 3';
    const outcome = run("run", "5000", "words\n", "/bin/sh", "-c", script);
    expect(JSON.parse(outcome.stdout)).toEqual({
      status: 3,
      stdout: "words\nblue\n",
      stderr: "complaint\n",
      timedOut: false,
    });
    expect(outcome.stderr).toBe("complaint\n");
  });

  test("a program starts with no signal blocked or ignored, and without our descriptors", () => {
    const { stdout } = outcomeOf(
      "5000",
      "",
      "/bin/sh",
      "-c",
      "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls -l /proc/self/fd",
    );
    expect(stdout).toMatch(/SigBlk:\t0{16}\nSigIgn:\t0{16}\n/);
    expect(String(stdout).match(/memfd|pipe:/g)?.length).toBeLessThanOrEqual(engine === "native" ? 3 : 4);
  });

  test("a program killed by a signal ends with 128 and its number", () => {
    expect(outcomeOf("5000", "", "/bin/sh", "-c", "kill -TERM $$")["status"]).toBe(143);
  });

  test("two megabytes go to a program and come back unchanged", () => {
    expect(run("echo", "2000000").stdout).toBe("0 true\n");
  });

  test("more than 16 MiB of output is an error, and ends the program", () => {
    expect(run("run", "20000", "", "/bin/sh", "-c", "exec yes").stdout).toMatch(
      /^KernelError EFBIG: run \/bin\/sh: read what/,
    );
  });

  test("at the deadline the program is killed with its children", () => {
    const start = performance.now();
    const outcome = outcomeOf("300", "", "/bin/sh", "-c", "sleep 300 & echo $! $$; wait");
    expect(performance.now() - start).toBeLessThan(3000);
    expect(outcome).toMatchObject({ status: 137, timedOut: true });
    for (const pid of String(outcome["stdout"]).trim().split(" ")) expect(isRunning(pid)).toBe(false);
  });

  test("what a program leaves in the background neither keeps us waiting nor is killed", () => {
    const start = performance.now();
    const outcome = outcomeOf("20000", "", "/bin/sh", "-c", "sleep 5 & echo $!");
    expect(performance.now() - start).toBeLessThan(3000);
    expect(outcome).toMatchObject({ status: 0, timedOut: false });
    expect(isRunning(String(outcome["stdout"]).trim())).toBe(true);
  });

  test("a program that is missing or not executable is an error with its name", () => {
    expect(run("run", "300", "", "/no/such").stdout).toBe(
      "KernelError ENOENT: run /no/such: no such file or directory (ENOENT)\n",
    );
    expect(run("run", "300", "", "/etc/passwd").stdout).toMatch(/^KernelError EACCES: /);
  });

  test("a program that is still being written is started once it is finished", async () => {
    const path = join(directory, "fresh");
    copyFileSync("/bin/true", path);
    const writer = openSync(path, "r+");
    const child = start("run", "5000", "", path);
    await setTimeout(200);
    closeSync(writer);
    expect(JSON.parse(await child.line())).toMatchObject({ status: 0, timedOut: false });
  });

  test("a program is killed when we are", async () => {
    const child = start("orphan");
    const [, shell] = (await child.line()).split(" ");
    await child.ended;
    await until(() => !isRunning(shell ?? ""));
  });

  test("SIGTERM ends a wait, once, and leaves time to take back", async () => {
    const child = start("wait", "60000");
    expect(await child.line()).toBe("armed");
    await setTimeout(100);
    child.process.kill("SIGTERM");
    expect(await child.line()).toBe("wait for nothing: stopped: SIGTERM (SIGTERM)");
    child.process.kill("SIGTERM");
    expect(await child.line()).toBe("taken back with time left");
    expect(await child.ended).toBe(0);
  });

  test.skipIf(engine !== "native")("SIGINT ends a wait in the same way", async () => {
    const child = start("wait", "60000");
    expect(await child.line()).toBe("armed");
    child.process.kill("SIGINT");
    expect(await child.line()).toBe("wait for nothing: stopped: SIGINT (SIGINT)");
    expect(await child.line()).toBe("taken back with time left");
  });

  test("the deadline ends a wait in the same way", async () => {
    const child = start("wait", "300");
    expect(await child.line()).toBe("armed");
    expect(await child.line()).toBe("wait for nothing: stopped: the deadline has passed (the deadline has passed)");
    expect(await child.line()).toBe("taken back with time left");
  });

  test("SIGTERM is noticed by a program that computes", async () => {
    const child = start("busy");
    expect(await child.line()).toBe("armed");
    child.process.kill("SIGTERM");
    expect(await child.line()).toBe("compute: stopped: SIGTERM");
  });

  test("SIGTERM while a program runs kills it and its children", async () => {
    const child = start("run", "30000", "", "/bin/sh", "-c", "sleep 300 & echo $! $$ >&2; wait");
    const pids = (await child.errorLine()).split(" ");
    child.process.kill("SIGTERM");
    expect(await child.line()).toBe("Interrupted: run /bin/sh: stopped: SIGTERM");
    for (const pid of pids) await until(() => !isRunning(pid));
  });

  test("a lock is held by one at a time, and who waits for it says who has it when told to end", async () => {
    const path = join(directory, "lock");
    const first = start("lock", path, "2000");
    expect(await first.line()).toBe("locked");
    const second = start("lock", path, "0");
    const third = start("lock", path, "0");
    await setTimeout(500);
    second.process.kill("SIGTERM");
    expect(await second.line()).toBe(
      `Interrupted: reserve an address: waiting for the lock ${path}, held by process ${first.process.pid}: stopped: SIGTERM`,
    );
    expect(await first.line()).toBe("released");
    expect(await third.line()).toBe("locked");
  });

  test("a directory can be locked as well", async () => {
    const first = start("lock", directory, "300");
    expect(await first.line()).toBe("locked");
    const second = start("lock", directory, "0");
    expect(await first.line()).toBe("released");
    expect(await second.line()).toBe("locked");
  });

  test("calls tell their results and errors", () => {
    expect(run("calls").stdout.split("\n")).toEqual([
      "magic 40864",
      "magic of nothing -1 9",
      "pipe 0",
      "write to a closed pipe -1 32",
      "memfd true",
      "ioctl SIOCGIFINDEX 0 1",
      "socket of no family -1 97",
      "",
    ]);
  });

  test.skipIf(engine !== "native")("an aborting program prints its last words and nothing else", () => {
    for (const cause of ["index", "stack"]) {
      const { status, stdout } = run("abort", cause);
      expect([status, stdout]).toEqual([1, '{"last":"words"}']);
    }
  });

  function start(...words: string[]): Started {
    return new Started(spawn(probe, words, { stdio: ["ignore", "pipe", "pipe"] }));
  }
});

/** A running probe whose lines are awaited one by one. */
class Started {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  private readonly output: Lines;
  private readonly errors: Lines;

  constructor(child: ChildProcess) {
    this.process = child;
    this.output = new Lines(child.stdout);
    this.errors = new Lines(child.stderr);
    this.ended = new Promise((resolve) => child.once("exit", (status) => resolve(status)));
  }
  line(): Promise<string> {
    return this.output.next();
  }
  errorLine(): Promise<string> {
    return this.errors.next();
  }
}

class Lines {
  private text = "";
  constructor(stream: NodeJS.ReadableStream | null) {
    stream?.on("data", (chunk) => {
      this.text += String(chunk);
    });
  }
  async next(): Promise<string> {
    await until(() => this.text.includes("\n"));
    const end = this.text.indexOf("\n");
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    return line;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 10_000) throw new Error("waited ten seconds in vain");
    await setTimeout(10);
  }
}

/** Whether there is such a process, zombies not counted. */
function isRunning(pid: string): boolean {
  if (!/^[0-9]+$/.test(pid)) throw new Error(`no pid: ${pid}`);
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}
