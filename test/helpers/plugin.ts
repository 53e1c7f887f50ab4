/** Runs a plugin's executable as a runtime does: only CNI_* variables and PATH in the environment, configuration on stdin. */
import { expect } from "vitest";
import type { CommandResult } from "./command.ts";
import type { Suite } from "./engines.ts";
import type { Namespace } from "./namespace.ts";
import type { TestNode } from "./node.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** The variables of a call; what is left out is not set, and an empty text is set and empty. */
export interface CallVariables {
  readonly containerId?: string | undefined;
  /** A namespace, or any text. */
  readonly netns?: Namespace | string | undefined;
  readonly ifName?: string | undefined;
  /** CNI_ARGS. */
  readonly args?: string | undefined;
  /** CNI_PATH; the suite's own directory when left out. */
  readonly path?: string | undefined;
  /** Other variables, such as FERRULE_DEADLINE. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Put before the executable, such as strace. */
  readonly wrapper?: readonly string[] | undefined;
}

/** JSON whose members are the tests' to know. */
// biome-ignore lint/suspicious/noExplicitAny: results are inspected freely
export type Json = any;

/** A call that has ended. */
export class PluginCall {
  readonly description: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;

  constructor(description: string, outcome: CommandResult) {
    this.description = description;
    this.status = outcome.status;
    this.stdout = outcome.stdout;
    this.stderr = outcome.stderr;
    this.wallMs = outcome.wallMs;
  }

  /** What was printed on stdout. @throws when it is not exactly one JSON document */
  get json(): Json {
    try {
      return JSON.parse(this.stdout);
    } catch (_) {
      throw new Error(
        `${this.description}: stdout is not one JSON document (status ${this.status}):\n${this.stdout}\n${this.stderr}`,
      );
    }
  }

  /** Asserts success; the result for ADD and VERSION, and nothing on stdout for the other verbs. */
  expectSuccess(): Json {
    if (this.status !== 0) {
      throw new Error(`${this.description} failed with status ${this.status}:\n${this.stdout}\n${this.stderr}`);
    }
    if (/ (ADD|VERSION)\b/.test(this.description)) return this.json;
    expect(this.stdout, `stdout of ${this.description}`).toBe("");
    return undefined;
  }

  /** Asserts a failure as the specification words it: status 1, one error object on stdout, of this code and text. */
  expectError(code: number | readonly number[], text?: RegExp): Json {
    if (this.status === 0) throw new Error(`${this.description} succeeded and should have failed:\n${this.stdout}`);
    const error = this.json;
    const codes = typeof code === "number" ? [code] : code;
    expect(this.status, `exit status of ${this.description}`).toBe(1);
    expect(typeof error.cniVersion, `cniVersion of the error of ${this.description}`).toBe("string");
    expect(codes, `code of ${this.stdout}`).toContain(error.code);
    expect(typeof error.msg, `msg of ${this.stdout}`).toBe("string");
    expect(error.msg).not.toBe("");
    if (text !== undefined)
      expect(`${error.msg}\n${error.details ?? ""}`, `message of ${this.description}`).toMatch(text);
    return error;
  }

  /** Asserts a failure of any code that is not a crash and not a bug of ours. */
  expectOrderlyFailure(): Json {
    if (this.status === 0) throw new Error(`${this.description} succeeded and should have failed:\n${this.stdout}`);
    expect(this.status, `${this.description} ended by itself:\n${this.stdout}\n${this.stderr}`).toBe(1);
    const error = this.json;
    expect(typeof error.code, this.stdout).toBe("number");
    expect(error.msg, "the plugin must not abort").not.toMatch(/aborted/);
    expect(error.code, `a bug of ours: ${this.stdout}`).not.toBe(999);
    return error;
  }
}

const CALL_TIMEOUT_MS = 120_000;

/** Runs one verb of a plugin on a node. `config` is an object, or a text to be passed as it is. */
export async function callPlugin(
  node: TestNode,
  suite: Suite,
  plugin: string,
  verb: Verb | string,
  config: object | string,
  call: CallVariables = {},
): Promise<PluginCall> {
  const env: Record<string, string> = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) env[name] = value;
  };
  set("CNI_COMMAND", verb === "" ? undefined : verb);
  set("CNI_CONTAINERID", call.containerId);
  set("CNI_NETNS", typeof call.netns === "object" ? call.netns.path : call.netns);
  set("CNI_IFNAME", call.ifName);
  set("CNI_ARGS", call.args);
  set("CNI_PATH", call.path ?? suite.directory);
  for (const [name, value] of Object.entries(call.env ?? {})) set(name, value);
  const argv = [...(call.wrapper ?? []), `${suite.directory}/${plugin}`];
  const stdin = typeof config === "string" ? config : JSON.stringify(config);
  const outcome = await node.run(argv, { stdin, env, timeoutMs: CALL_TIMEOUT_MS });
  return new PluginCall(`${suite.name} ${plugin} ${verb}`, outcome);
}
