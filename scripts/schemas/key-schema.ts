/** The JSON Schema of configuration keys: accepts just what `Keys` accepts, as far as a schema can see it. */
import type { KeyDescription } from "../../spec/key-description.ts";

/** A JSON Schema (draft 2020-12). */
export type Schema = { readonly [keyword: string]: unknown };

/** `properties` and `required` of an object with these keys, in any order. */
export function schemaOfKeys(keys: readonly KeyDescription[]): Schema {
  const merged = mergeKeys(keys);
  const required = merged.filter((key) => key.required).map((key) => key.name);
  return {
    properties: Object.fromEntries(merged.map((key) => [key.name, schemaOfKey(key)])),
    ...(required.length > 0 ? { required } : {}),
  };
}

/** A key that was asked for in several places is one key, with the members of all. */
export function mergeKeys(keys: readonly KeyDescription[]): KeyDescription[] {
  const merged = new Map<string, KeyDescription>();
  for (const key of keys) {
    const earlier = merged.get(key.name);
    if (earlier !== undefined && earlier.kind !== key.kind) {
      throw new Error(`${key.name} is asked for as ${earlier.kind} and as ${key.kind}: a key has one type`);
    }
    const members = mergeKeys([...(earlier?.members ?? []), ...key.members]);
    const required = key.required || earlier?.required === true;
    merged.set(key.name, { ...(earlier ?? key), members, required });
  }
  return [...merged.values()];
}

function schemaOfKey(key: KeyDescription): Schema {
  const described = {
    description: key.meaning,
    ...(key.fallback === "" ? {} : { default: JSON.parse(key.fallback) as unknown }),
  };
  switch (key.kind) {
    case "any":
      return described;
    case "boolean":
      return { ...described, type: typeOf("boolean", key.required) };
    case "integer":
      return { ...described, type: typeOf("integer", key.required), minimum: key.range[0], maximum: key.range[1] };
    case "string":
      return { ...described, type: typeOf("string", key.required), ...textRules(key) };
    case "object":
      return { ...described, type: typeOf("object", key.required), ...memberRules(key) };
    case "array":
      return { ...described, type: typeOf("array", key.required), items: itemSchema(key) };
  }
}

/** Null is the same as absent, so only a required key forbids it. */
function typeOf(kind: string, required: boolean): string | string[] {
  return required ? kind : [kind, "null"];
}

/** An empty string is the same as absent where only some strings will do. */
function textRules(key: KeyDescription): Schema {
  if (key.choices.length > 0) return { enum: key.required ? key.choices : [...key.choices, "", null] };
  if (key.required) return key.pattern() === "" ? { minLength: 1 } : { pattern: key.pattern() };
  return key.pattern() === "" ? {} : { pattern: `^$|${key.pattern()}` };
}

function memberRules(key: KeyDescription): Schema {
  return key.items === "string" ? { additionalProperties: { type: "string" } } : schemaOfKeys(key.members);
}

function itemSchema(key: KeyDescription): Schema {
  const needed = key.members.some((member) => member.required);
  const object = { type: typeOf("object", needed), ...schemaOfKeys(key.members) };
  switch (key.items) {
    case "string":
      return { type: "string", ...(key.pattern() === "" ? {} : { pattern: key.pattern() }) };
    case "object":
      return object;
    case "array":
      return { type: ["array", "null"], items: object };
    default:
      return {};
  }
}
