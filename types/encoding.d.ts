/** What the pure layers may use beyond ECMAScript: present on every engine, and in no TypeScript library without a platform. */
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}
