/** "Did you mean": the known name that a misspelt one is closest to. Used for configuration keys. */

/** Names up to this long are suggested for one slip only: two would turn `mac` into `mtu`. */
const SHORT_NAME = 4;

/** The nearest of the known names within two slips (one for short names), or `undefined`. Case does not count. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let limit = name.length <= SHORT_NAME ? 1 : 2;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance > limit || (distance === limit && nearest !== undefined)) continue;
    nearest = candidate;
    limit = distance;
  }
  return nearest;
}

/** How many letters must be inserted, removed or replaced to turn one text into the other (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let row: number[] = [];
  for (let column = 0; column <= to.length; column++) row.push(column);
  for (let at = 0; at < from.length; at++) {
    const next: number[] = [at + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (from.charAt(at) === to.charAt(column) ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
