/**
 * A JSON object being put together from members that are JSON text already. What is passed on without being known keeps its
 * place and its meaning; only what is set is replaced. Used by libcni, and by plugins that call a delegate.
 */
import type { JsonObject } from "./json.ts";

export class JsonMembers {
  private names: string[] = [];
  private readonly texts = new Map<string, string>();

  /** The members of an object, in its order. */
  static of(object: JsonObject): JsonMembers {
    const members = new JsonMembers();
    for (const name of object.keys()) members.append(name, JSON.stringify(object.get(name) ?? null));
    return members;
  }

  /** Sets a member to JSON text, last, instead of all that have its name in whatever case: plugins read names without regard to it. */
  set(name: string, json: string): JsonMembers {
    this.remove(name);
    this.append(name, json);
    return this;
  }

  /** Sets a member to a text and puts it before all others. */
  lead(name: string, text: string): JsonMembers {
    this.set(name, JSON.stringify(text));
    this.names = [name, ...this.names.slice(0, -1)];
    return this;
  }

  setText(name: string, text: string): JsonMembers {
    return this.set(name, JSON.stringify(text));
  }

  /** Takes a member away, in whatever case it is written. */
  remove(name: string): JsonMembers {
    const lower = name.toLowerCase();
    const kept: string[] = [];
    for (const candidate of this.names) {
      if (candidate.toLowerCase() === lower) this.texts.delete(candidate);
      else kept.push(candidate);
    }
    this.names = kept;
    return this;
  }

  get isEmpty(): boolean {
    return this.names.length === 0;
  }

  /** The object, on one line. */
  toString(): string {
    const members: string[] = [];
    for (const name of this.names) members.push(`${JSON.stringify(name)}:${this.texts.get(name) ?? "null"}`);
    return `{${members.join(",")}}`;
  }

  private append(name: string, json: string): void {
    this.names.push(name);
    this.texts.set(name, json);
  }
}
