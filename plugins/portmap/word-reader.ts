/** The words of conditions, one by one. Used by conditions.ts. */
import { invalidConfig } from "../../spec/errors.ts";

/** Goes through the words one by one. */
export class WordReader {
  private readonly words: readonly string[];
  private readonly key: string;
  private readonly supported: string;
  private at = 0;
  private braces = 0;

  /** `key` is the configuration's, `supported` what errors tell as their details. */
  constructor(words: readonly string[], key: string, supported: string) {
    this.supported = supported;
    this.words = splitWords(words.join(" "));
    this.key = key;
  }

  get atEnd(): boolean {
    return this.at >= this.words.length;
  }

  get insideBraces(): boolean {
    return this.braces > 0;
  }

  /** The next word without taking it; empty at the end. */
  peek(): string {
    return this.words.at(this.at) ?? "";
  }

  /** Takes the next word. @throws CniError 7 at the end */
  next(): string {
    if (this.atEnd) throw this.refusal("", "the condition ends too early");
    const word = this.peek();
    this.at += 1;
    if (word === "{") this.braces += 1;
    if (word === "}") this.braces -= 1;
    return word;
  }

  refusal(word: string, reason: string): Error {
    const where = word === "" ? "" : ` at "${word}"`;
    return invalidConfig(`${this.key}: cannot understand "${this.words.join(" ")}"${where}: ${reason}`, this.supported);
  }
}

/** Words end at blanks; braces and commas are words of their own, and quotes keep together. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let quoted = false;
  const end = (): void => {
    if (word !== "") words.push(word);
    word = "";
  };
  for (const character of text) {
    if (character === '"') {
      quoted = !quoted;
    } else if (quoted) {
      word += character;
    } else if (character === " " || character === "\t" || character === "\n") {
      end();
    } else if (character === "{" || character === "}" || character === ",") {
      end();
      words.push(character);
    } else {
      word += character;
    }
  }
  end();
  return words;
}
