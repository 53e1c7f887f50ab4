/** What is wrong with a configuration: thrown at once, or collected where a bad key must not stop the work (DEL, GC). */
import { invalidConfig } from "./errors.ts";

export class Problems {
  /** All of them, in the order they were met. */
  readonly found: string[] = [];
  /** Those of them that a schema sees too: a key's type, range, choice or format. */
  readonly shape: string[] = [];
  private readonly tolerant: boolean;

  constructor(tolerant: boolean) {
    this.tolerant = tolerant;
  }

  /** A key that does not hold what it may hold. @throws CniError 7 unless problems are collected */
  misshapen(message: string, details: string): void {
    this.report(message, details);
    this.shape.push(message);
  }

  /** Anything else: keys that contradict each other. @throws CniError 7 unless problems are collected */
  report(message: string, details: string): void {
    if (!this.tolerant) throw invalidConfig(message, details);
    this.found.push(message);
  }
}
