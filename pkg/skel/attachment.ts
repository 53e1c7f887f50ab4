/** Who owns a kernel object: one interface of one container on one network. Every object that outlives a call carries this as a tag. */
import { textDigest } from "../codec/sha512.ts";

/** The tag's first part, by which everything of a network is found; 16 hexadecimal digits. */
export function networkTag(network: string): string {
  return digest(network);
}

/** The longest tag: it must fit a kernel comment that `nft` still prints (128 bytes with its NUL). */
const TAG_BYTES = 120;

function digest(text: string): string {
  return textDigest(text, 16);
}

/** One attachment: the triple that the specification identifies it by. */
export class Attachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
  private key_ = "";

  constructor(network: string, containerId: string, ifName: string) {
    this.network = network;
    this.containerId = containerId;
    this.ifName = ifName;
  }

  /** `<16 hex of the network>-<16 hex of ifname and container>`: what tags are compared by. */
  get key(): string {
    if (this.key_ === "") this.key_ = `${digest(this.network)}-${digest(`${this.ifName}:${this.containerId}`)}`;
    return this.key_;
  }

  /** The key and, for people, the names; at most 120 bytes. */
  get tag(): string {
    return `${this.key} ${this.network} ${this.ifName} ${this.containerId}`.slice(0, TAG_BYTES);
  }

  /**
   * 28 bits of the whole key above a bit that is always set: what a link carries as its group from the moment that it is made until it carries
   * the tag, which the kernel does not take at creation.
   */
  get mark(): number {
    const [network, interfaceOfContainer] = [this.key.slice(0, 7), this.key.slice(17, 24)];
    return 0x1000_0000 + (parseInt(network, 16) ^ parseInt(interfaceOfContainer, 16));
  }

  /** "container 4f2a… (eth0)", for messages. */
  toString(): string {
    return `container ${this.containerId} (${this.ifName}, network ${this.network})`;
  }
}

/** The part of a tag that names an attachment, or `undefined` when the text is no tag of ours. */
export function keyOfTag(tag: string): string | undefined {
  return /^[0-9a-f]{16}-[0-9a-f]{16}( |$)/.test(tag) ? tag.slice(0, 33) : undefined;
}
