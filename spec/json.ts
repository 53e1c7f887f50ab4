/** JSON of unknown shape, read member by member. Names match without regard to case, an exact match first, as the reference's decoder does. */
import { CniError, ErrorCode } from "./errors.ts";

/** One JSON object. */
export class JsonObject {
  private readonly names: string[] = [];
  private readonly values = new Map<string, { readonly value: unknown }>();

  private constructor(record: Record<string, unknown>) {
    for (const [name, value] of Object.entries(record)) {
      this.names.push(name);
      this.values.set(name, { value });
    }
  }

  /** The object that `value` is, or `undefined` when it is none. */
  static of(value: unknown): JsonObject | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return new JsonObject(value as Record<string, unknown>);
  }

  /** A member's value; `undefined` when it is absent or null. */
  get(name: string): unknown {
    const spelling = this.spellingOf(name);
    if (spelling === undefined) return undefined;
    const found = this.values.get(spelling);
    return found === undefined || found.value === null ? undefined : found.value;
  }

  /** The member where it is a text; `undefined` where it is absent or anything else. */
  text(name: string): string | undefined {
    const value = this.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The same for a number. */
  number(name: string): number | undefined {
    const value = this.get(name);
    return typeof value === "number" ? value : undefined;
  }

  /** The same for true and false. */
  flag(name: string): boolean | undefined {
    const value = this.get(name);
    return typeof value === "boolean" ? value : undefined;
  }

  /** The texts of a list; anything else in it is passed over. Empty where there is no list. */
  texts(name: string): string[] {
    const found: string[] = [];
    const value = this.get(name);
    if (!Array.isArray(value)) return found;
    for (const item of value as unknown[]) if (typeof item === "string") found.push(item);
    return found;
  }

  /** The objects of a list, in the same manner. */
  objects(name: string): JsonObject[] {
    const found: JsonObject[] = [];
    const value = this.get(name);
    if (!Array.isArray(value)) return found;
    for (const item of value as unknown[]) {
      const each = JsonObject.of(item);
      if (each !== undefined) found.push(each);
    }
    return found;
  }

  /** Whether the member is there, null included. */
  has(name: string): boolean {
    return this.spellingOf(name) !== undefined;
  }

  /** How the document spells a name: exactly so, or else as the last of those that differ in case alone. */
  spellingOf(name: string): string | undefined {
    if (this.values.has(name)) return name;
    const lower = name.toLowerCase();
    let last: string | undefined;
    for (const candidate of this.names) if (candidate.toLowerCase() === lower) last = candidate;
    return last;
  }

  /** The names as written, in order. */
  keys(): readonly string[] {
    return this.names;
  }
}

/**
 * Parses a document that must be one JSON object; null is an empty one, as in the reference.
 * @throws CniError 6 naming `subject`
 */
export function parseObject(text: string, subject: string): JsonObject {
  if (text.trim() === "") {
    throw new CniError(ErrorCode.Decode, `cannot decode ${subject}: it is empty`, "it must be a JSON object");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it is not JSON";
    throw new CniError(
      ErrorCode.Decode,
      `cannot decode ${subject}: ${reason}`,
      "validate the JSON, for instance with jq",
    );
  }
  const object = value === null ? JsonObject.of({}) : JsonObject.of(value);
  if (object === undefined) {
    throw new CniError(
      ErrorCode.Decode,
      `cannot decode ${subject}: expected a JSON object, found ${kindOf(value)}`,
      "it begins with { and ends with }",
    );
  }
  return object;
}

/** A JSON value's kind in words, for error messages. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  const type = typeof value;
  if (type === "object") return "an object";
  if (type === "string") return "a string";
  if (type === "number") return "a number";
  if (type === "boolean") return "a boolean";
  return "nothing";
}
