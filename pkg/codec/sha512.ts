/**
 * SHA-512 (FIPS 180-4) on 32-bit halves, high half first: neither engine has 64-bit integers that are fast in every build.
 * Used for names and tags that follow from other names; nothing here guards a secret.
 */
import { toHex } from "./hex.ts";

/** Fractional parts of the cube roots of the first 80 primes (section 4.2.3). */
// biome-ignore format: a table
const ROUND_CONSTANTS = new Uint32Array([
  0x428a2f98, 0xd728ae22, 0x71374491, 0x23ef65cd, 0xb5c0fbcf, 0xec4d3b2f, 0xe9b5dba5, 0x8189dbbc,
  0x3956c25b, 0xf348b538, 0x59f111f1, 0xb605d019, 0x923f82a4, 0xaf194f9b, 0xab1c5ed5, 0xda6d8118,
  0xd807aa98, 0xa3030242, 0x12835b01, 0x45706fbe, 0x243185be, 0x4ee4b28c, 0x550c7dc3, 0xd5ffb4e2,
  0x72be5d74, 0xf27b896f, 0x80deb1fe, 0x3b1696b1, 0x9bdc06a7, 0x25c71235, 0xc19bf174, 0xcf692694,
  0xe49b69c1, 0x9ef14ad2, 0xefbe4786, 0x384f25e3, 0x0fc19dc6, 0x8b8cd5b5, 0x240ca1cc, 0x77ac9c65,
  0x2de92c6f, 0x592b0275, 0x4a7484aa, 0x6ea6e483, 0x5cb0a9dc, 0xbd41fbd4, 0x76f988da, 0x831153b5,
  0x983e5152, 0xee66dfab, 0xa831c66d, 0x2db43210, 0xb00327c8, 0x98fb213f, 0xbf597fc7, 0xbeef0ee4,
  0xc6e00bf3, 0x3da88fc2, 0xd5a79147, 0x930aa725, 0x06ca6351, 0xe003826f, 0x14292967, 0x0a0e6e70,
  0x27b70a85, 0x46d22ffc, 0x2e1b2138, 0x5c26c926, 0x4d2c6dfc, 0x5ac42aed, 0x53380d13, 0x9d95b3df,
  0x650a7354, 0x8baf63de, 0x766a0abb, 0x3c77b2a8, 0x81c2c92e, 0x47edaee6, 0x92722c85, 0x1482353b,
  0xa2bfe8a1, 0x4cf10364, 0xa81a664b, 0xbc423001, 0xc24b8b70, 0xd0f89791, 0xc76c51a3, 0x0654be30,
  0xd192e819, 0xd6ef5218, 0xd6990624, 0x5565a910, 0xf40e3585, 0x5771202a, 0x106aa070, 0x32bbd1b8,
  0x19a4c116, 0xb8d2d0c8, 0x1e376c08, 0x5141ab53, 0x2748774c, 0xdf8eeb99, 0x34b0bcb5, 0xe19b48a8,
  0x391c0cb3, 0xc5c95a63, 0x4ed8aa4a, 0xe3418acb, 0x5b9cca4f, 0x7763e373, 0x682e6ff3, 0xd6b2b8a3,
  0x748f82ee, 0x5defb2fc, 0x78a5636f, 0x43172f60, 0x84c87814, 0xa1f0ab72, 0x8cc70208, 0x1a6439ec,
  0x90befffa, 0x23631e28, 0xa4506ceb, 0xde82bde9, 0xbef9a3f7, 0xb2c67915, 0xc67178f2, 0xe372532b,
  0xca273ece, 0xea26619c, 0xd186b8c7, 0x21c0c207, 0xeada7dd6, 0xcde0eb1e, 0xf57d4f7f, 0xee6ed178,
  0x06f067aa, 0x72176fba, 0x0a637dc5, 0xa2c898a6, 0x113f9804, 0xbef90dae, 0x1b710b35, 0x131c471b,
  0x28db77f5, 0x23047d84, 0x32caab7b, 0x40c72493, 0x3c9ebe0a, 0x15c9bebc, 0x431d67c4, 0x9c100d4c,
  0x4cc5d4be, 0xcb3e42b6, 0x597f299c, 0xfc657e2a, 0x5fcb6fab, 0x3ad6faec, 0x6c44198c, 0x4a475817,
]);
/** Fractional parts of the square roots of the first 8 primes (section 5.3.5). */
// biome-ignore format: a table
const INITIAL_HASH = new Uint32Array([
  0x6a09e667, 0xf3bcc908, 0xbb67ae85, 0x84caa73b, 0x3c6ef372, 0xfe94f82b, 0xa54ff53a, 0x5f1d36f1,
  0x510e527f, 0xade682d1, 0x9b05688c, 0x2b3e6c1f, 0x1f83d9ab, 0xfb41bd6b, 0x5be0cd19, 0x137e2179,
]);

const BLOCK_BYTES = 128;
const WORDS = 80;
const TWO_TO_32 = 0x100000000;

/**
 * The upper half of a rotation to the right by less than 32; with the halves swapped, the lower. A rotation by more is one by 32
 * less of the swapped halves.
 */
function rotated(high: number, low: number, by: number): number {
  return (high >>> by) | (low << (32 - by));
}

/** What the low halves' sum carries over to the high halves'. */
function carry(sum: number): number {
  return Math.floor(sum / TWO_TO_32);
}

