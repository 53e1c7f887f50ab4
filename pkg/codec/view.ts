/** Bytes as what reads them: beyond their end a DataView throws RangeError, and an index aborts natively. Pure. */

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
