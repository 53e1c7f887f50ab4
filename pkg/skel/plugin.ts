/**
 * What a plugin is: a name, its configuration as data, and five verbs, all of which must be there to compile.
 * `definePlugin` is the only place that is generic in the configuration's type; behind it stands one plain `Plugin`.
 */
import type { Environment } from "../../spec/environment.ts";
import type { CniError } from "../../spec/errors.ts";
import type { KeyDescription } from "../../spec/key-description.ts";
import { Keys } from "../../spec/keys.ts";
import type { NetworkConfig } from "../../spec/network-config.ts";
import { Problems } from "../../spec/problems.ts";
import type { Result } from "../../spec/result.ts";
import type { Delegates } from "../invoke/delegates.ts";
import { NetworkStack } from "../netlink/stack.ts";
import type { Attachment } from "./attachment.ts";
import { toCniError } from "./cni-error.ts";
import { misspeltKeys } from "./misspelt.ts";
import type { Sandbox } from "./sandbox.ts";
import { Teardown, Undo } from "./undo.ts";
import type { ValidAttachments } from "./valid-attachments.ts";

/** What every verb gets. */
export interface Call<C> {
  /** The plugin's own configuration, finished. */
  readonly config: C;
  /** The whole network configuration, and what all plugins share of it. */
  readonly network: NetworkConfig;
  readonly environment: Environment;
  readonly delegates: Delegates;
  readonly host: NetworkStack;
  /** Prints a line for people (stderr). */
  readonly warn: (line: string) => void;
}

export interface Add<C> extends Call<C> {
  readonly attachment: Attachment;
  readonly sandbox: Sandbox;
  readonly prevResult: Result | undefined;
  /** Taken back newest first when ADD throws. */
  readonly undo: Undo;
}

export interface Del<C> extends Call<C> {
  readonly attachment: Attachment;
  readonly sandbox: Sandbox;
  readonly prevResult: Result | undefined;
  /** DEL goes on past failures, and reports them together. */
  readonly teardown: Teardown;
}

export interface Check<C> extends Call<C> {
  readonly attachment: Attachment;
  readonly sandbox: Sandbox;
  readonly prevResult: Result | undefined;
}

export interface Gc<C> extends Call<C> {
  /** What is alive on this network; all else is to go. */
  readonly valid: ValidAttachments;
  readonly teardown: Teardown;
}

/** STATUS asks whether an ADD would succeed now. */
export type Status<C> = Call<C>;

export interface PluginDefinition<C> {
  /** The name of the executable, and the `type` in configurations. */
  readonly type: string;
  /** The oldest version of the specification that the plugin makes sense in. */
  readonly since: string;
  /** Whether ADD and CHECK work in the container's namespace, so that CNI_NETNS must name one. */
  readonly entersSandbox: boolean;
  readonly config: (keys: Keys) => C;
  readonly add: (call: Add<C>) => Result;
  readonly del: (call: Del<C>) => void;
  readonly check: (call: Check<C>) => void;
  readonly gc: (call: Gc<C>) => void;
  readonly status: (call: Status<C>) => void;
}

/** The request a plugin runs: what dispatch has read and guarded. */
export interface Request {
  readonly verb: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS";
  readonly network: NetworkConfig;
  readonly environment: Environment;
  readonly delegates: Delegates;
  readonly attachment: Attachment;
  readonly sandbox: Sandbox;
  readonly prevResult: Result | undefined;
  readonly valid: ValidAttachments;
  /** Prints a line for people (stderr). */
  readonly warn: (line: string) => void;
}

/** A plugin as dispatch sees it. */
export interface Plugin {
  readonly type: string;
  readonly since: string;
  readonly entersSandbox: boolean;
  /**
   * Runs a verb; for ADD, `finish` turns the result into the text to print, while its failure can still be taken back.
   * @throws CniError and whatever the kernel layer throws
   */
  readonly run: (request: Request, finish: (result: Result) => string) => string;
  /** The keys of the configuration: what schema and README are made of. */
  readonly describe: () => readonly KeyDescription[];
  /** What is wrong with a configuration of this plugin, without running it. */
  readonly examine: (config: unknown) => Problems;
}

/** Hides the configuration's type in a closure. */
export function definePlugin<C>(definition: PluginDefinition<C>): Plugin {
  return {
    type: definition.type,
    since: definition.since,
    entersSandbox: definition.entersSandbox,
    describe: (): readonly KeyDescription[] => {
      const keys = new Keys(undefined, "", new Problems(true));
      definition.config(keys);
      return keys.describe();
    },
    examine: (config: unknown): Problems => {
      const problems = new Problems(true);
      definition.config(Keys.of(config, "", problems));
      return problems;
    },
    run: (request: Request, finish: (result: Result) => string): string => {
      const host = NetworkStack.host();
      try {
        return runVerb(definition, request, host, finish);
      } finally {
        host.close();
      }
    },
  };
}

/** A bad configuration stops ADD, CHECK and STATUS; DEL and GC do what they can with what is good of it. */
function readConfig<C>(definition: PluginDefinition<C>, request: Request): C {
  const problems = new Problems(request.verb === "DEL" || request.verb === "GC");
  const keys = new Keys(request.network.object, "", problems);
  const config = definition.config(keys);
  for (const problem of problems.found) request.warn(`${definition.type}: ignored in the configuration: ${problem}`);
  if (request.verb === "ADD") for (const line of misspeltKeys(definition.type, keys)) request.warn(line);
  return config;
}

function runVerb<C>(
  definition: PluginDefinition<C>,
  request: Request,
  host: NetworkStack,
  finish: (result: Result) => string,
): string {
  const call: Call<C> = {
    config: readConfig(definition, request),
    network: request.network,
    environment: request.environment,
    delegates: request.delegates,
    host,
    warn: request.warn,
  };
  const attachment = request.attachment;
  const sandbox = request.sandbox;
  const prevResult = request.prevResult;
  switch (request.verb) {
    case "ADD": {
      const undo = new Undo();
      try {
        return finish(definition.add({ ...call, attachment, sandbox, prevResult, undo }));
      } catch (error) {
        const failures = undo.run();
        if (failures.length === 0) throw error;
        throw incomplete(error, failures);
      }
    }
    case "DEL": {
      const teardown = new Teardown();
      definition.del({ ...call, attachment, sandbox, prevResult, teardown });
      teardown.finish(`Cannot remove ${attachment.toString()} completely`);
      return "";
    }
    case "CHECK":
      definition.check({ ...call, attachment, sandbox, prevResult });
      return "";
    case "GC": {
      const teardown = new Teardown();
      definition.gc({ ...call, valid: request.valid, teardown });
      teardown.finish(`Cannot collect all that is stale on network ${request.network.name}`);
      return "";
    }
    case "STATUS":
      definition.status(call);
      return "";
  }
}

/** The first error stays the error; what could not be taken back is added to its details. */
function incomplete(error: unknown, failures: readonly string[]): CniError {
  const left = `not taken back: ${failures.join("; ")}; DEL or GC removes it`;
  return toCniError(error).withDetails(left);
}
