/** vrf's configuration. */
import { isReservedTable } from "../../pkg/link/routing-table.ts";
import { RT_TABLE_MAX } from "../../pkg/netlink/headers/rtnetlink.ts";
import type { Keys } from "../../spec/keys.ts";
import { interfaceNameProblem } from "../../spec/names.ts";

export interface VrfConfig {
  /** Empty only where DEL or GC get a configuration that cannot be used. */
  readonly vrfName: string;
  /** `undefined`: that of the VRF, or for a new one a table that nobody uses. */
  readonly table: number | undefined;
}

export const config = (keys: Keys): VrfConfig => {
  const vrfName = keys.requiredText("vrfname", "the VRF device in the container; made when missing");
  const problem = vrfName === "" ? undefined : interfaceNameProblem(vrfName);
  if (problem !== undefined) keys.refuse(`"${vrfName}" cannot name a VRF: ${problem}`, "vrfname");
  const table = keys.optionalInteger(
    "table",
    "the VRF's routing table; unset: one that nothing else uses",
    1,
    RT_TABLE_MAX,
  );
  if (table !== undefined && isReservedTable(table)) {
    keys.refuse(`${table} is one of the kernel's own`, "table", "253 to 255 are default, main and local; take another");
  }
  return { vrfName: problem === undefined ? vrfName : "", table };
};