/** The lower-case hexadecimal digest of `data`, 128 digits. */
export function sha512(data: Uint8Array): string {
  const message = padded(data);
  const digest = new Uint8Array(64);
  const hash = new DataView(digest.buffer);
  const initial = new DataView(INITIAL_HASH.buffer);
  for (let at = 0; at < 64; at += 4) hash.setUint32(at, initial.getUint32(at, true));
  const schedule = new DataView(new Uint8Array(WORDS * 8).buffer);
  for (let at = 0; at < message.byteLength; at += BLOCK_BYTES) {
    expand(message, at, schedule);
    compress(hash, schedule);
  }
  return toHex(digest);
}

/** The first `digits` of a text's digest: a name that follows from other names. */
export function textDigest(text: string, digits: number): string {
  return sha512(new TextEncoder().encode(text)).slice(0, digits);
}

/** The message with its padding: a one bit, zeros, and the length in bits (section 5.1.2). */
function padded(data: Uint8Array): DataView {
  const out = new Uint8Array((((data.length + 16) >> 7) << 7) + BLOCK_BYTES);
  out.set(data);
  const view = new DataView(out.buffer);
  view.setUint8(data.length, 0x80);
  view.setUint32(out.length - 4, data.length * 8);
  return view;
}

/** The message schedule of one block (section 6.4.2, step 1). */
function expand(message: DataView, at: number, schedule: DataView): void {
  for (let i = 0; i < BLOCK_BYTES; i += 4) schedule.setUint32(i, message.getUint32(at + i));
  for (let i = BLOCK_BYTES; i < WORDS * 8; i += 8) {
    const ah = schedule.getUint32(i - 120);
    const al = schedule.getUint32(i - 116);
    const bh = schedule.getUint32(i - 16);
    const bl = schedule.getUint32(i - 12);
    const low =
      ((rotated(al, ah, 1) ^ rotated(al, ah, 8) ^ rotated(al, ah, 7)) >>> 0) +
      ((rotated(bl, bh, 19) ^ rotated(bh, bl, 29) ^ rotated(bl, bh, 6)) >>> 0) +
      schedule.getUint32(i - 124) +
      schedule.getUint32(i - 52);
    const high =
      ((rotated(ah, al, 1) ^ rotated(ah, al, 8) ^ (ah >>> 7)) >>> 0) +
      ((rotated(bh, bl, 19) ^ rotated(bl, bh, 29) ^ (bh >>> 6)) >>> 0) +
      schedule.getUint32(i - 128) +
      schedule.getUint32(i - 56) +
      carry(low);
    schedule.setUint32(i, high >>> 0);
    schedule.setUint32(i + 4, low >>> 0);
  }
}

/**
 * The rounds of one block over the working variables a to h, and their sum with the hash so far (section 6.4.2, steps 2 to 4).
 * Local variables, for this is where the time goes.
 */
function compress(hash: DataView, schedule: DataView): void {
  const constants = new DataView(ROUND_CONSTANTS.buffer);
  let ah = hash.getUint32(0);
  let al = hash.getUint32(4);
  let bh = hash.getUint32(8);
  let bl = hash.getUint32(12);
  let ch = hash.getUint32(16);
  let cl = hash.getUint32(20);
  let dh = hash.getUint32(24);
  let dl = hash.getUint32(28);
  let eh = hash.getUint32(32);
  let el = hash.getUint32(36);
  let fh = hash.getUint32(40);
  let fl = hash.getUint32(44);
  let gh = hash.getUint32(48);
  let gl = hash.getUint32(52);
  let hh = hash.getUint32(56);
  let hl = hash.getUint32(60);
  for (let at = 0; at < WORDS * 8; at += 8) {
    const firstLow =
      hl +
      ((rotated(el, eh, 14) ^ rotated(el, eh, 18) ^ rotated(eh, el, 9)) >>> 0) +
      (((el & fl) ^ (~el & gl)) >>> 0) +
      constants.getUint32(at + 4, true) +
      schedule.getUint32(at + 4);
    const firstHigh =
      hh +
      ((rotated(eh, el, 14) ^ rotated(eh, el, 18) ^ rotated(el, eh, 9)) >>> 0) +
      (((eh & fh) ^ (~eh & gh)) >>> 0) +
      constants.getUint32(at, true) +
      schedule.getUint32(at) +
      carry(firstLow);
    const secondLow =
      ((rotated(al, ah, 28) ^ rotated(ah, al, 2) ^ rotated(ah, al, 7)) >>> 0) +
      (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0);
    const secondHigh =
      ((rotated(ah, al, 28) ^ rotated(al, ah, 2) ^ rotated(al, ah, 7)) >>> 0) +
      (((ah & bh) ^ (ah & ch) ^ (bh & ch)) >>> 0);
    const nextLow = dl + (firstLow >>> 0);
    const sumLow = (firstLow >>> 0) + secondLow;
    hh = gh;
    hl = gl;
    gh = fh;
    gl = fl;
    fh = eh;
    fl = el;
    eh = (dh + firstHigh + carry(nextLow)) >>> 0;
    el = nextLow >>> 0;
    dh = ch;
    dl = cl;
    ch = bh;
    cl = bl;
    bh = ah;
    bl = al;
    ah = (firstHigh + secondHigh + carry(sumLow)) >>> 0;
    al = sumLow >>> 0;
  }
  accumulate(hash, 0, ah, al);
  accumulate(hash, 8, bh, bl);
  accumulate(hash, 16, ch, cl);
  accumulate(hash, 24, dh, dl);
  accumulate(hash, 32, eh, el);
  accumulate(hash, 40, fh, fl);
  accumulate(hash, 48, gh, gl);
  accumulate(hash, 56, hh, hl);
}

function accumulate(hash: DataView, at: number, high: number, low: number): void {
  const sum = hash.getUint32(at + 4) + low;
  hash.setUint32(at, (hash.getUint32(at) + high + carry(sum)) >>> 0);
  hash.setUint32(at + 4, sum >>> 0);
}
