/** Giving back what was there: the messages are those of copies (address-copy.ts, route-copies.ts). */
import { isKernelError } from "../linux/errno.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

/** Makes what the message makes; that it is there is success. @throws KernelError */
export function makeAgain(stack: NetworkStack, { operation, type, flags, body }: BatchMessage): void {
  try {
    stack.route.request(operation, type, flags, body);
  } catch (error) {
    if (!isKernelError(error, "EEXIST")) throw error;
  }
}
