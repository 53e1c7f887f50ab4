/** Where in a message a field is, for errors: `link/linkinfo/data/vlanFiltering`. Put together only when there is an error. Pure. */

/** A name that a table gives its row; tables are read for them when the first error asks. */
export class Label {
  text: string;
  constructor(text = "") {
    this.text = text;
  }
}

const tables: (() => void)[] = [];

/** Registers what gives a table's rows their names: reading every table at each start would be a quarter of a short call. */
export function nameLater(name: () => void): void {
  tables.push(name);
}

export class Path {
  private readonly parent: Path | undefined;
  private readonly label: Label;

  constructor(parent: Path | undefined, label: Label) {
    this.parent = parent;
    this.label = label;
  }

  static root(name: string): Path {
    return new Path(undefined, new Label(name));
  }

  toString(): string {
    for (const name of tables.splice(0)) name();
    return this.parent === undefined ? this.label.text : `${this.parent.toString()}/${this.label.text}`;
  }
}
