/** The network configuration a plugin gets on stdin: what every plugin reads of it (SPEC section 1 and 2). */
import { CniError, ErrorCode, invalidConfig } from "./errors.ts";
import { JsonObject, kindOf, parseObject } from "./json.ts";
import { JsonMembers } from "./json-members.ts";
import { identifierRule, isIdentifier } from "./names.ts";

/** One attachment that a GC request calls alive. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

const VALID_ATTACHMENTS = "cni.dev/valid-attachments";
/** As older libcni spells it. */
const ATTACHMENTS = "cni.dev/attachments";

/** A decoded configuration; `text` is what a delegate gets, byte for byte. */
export class NetworkConfig {
  readonly text: string;
  readonly object: JsonObject;
  /** Empty when the configuration has none, which means 0.1.0. */
  readonly cniVersion: string;
  /** The network's name. */
  readonly name: string;
  /** Undefined when a GC request carries no list, which is not the same as an empty one. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;

  /** @throws CniError 6 when it is not a JSON object, 7 when the name is missing or malformed */
  constructor(text: string) {
    this.text = text;
    this.object = parseObject(text, "network configuration");
    this.name = textMember(this.object, "name");
    if (this.name === "") throw invalidConfig("missing network name", 'give the network configuration a "name"');
    if (!isIdentifier(this.name)) {
      throw invalidConfig("invalid characters found in network name", `${this.name}: ${identifierRule}`);
    }
    this.cniVersion = textMember(this.object, "cniVersion");
    this.validAttachments = validAttachments(this.object);
  }

  /** The same configuration of a GC request, which calls these attachments alive as well. */
  withAlive(more: readonly ValidAttachment[]): NetworkConfig {
    if (more.length === 0) return this;
    const alive: ValidAttachment[] = [...(this.validAttachments ?? []), ...more];
    const members = JsonMembers.of(this.object).remove(ATTACHMENTS).set(VALID_ATTACHMENTS, JSON.stringify(alive));
    return new NetworkConfig(members.toString());
  }
}

/** A member of a network configuration or of a plugin's object in one; empty where it is absent. @throws CniError 6 */
export function textMember(object: JsonObject, name: string): string {
  const value = object.get(name);
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  throw new CniError(
    ErrorCode.Decode,
    `cannot decode ${name} of the network configuration: expected a string, found ${kindOf(value)}`,
    `write it in double quotes: "${name}": "…"`,
  );
}

/**
 * Both spellings that runtimes send; libcni's older one is a mis-naming of the specification's. Null is an empty list.
 * @throws CniError 7 on an entry that names no attachment: what it meant would be taken for stale
 */
function validAttachments(object: JsonObject): ValidAttachment[] | undefined {
  if (!object.has(VALID_ATTACHMENTS) && !object.has(ATTACHMENTS)) return undefined;
  const value = object.get(VALID_ATTACHMENTS) ?? object.get(ATTACHMENTS);
  const found: ValidAttachment[] = [];
  if (value === undefined) return found;
  if (!Array.isArray(value)) throw invalidConfig(`${VALID_ATTACHMENTS}: expected a list, found ${kindOf(value)}`);
  for (const item of value as unknown[]) {
    const attachment = JsonObject.of(item);
    const containerID = attachment?.get("containerID");
    const ifname = attachment?.get("ifname");
    if (typeof containerID !== "string" || typeof ifname !== "string" || containerID === "" || ifname === "") {
      throw invalidConfig(`${VALID_ATTACHMENTS}[${found.length}]: expected an object with containerID and ifname`);
    }
    found.push({ containerID, ifname });
  }
  return found;
}
