/** Regular expressions for schemas that accept exactly what the parsers of pkg/ip accept. No plugin matches by them. */

const GROUP = "[0-9a-fA-F]{1,4}";
const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const FOUR = `${OCTET}(\\.${OCTET}){3}`;

/** What may follow a `::` that leaves room for so many more groups; a dotted tail takes two. */
function tail(groups: number): string {
  const plain = `(${GROUP}:){0,${groups - 1}}${GROUP}`;
  return groups < 2 ? `(${plain})?` : `(${plain}|(${GROUP}:){0,${groups - 2}}${FOUR})?`;
}

/** RFC 4291 section 2.2: in full, with a dotted tail, or with one `::` for at least one group. */
function six(): string {
  const forms = [`(${GROUP}:){7}${GROUP}`, `(${GROUP}:){6}${FOUR}`, `::${tail(7)}`];
  for (let head = 1; head < 7; head++) forms.push(`${GROUP}(:${GROUP}){${head - 1}}::${tail(7 - head)}`);
  forms.push(`${GROUP}(:${GROUP}){6}::`);
  return `(${forms.join("|")})`;
}

export function addressPattern(): string {
  return `^(${FOUR}|${six()})$`;
}

/** Prefix lengths may be written with leading zeros, in up to three digits. */
export function prefixPattern(): string {
  const lengthFour = "(0{0,2}[0-9]|0?[12][0-9]|0?3[0-2])";
  const lengthSix = "(0{0,2}[0-9]|0?[1-9][0-9]|1[01][0-9]|12[0-8])";
  return `^(${FOUR}/${lengthFour}|${six()}/${lengthSix})$`;
}

/** Hardware addresses of 6, 8 or 20 bytes. */
export function macPattern(): string {
  const forms: string[] = [];
  for (const bytes of [6, 8, 20]) {
    for (const separator of [":", "-"]) forms.push(`[0-9a-fA-F]{2}(${separator}[0-9a-fA-F]{2}){${bytes - 1}}`);
    forms.push(`[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){${bytes / 2 - 1}}`);
  }
  return `^(${forms.join("|")})$`;
}
