/** One plugin's object in a network configuration list (SPEC section 1, "Plugin configuration objects"). */
import { CniError, ErrorCode, invalidConfig } from "../spec/errors.ts";
import { JsonObject, kindOf, parseObject } from "../spec/json.ts";
import { textMember } from "../spec/network-config.ts";

export class PluginConfig {
  readonly type: string;
  /** Only in files of a single plugin, which name their network; empty otherwise. */
  readonly name: string;
  readonly cniVersion: string;
  /** The whole object. */
  readonly object: JsonObject;
  /** The capabilities that it declares true. */
  readonly capabilities: readonly string[];

  /** @throws CniError 6 on members of the wrong type, 7 without a type */
  constructor(object: JsonObject) {
    this.object = object;
    this.type = textMember(object, "type");
    if (this.type === "") throw invalidConfig("missing 'type'", 'give the plugin a "type": the name of its executable');
    this.name = textMember(object, "name");
    this.cniVersion = textMember(object, "cniVersion");
    this.capabilities = enabledCapabilities(object);
  }

  /** A file that configures a single plugin. @throws CniError 6, 7 led in by "error parsing configuration" */
  static parse(text: string): PluginConfig {
    const object = parseObject(text, "network configuration");
    try {
      return new PluginConfig(object);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      const failure = error.during("error parsing configuration");
      throw object.has("plugins") ? failure.withDetails("a list of plugins belongs in a .conflist file") : failure;
    }
  }

  /** `type="bridge"`, and the name when it has one: how errors call it. */
  describe(): string {
    return this.name === "" ? `type="${this.type}"` : `type="${this.type}" name="${this.name}"`;
  }
}

function enabledCapabilities(object: JsonObject): string[] {
  const enabled: string[] = [];
  const value = object.get("capabilities");
  if (value === undefined) return enabled;
  const capabilities = JsonObject.of(value);
  if (capabilities === undefined) {
    throw new CniError(ErrorCode.Decode, `capabilities: expected an object, found ${kindOf(value)}`);
  }
  for (const name of capabilities.keys()) {
    const declared = capabilities.get(name);
    if (typeof declared === "boolean") {
      if (declared) enabled.push(name);
    } else if (declared !== undefined) {
      throw new CniError(ErrorCode.Decode, `capabilities.${name}: expected true or false, found ${kindOf(declared)}`);
    }
  }
  return enabled;
}
