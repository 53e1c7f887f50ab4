/** The tables of nf_tables: families and names. Used by everything in pkg/nftables. Source: linux/netfilter.h, nft(8). */

/** Which packets a table's chains see; `inet` sees IPv4 and IPv6. */
export type TableFamily = "inet" | "ip" | "ip6" | "bridge";

/** A table is known by its family and name together. */
export interface Table {
  readonly family: TableFamily;
  readonly name: string;
}

/** NFPROTO_*: the family's number in the kernel. */
export function familyNumber(family: TableFamily): number {
  switch (family) {
    case "inet":
      return 1;
    case "ip":
      return 2;
    case "bridge":
      return 7;
    case "ip6":
      return 10;
  }
}

/** The family behind a number, or `undefined` for those this package does not make (arp, netdev). */
export function familyOf(number: number): TableFamily | undefined {
  switch (number) {
    case 1:
      return "inet";
    case 2:
      return "ip";
    case 7:
      return "bridge";
    case 10:
      return "ip6";
    default:
      return undefined;
  }
}

/** `inet filter`, as nft writes it and as error messages name it. */
export function tableText(table: Table): string {
  return `${table.family} ${table.name}`;
}
