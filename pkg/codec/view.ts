/** Bytes as what reads them: beyond their end a DataView throws RangeError, and an index aborts natively. Pure. */

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  const view = viewOf(other);
  let at = 0;
  for (const byte of one) {
    if (view.getUint8(at) !== byte) return false;
    at += 1;
  }
  return true;
}
