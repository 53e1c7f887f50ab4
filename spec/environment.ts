/** The CNI_* variables of one call (SPEC section 2), and the rest of the environment that a delegate inherits. */
import { CniError, ErrorCode } from "./errors.ts";
import { identifierRule, interfaceNameProblem, isIdentifier } from "./names.ts";

/** Variables by name; immutable. */
export class Environment {
  private readonly values = new Map<string, string>();

  constructor(pairs: readonly (readonly [string, string])[]) {
    for (const pair of pairs) this.values.set(pair[0], pair[1]);
  }

  /** A variable's value; empty when it is not set. */
  get(name: string): string {
    return this.values.get(name) ?? "";
  }

  /** The same with one variable changed or added. */
  with(name: string, value: string): Environment {
    const changed = new Environment([]);
    for (const [other, old] of this.values) changed.values.set(other, old);
    changed.values.set(name, value);
    return changed;
  }

  /** `NAME=value` each, as a child process gets them. */
  toStrings(): string[] {
    const strings: string[] = [];
    for (const [name, value] of this.values) strings.push(`${name}=${value}`);
    return strings;
  }
}

export const verbs = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
export type Verb = (typeof verbs)[number];

/** Which verb needs which variable; "empty" counts as missing. CNI_COMMAND is needed by all. */
interface Requirement {
  readonly name: string;
  readonly verbs: readonly Verb[];
}
const requirements: readonly Requirement[] = [
  { name: "CNI_CONTAINERID", verbs: ["ADD", "CHECK", "DEL"] },
  { name: "CNI_NETNS", verbs: ["ADD", "CHECK"] },
  { name: "CNI_IFNAME", verbs: ["ADD", "CHECK", "DEL"] },
  { name: "CNI_PATH", verbs: ["ADD", "CHECK", "DEL", "GC", "STATUS"] },
];

/** The verb that CNI_COMMAND names, compared exactly; `undefined` for any other text. */
export function verbNamed(command: string): Verb | undefined {
  for (const verb of verbs) if (verb === command) return verb;
  return undefined;
}

/**
 * What a verb needs of its variables, before anything else is looked at.
 * @throws CniError 4 on the first malformed one, or else naming all that `verb` needs and that are missing
 */
export function requireVariables(environment: Environment, verb: Verb): void {
  const missing: string[] = [];
  for (const requirement of requirements) {
    if (!requirement.verbs.includes(verb)) continue;
    const value = environment.get(requirement.name);
    if (value === "") missing.push(requirement.name);
    else if (requirement.name === "CNI_CONTAINERID") requireContainerId(value);
    else if (requirement.name === "CNI_IFNAME") requireInterfaceName(value);
  }
  if (missing.length > 0) {
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `required env variables [${missing.join(",")}] missing`,
      "the container runtime sets them; to run a plugin by hand, use cnitool",
    );
  }
}

function requireContainerId(id: string): void {
  if (isIdentifier(id)) return;
  throw new CniError(ErrorCode.InvalidEnvironment, "invalid characters in containerID", `${id}: ${identifierRule}`);
}

function requireInterfaceName(name: string): void {
  const problem = interfaceNameProblem(name);
  if (problem === undefined) return;
  const rule = "at most 15 bytes, without / : % and white space";
  throw new CniError(ErrorCode.InvalidEnvironment, problem, `CNI_IFNAME is "${name}"; it must have ${rule}`);
}
