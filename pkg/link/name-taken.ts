/** The error of an interface name that the container has already. Used wherever a container's interface is made. */
import { CniError, ErrorCode } from "../../spec/errors.ts";

export function nameTaken(ifName: string): CniError {
  return new CniError(
    ErrorCode.Taken,
    `container interface name ("${ifName}") already exists`,
    "the container has such an interface already: delete it, or attach under another CNI_IFNAME",
  );
}
