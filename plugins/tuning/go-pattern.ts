/**
 * Regular expressions as the reference suite's allow-list has them (RE2 syntax, golang.org/s/re2syntax), as far as they say the
 * same in ours. Pure.
 */

/** What may follow a backslash and means the same in both. */
const SHARED_ESCAPE = /^[dDwWsSbBfnrtv]$/;
const PUNCTUATION = /^[^0-9A-Za-z_\s]$/;

/** [[:name:]], ASCII as there. */
const classes: readonly (readonly [name: string, members: string])[] = [
  ["alnum", "0-9A-Za-z"],
  ["alpha", "A-Za-z"],
  ["digit", "0-9"],
  ["lower", "a-z"],
  ["upper", "A-Z"],
  ["word", "0-9A-Za-z_"],
  ["xdigit", "0-9A-Fa-f"],
  ["space", " \\t\\n\\v\\f\\r"],
  ["blank", " \\t"],
  ["punct", "!-\\/:-@\\[-`{-~"],
];

/** The expression, matching anywhere in a text; `undefined` for one that is malformed or that only the other syntax can say. */
export function compilePattern(pattern: string): RegExp | undefined {
  const leading = /^\(\?[is]+\)/.test(pattern) ? pattern.slice(2, pattern.indexOf(")")) : "";
  const rest = leading === "" ? pattern : pattern.slice(leading.length + 3);
  const source = new Translator(rest).run();
  if (source === undefined) return undefined;
  return compiled(source, (leading.includes("i") ? "i" : "") + (leading.includes("s") ? "s" : ""));
}

function compiled(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags);
  } catch (_) {
    return undefined;
  }
}

/** Goes through a pattern once, writing it anew. */
class Translator {
  private readonly pattern: string;
  private at = 0;
  private out = "";

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  run(): string | undefined {
    while (this.at < this.pattern.length) {
      const next = this.pattern.charAt(this.at);
      const understood =
        next === "\\" ? this.escape() : next === "(" ? this.group() : next === "[" ? this.set() : this.copy(1);
      if (!understood) return undefined;
    }
    return this.out;
  }

  private rest(): string {
    return this.pattern.slice(this.at);
  }

  private copy(length: number): boolean {
    return this.write(this.pattern.slice(this.at, this.at + length), length);
  }

  private write(text: string, consumed: number): boolean {
    this.out += text;
    this.at += consumed;
    return true;
  }

  private escape(): boolean {
    const letter = this.pattern.charAt(this.at + 1);
    if (letter === "A") return this.write("^", 2);
    if (letter === "z") return this.write("$", 2);
    if (letter === "Q") return this.literal();
    return this.plainEscape(letter);
  }

  /** An escape that a set may have too. */
  private plainEscape(letter: string): boolean {
    if (letter === "a") return this.write("\\x07", 2);
    if (letter === "x" && /^\\x[0-9a-fA-F]{2}/.test(this.rest())) return this.copy(4);
    return SHARED_ESCAPE.test(letter) || PUNCTUATION.test(letter) ? this.copy(2) : false;
  }

  /** \Q…\E, or up to the end. */
  private literal(): boolean {
    const body = this.pattern.slice(this.at + 2);
    const end = body.indexOf("\\E");
    const text = end < 0 ? body : body.slice(0, end);
    let quoted = "";
    for (const letter of text) quoted += PUNCTUATION.test(letter) ? `\\${letter}` : letter;
    return this.write(quoted, text.length + (end < 0 ? 2 : 4));
  }

  /** Groups are not looked at afterwards, so that a name is not needed. What else follows `(?` is refused. */
  private group(): boolean {
    const rest = this.rest();
    if (!rest.startsWith("(?")) return this.copy(1);
    if (rest.startsWith("(?:")) return this.copy(3);
    if (!/^\(\?P?<\w+>/.test(rest)) return false;
    return this.write("(?:", rest.indexOf(">") + 1);
  }

  private set(): boolean {
    this.copy(this.rest().startsWith("[^") ? 2 : 1);
    if (this.rest().startsWith("]")) this.write("\\]", 1);
    while (this.at < this.pattern.length) {
      const next = this.pattern.charAt(this.at);
      if (next === "]") return this.copy(1);
      const understood = next === "\\" ? this.setEscape() : next === "[" ? this.namedSet() : this.copy(1);
      if (!understood) return false;
    }
    return false;
  }

  /** In a set, \b is nothing there and a backspace here. */
  private setEscape(): boolean {
    const letter = this.pattern.charAt(this.at + 1);
    return letter === "b" || letter === "B" ? false : this.plainEscape(letter);
  }

  private namedSet(): boolean {
    const rest = this.rest();
    if (!rest.startsWith("[:")) return this.write("\\[", 1);
    for (const [name, members] of classes)
      if (rest.startsWith(`[:${name}:]`)) return this.write(members, name.length + 4);
    return false;
  }
}
