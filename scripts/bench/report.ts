/** Measurements as tables: for the terminal, and in Markdown for the README. Budgets are compared for the native suite. Pure. */
import type { Budget } from "./case.ts";

export interface Figure {
  /** Median, in the row's unit. */
  readonly value: number;
  /** Median of the CPU time in milliseconds, where there is one. */
  readonly cpu?: number;
}

export interface MeasuredRow {
  readonly title: string;
  readonly unit: "ms" | "kB";
  readonly budget: Budget & { readonly atMost?: number };
  readonly suites: Readonly<Record<string, Figure>>;
}

export function rowTitle(caseTitle: string, row: string): string {
  return `${caseTitle}: ${row}`;
}

function figure(row: MeasuredRow, suite: string): string {
  const found = row.suites[suite];
  if (found === undefined) return "–";
  if (row.unit === "kB") return `${found.value.toLocaleString("en")} kB`;
  return digits(found.value);
}

/** Three significant digits, as far as the clock has them. */
function digits(value: number): string {
  return value < 1 ? value.toFixed(3) : value < 10 ? value.toFixed(2) : value.toFixed(1);
}

function ratio(row: MeasuredRow, suite: string, of: "value" | "cpu"): number | undefined {
  const [own, reference] = [row.suites[suite]?.[of], row.suites["reference"]?.[of]];
  return own === undefined || reference === undefined || reference === 0 ? undefined : own / reference;
}

function times(value: number | undefined): string {
  return value === undefined ? "–" : `${value.toFixed(2)} ×`;
}

/** `wall ≤ 0.30 × met`, for each part of the budget. */
export function verdicts(row: MeasuredRow, rows: readonly MeasuredRow[]): string[] {
  const told: string[] = [];
  const tell = (text: string, value: number | undefined, limit: number): void => {
    if (value !== undefined) told.push(`${text}: ${value <= limit ? "met" : "MISSED"}`);
  };
  const { wall, cpu, flat, atMost } = row.budget;
  if (wall !== undefined) tell(`wall ≤ ${wall} ×`, ratio(row, "native", "value"), wall);
  if (cpu !== undefined) tell(`CPU ≤ ${cpu} ×`, ratio(row, "native", "cpu"), cpu);
  if (atMost !== undefined) tell(`≤ ${atMost.toLocaleString("en")} kB`, row.suites["native"]?.value, atMost);
  if (flat !== undefined) {
    const base = rows.find((each) => each.title === flat.row)?.suites["native"]?.cpu;
    const own = row.suites["native"]?.cpu;
    const growth = base === undefined || own === undefined ? undefined : own / base;
    tell(`flat, ${growth?.toFixed(2)} ≤ ${flat.times}`, growth, flat.times);
  }
  return told;
}

const headings: readonly string[] = [
  "what",
  "reference",
  "native",
  "Bun",
  "native : reference",
  "Bun : reference",
  "CPU, native : reference",
  "budget",
];

function cells(row: MeasuredRow, rows: readonly MeasuredRow[]): string[] {
  return [
    row.title,
    figure(row, "reference"),
    figure(row, "native"),
    figure(row, "bun"),
    times(ratio(row, "native", "value")),
    times(ratio(row, "bun", "value")),
    times(ratio(row, "native", "cpu")),
    verdicts(row, rows).join("; "),
  ];
}

/** Columns padded with spaces; times are in milliseconds of wall time. */
export function textTable(rows: readonly MeasuredRow[]): string {
  const table = [[...headings], ...rows.map((row) => cells(row, rows))];
  const widths = headings.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const padded = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : i === 7 ? cell : cell.padStart(widths[i] ?? 0)))
      .join("  ");
  return table.map(padded).join("\n");
}

export function markdownTable(rows: readonly MeasuredRow[]): string {
  const line = (parts: readonly string[]): string => `| ${parts.join(" | ")} |`;
  const rule = headings.map((_, i) => (i === 0 || i === 7 ? "---" : "---:"));
  return [line(headings), line(rule), ...rows.map((row) => line(cells(row, rows)))].join("\n");
}
