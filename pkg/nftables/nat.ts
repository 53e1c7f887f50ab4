/** Address translation: statements for chains of type nat. Source: linux/netfilter/nf_tables.h, linux/netfilter/nf_nat.h. */
import { u32be } from "../codec/codec.ts";
import type { Address, Family } from "../ip/address.ts";
import { Attributes, attribute, attributes } from "../netlink/attributes.ts";
import { addressType, padded, portDatum } from "./datum.ts";
import {
  type Expression,
  expression,
  FIRST_REGISTER,
  put,
  putImmediate,
  putMapLookup,
  registerAt,
} from "./expression.ts";
import { keyNeeds, keyText, loadKey } from "./match.ts";
import type { Selector } from "./selector.ts";

const natAttributes = attributes({
  type: attribute(1, u32be), // NFT_NAT_*
  family: attribute(2, u32be), // NFPROTO_*
  address: attribute(3, u32be), // register
  port: attribute(5, u32be), // register
});
const masqueradeAttributes = attributes({ flags: attribute(1, u32be) }); // NF_NAT_RANGE_*

/** How masquerading picks source ports. */
export type MasqueradeFlag = "random" | "fully-random" | "persistent";

/** Gives packets the address of the interface they leave by, in chains of the hook postrouting. */
export function masquerade(flags: readonly MasqueradeFlag[] = []): Expression {
  const text = flags.length === 0 ? "masquerade" : `masquerade ${flags.join(",")}`;
  return expression(text, (out: Attributes): void => {
    let bits = 0;
    for (const flag of flags) bits |= flagBit(flag);
    put(out, "masq", new Attributes().set(masqueradeAttributes.flags, bits === 0 ? undefined : bits));
  });
}

function flagBit(flag: MasqueradeFlag): number {
  switch (flag) {
    case "random":
      return 1 << 2;
    case "persistent":
      return 1 << 3;
    case "fully-random":
      return 1 << 4;
  }
}

/** `snat` is for postrouting and input, `dnat` for prerouting and output. */
export type NatKind = "snat" | "dnat";

/**
 * Translates to one address, and to one port unless that is to stay: `dnat ip to 10.1.1.2:80`.
 * Packets of the other family pass by.
 */
export function natTo(kind: NatKind, address: Address, port: number | undefined): Expression {
  const host = address.family === 6 && port !== undefined ? `[${address.toString()}]` : address.toString();
  const text = `${kind} ${familyText(address.family)} to ${host}${port === undefined ? "" : `:${port}`}`;
  return expression(text, (out: Attributes): void => {
    const portRegister = registerAt(16);
    putImmediate(out, FIRST_REGISTER, address.bytes);
    if (port !== undefined) putImmediate(out, portRegister, portDatum(port).bytes);
    putNat(out, kind, address.family, port === undefined ? undefined : portRegister);
  });
}

/**
 * Translates to what a map holds for the key, an address and a port: `dnat ip to meta l4proto . th dport map @ports`.
 * The map's data are the family's address type and a port. The packet goes on when the map
 * holds nothing, or an address of another family than the packet's.
 */
export function natByMap(kind: NatKind, family: Family, key: readonly Selector[], map: string): Expression {
  return {
    text: `${kind} ${familyText(family)} to ${keyText(key)} map @${map}`,
    needs: keyNeeds(key),
    states: undefined,
    encode: (out: Attributes): void => {
      loadKey(out, key);
      putMapLookup(out, map, FIRST_REGISTER);
      putNat(out, kind, family, registerAt(padded(addressType(family).length)));
    },
  };
}

function familyText(family: Family): string {
  return family === 4 ? "ip" : "ip6";
}

/** Translates to the address in the first register. */
function putNat(out: Attributes, kind: NatKind, family: Family, portRegister: number | undefined): void {
  const data = new Attributes()
    .set(natAttributes.type, kind === "snat" ? 0 : 1)
    .set(natAttributes.family, family === 4 ? 2 : 10)
    .set(natAttributes.address, FIRST_REGISTER)
    .set(natAttributes.port, portRegister);
  put(out, "nat", data);
}
