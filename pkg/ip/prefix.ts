/** An address with a prefix length: what CNI writes as `10.1.2.3/24`. Pure. */
import { viewOf } from "../codec/view.ts";
import { Address, type Family } from "./address.ts";

/** An address and the length of its network part in bits. Host bits are kept. Immutable. */
export class Prefix {
  readonly address: Address;
  readonly length: number;

  constructor(address: Address, length: number) {
    this.address = address;
    this.length = length;
  }

  /** Reads `address/length`; `undefined` when it is not that. */
  static parse(text: string): Prefix | undefined {
    const slash = text.indexOf("/");
    if (slash < 0) return undefined;
    const address = Address.parse(text.slice(0, slash));
    const digits = text.slice(slash + 1);
    if (address === undefined || !/^[0-9]{1,3}$/.test(digits) || Number(digits) > address.bits) return undefined;
    return new Prefix(address, Number(digits));
  }

  /** The prefix that holds this address alone: /32 or /128. */
  static host(address: Address): Prefix {
    return new Prefix(address, address.bits);
  }

  get family(): Family {
    return this.address.family;
  }

  /** The mask as an address: 255.255.255.0 for /24. */
  get mask(): Address {
    const out = new Uint8Array(this.address.bytes.length);
    const view = new DataView(out.buffer);
    for (let i = 0; i < out.length; i++) {
      const ones = Math.max(0, Math.min(8, this.length - i * 8));
      view.setUint8(i, (0xff << (8 - ones)) & 0xff);
    }
    return new Address(out);
  }

  /** The address with all host bits zero. */
  get network(): Address {
    return this.combined((address, mask) => address & mask);
  }

  /** The address with all host bits one: IPv4's broadcast address. */
  get last(): Address {
    return this.combined((address, mask) => address | (~mask & 0xff));
  }

  private combined(pick: (address: number, mask: number) => number): Address {
    const mask = new DataView(this.mask.bytes.buffer);
    const bytes = this.address.bytes;
    const address = viewOf(bytes);
    const out = new Uint8Array(bytes.length);
    const view = new DataView(out.buffer);
    for (let i = 0; i < out.length; i++) view.setUint8(i, pick(address.getUint8(i), mask.getUint8(i)));
    return new Address(out);
  }

  /** This prefix with its host bits zero. */
  get masked(): Prefix {
    return new Prefix(this.network, this.length);
  }

  contains(address: Address): boolean {
    return address.family === this.family && new Prefix(address, this.length).network.equals(this.network);
  }

  overlaps(other: Prefix): boolean {
    return this.contains(other.network) || other.contains(this.network);
  }

  equals(other: Prefix): boolean {
    return this.length === other.length && this.address.equals(other.address);
  }

  /** Whether this is 0.0.0.0/0 or ::/0. */
  get isDefault(): boolean {
    return this.length === 0 && this.network.isUnspecified;
  }

  toString(): string {
    return `${this.address.toString()}/${this.length}`;
  }
}
