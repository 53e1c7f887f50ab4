/**
 * A fixed set of many texts. Pure. In place of `Set`, which the native engine's runtime (scriptc 0.1.7) corrupts memory with once
 * it grows past some thousand members; the number of reservations has no such bound.
 */
export class SortedTexts {
  private readonly texts: readonly string[];

  constructor(texts: readonly string[]) {
    this.texts = texts.toSorted(compareTexts);
  }

  /** By binary search. */
  has(text: string): boolean {
    let low = 0;
    let high = this.texts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compareTexts(this.texts.at(middle) ?? "", text);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }
}

/** By code units: any fixed order does. */
export function compareTexts(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
