/** Finds a key that an object of a JSON document has twice, which JSON.parse does not tell. Pure. */

/**
 * The first key that the object at `path` has twice, or `undefined`. `text` is a valid JSON document; names on the path match
 * without regard to case, as plugins read them.
 */
export function duplicateKey(text: string, path: readonly string[]): string | undefined {
  const scanner = new Scanner(text);
  return scanner.duplicateIn(path, 0);
}

/** Walks a valid document. */
class Scanner {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Leaves the position behind the value, unless a duplicate was found. */
  duplicateIn(path: readonly string[], depth: number): string | undefined {
    if (this.peek() !== "{") {
      this.skip();
      return undefined;
    }
    const wanted = path.at(depth)?.toLowerCase();
    const seen: string[] = [];
    this.at += 1;
    while (this.peek() !== "}") {
      const name = this.name();
      if (wanted === undefined) {
        if (seen.includes(name)) return name;
        seen.push(name);
        this.skip();
      } else if (name.toLowerCase() === wanted) {
        const found = this.duplicateIn(path, depth + 1);
        if (found !== undefined) return found;
      } else {
        this.skip();
      }
      if (this.peek() === ",") this.at += 1;
    }
    this.at += 1;
    return undefined;
  }

  /** The next character that is no white space; empty at the end. */
  private peek(): string {
    while (/^[ \t\r\n]$/.test(this.text.charAt(this.at))) this.at += 1;
    return this.text.charAt(this.at);
  }

  /** A member's name; the position is then at its value. */
  private name(): string {
    this.peek();
    const start = this.at;
    this.skipText();
    const raw = this.text.slice(start, this.at);
    if (this.peek() === ":") this.at += 1;
    const name: unknown = JSON.parse(raw);
    return typeof name === "string" ? name : raw;
  }

  private skip(): void {
    let depth = 0;
    do {
      const next = this.peek();
      if (next === "") return;
      if (next === '"') {
        this.skipText();
        continue;
      }
      if (next === "{" || next === "[") depth += 1;
      if (next === "}" || next === "]") depth -= 1;
      this.at += 1;
      if (depth === 0 && !/^[{}[\],:]$/.test(next)) this.skipWord();
    } while (depth > 0);
  }

  /** The rest of a number, true, false or null. */
  private skipWord(): void {
    while (/^[-+.0-9A-Za-z]$/.test(this.text.charAt(this.at))) this.at += 1;
  }

  private skipText(): void {
    this.at += 1;
    while (this.at < this.text.length) {
      const next = this.text.charAt(this.at);
      this.at += next === "\\" ? 2 : 1;
      if (next === '"') return;
    }
  }
}
