/** Raw frames on one interface, past the IP stack. Source: packet(7), linux/if_packet.h. */
import { closeSync } from "node:fs";
import { errno, sendto, socket } from "#system";
import { KernelError } from "./errno.ts";

const AF_PACKET = 17;
/** SOCK_RAW | SOCK_CLOEXEC: frames with their link-layer header. */
const RAW = 3 | 0x80000;
const SOCKADDR_LL_BYTES = 20;

/**
 * Sends frames, complete with their Ethernet header, from the interface. Opens its socket in the namespace that the thread is
 * in, and receives nothing. @throws KernelError
 */
export function sendFrames(interfaceIndex: number, frames: readonly Uint8Array[]): void {
  // Protocol 0: nothing is received.
  const descriptor = socket(AF_PACKET, RAW, 0);
  if (descriptor < 0) throw new KernelError("open a packet socket", errno());
  try {
    const address = new Uint8Array(SOCKADDR_LL_BYTES);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setInt32(4, interfaceIndex, true);
    for (const frame of frames) {
      if (sendto(descriptor, frame, 0, address) < 0) {
        throw new KernelError(`send a frame from interface ${interfaceIndex}`, errno());
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
