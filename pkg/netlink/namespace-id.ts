/** The numbers by which one network namespace knows others, as links give them. Source: linux/net_namespace.h. */
import { i32, u32 } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import { RTM_GETNSID } from "./headers/rtnetlink.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** NETNSA_NSID_NOT_ASSIGNED */
const NONE = -1;

/** NETNSA_* */
const namespaceAttributes = attributes({
  id: attribute(1, i32),
  descriptor: attribute(3, u32),
});

/** The id that links of this stack have as `linkNamespaceId`; `undefined` where none was ever given. @throws KernelError */
export function namespaceId(stack: NetworkStack, of: NetworkNamespace): number | undefined {
  const body = messageBody(
    new Writer().u8(AF_UNSPEC),
    new Attributes().set(namespaceAttributes.descriptor, of.descriptor),
  );
  const answer = stack.route.request(`ask for the id of ${of.path}`, RTM_GETNSID, 0, body).at(0);
  const id =
    answer === undefined
      ? undefined
      : Attributes.decode(answer.body.subarray(4), "namespace").get(namespaceAttributes.id);
  return id === NONE ? undefined : id;
}
