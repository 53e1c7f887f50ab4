/** What a configuration key is, as data: the row from which the JSON Schema and the README's table are made. */

/** What a key may hold, in JSON Schema's words. */
export type KeyKind = "string" | "integer" | "boolean" | "object" | "array" | "any";

/** One key as a plugin asked for it. Every key that is not required may also be null, which means absent. */
export interface KeyDescription {
  readonly name: string;
  readonly kind: KeyKind;
  readonly meaning: string;
  /** Whether the configuration is refused without it, or with an empty string. */
  readonly required: boolean;
  /** As JSON text; empty when there is no default. */
  readonly fallback: string;
  /** The only values, when there are only these. */
  readonly choices: readonly string[];
  /** A regular expression for a string, or for each item of a list of strings; empty when any text will do. */
  readonly pattern: () => string;
  /** The lowest and highest integer, when limited. */
  readonly range: readonly number[];
  /** Keys of the object, or of each item of the list. */
  readonly members: readonly KeyDescription[];
  /** What the items of a list are, or the members of an object whose names are free. */
  readonly items: KeyKind;
}

/** What a row may say beyond name, kind and meaning. */
export interface KeyExtras {
  readonly required?: boolean;
  readonly fallback?: string;
  readonly choices?: readonly string[];
  readonly pattern?: () => string;
  readonly range?: readonly number[];
  readonly members?: readonly KeyDescription[];
  readonly items?: KeyKind;
}

const anyText = (): string => "";

/** A row with nothing left open. */
export function describeKey(name: string, kind: KeyKind, meaning: string, extras: KeyExtras): KeyDescription {
  return {
    name,
    kind,
    meaning,
    required: extras.required ?? false,
    fallback: extras.fallback ?? "",
    choices: extras.choices ?? [],
    pattern: extras.pattern ?? anyText,
    range: extras.range ?? [],
    members: extras.members ?? [],
    items: extras.items ?? "any",
  };
}
