/** vrf's configuration. */
import { isReservedTable, LARGEST_TABLE } from "../../pkg/link/routing-table.ts";
import type { Keys } from "../../spec/keys.ts";

export interface VrfConfig {
  /** Empty only where DEL or GC get a configuration that cannot be used. */
  readonly vrfName: string;
  /** `undefined`: that of the VRF, or for a new one a table that nobody uses. */
  readonly table: number | undefined;
}

/** IFNAMSIZ without the terminating NUL. */
const NAME_BYTES = 15;

export const config = (keys: Keys): VrfConfig => {
  const vrfName = keys.requiredText("vrfname", "the VRF device in the container; made when missing");
  const problem = vrfName === "" ? "" : nameProblem(vrfName);
  if (problem !== "") keys.refuse(`"${vrfName}" ${problem}`, "vrfname", "it is the name of a link");
  const table = keys.optionalInteger(
    "table",
    "the VRF's routing table; unset: one that nothing else uses",
    1,
    LARGEST_TABLE,
  );
  if (table !== undefined && isReservedTable(table)) {
    keys.refuse(`${table} is one of the kernel's own`, "table", "253 to 255 are default, main and local; take another");
  }
  return { vrfName: problem === "" ? vrfName : "", table };
};

/** What the kernel would refuse (net/core/dev.c, dev_valid_name). */
function nameProblem(name: string): string {
  if (new TextEncoder().encode(name).length > NAME_BYTES) return `is longer than ${NAME_BYTES} bytes`;
  if (name === "." || name === ".." || /[/:%\s]/.test(name)) return "is no name for a link";
  return "";
}
