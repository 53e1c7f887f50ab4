/** `vlanTrunk`: the tagged VLANs of a port, given singly or as ranges. */
import { FIRST_VLAN, LAST_VLAN } from "../../pkg/netlink/headers/if-vlan.ts";
import type { Keys } from "../../spec/keys.ts";

interface TrunkEntry {
  readonly id: number | undefined;
  readonly minID: number | undefined;
  readonly maxID: number | undefined;
}

function readEntry(keys: Keys): TrunkEntry {
  const entry: TrunkEntry = {
    id: keys.optionalInteger("id", "one VLAN", FIRST_VLAN, LAST_VLAN),
    minID: keys.optionalInteger("minID", "first VLAN of a range", FIRST_VLAN, LAST_VLAN),
    maxID: keys.optionalInteger("maxID", "last VLAN of a range", FIRST_VLAN, LAST_VLAN),
  };
  const { minID, maxID } = entry;
  if (minID === undefined && maxID !== undefined) {
    keys.refuse("minID and maxID should be configured simultaneously, minID is missing", "", "for one VLAN give id");
  }
  if (minID !== undefined && maxID === undefined) {
    keys.refuse("minID and maxID should be configured simultaneously, maxID is missing", "", "for one VLAN give id");
  }
  if (minID !== undefined && maxID !== undefined && minID > maxID) {
    keys.refuse("minID is greater than maxID in trunk parameter", "", "minID is the first VLAN and maxID the last");
  }
  return entry;
}

/** The VLANs in order, each once; `undefined` when the key is absent, which differs from an empty list. */
export function readTrunk(keys: Keys): number[] | undefined {
  const entries = keys.optionalList("vlanTrunk", readEntry, "more VLANs that the port carries, tagged");
  if (entries === undefined) return undefined;
  const vlans = new Set<number>();
  for (const { id, minID, maxID } of entries) {
    if (id !== undefined) vlans.add(id);
    if (minID === undefined || maxID === undefined) continue;
    for (let vlan = minID; vlan <= maxID; vlan++) vlans.add(vlan);
  }
  const sorted: number[] = [];
  for (const vlan of vlans) sorted.push(vlan);
  return sorted.toSorted((a, b) => a - b);
}
