/**
 * What was there before tuning, as text: the reference suite's format (mac, promisc, mtu, allmulti, txQLen; only what was changed),
 * with members of our own behind, which its decoder passes over. Pure.
 */
import { JsonObject } from "../../spec/json.ts";

/** Attributes of a link; `undefined` for those that are left alone. */
export interface LinkValues {
  /** Lower case with colons. */
  readonly mac: string | undefined;
  /** Bytes. */
  readonly mtu: number | undefined;
  readonly promiscuous: boolean | undefined;
  readonly allMulticast: boolean | undefined;
  /** Packets. */
  readonly txQueueLength: number | undefined;
}

/** A sysctl that was written; the path is below /proc/sys. */
export interface SysctlChange {
  readonly path: string;
  readonly former: string;
  readonly set: string;
}

export interface Backup {
  /** The attachment's tag; empty in the reference's files. */
  readonly owner: string;
  /** The network namespace: device, inode and path; empty in the reference's files. */
  readonly sandbox: string;
  readonly link: LinkValues;
  readonly sysctls: readonly SysctlChange[];
}

/** In the order in which the reference writes its members. */
interface BackupDocument {
  readonly mac?: string | undefined;
  readonly promisc?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly allmulti?: boolean | undefined;
  readonly txQLen?: number | undefined;
  readonly owner: string;
  readonly sandbox: string;
  readonly sysctls: readonly SysctlChange[];
}

export function formatBackup({ owner, sandbox, link, sysctls }: Backup): string {
  const document: BackupDocument = {
    mac: link.mac,
    promisc: link.promiscuous,
    mtu: link.mtu,
    allmulti: link.allMulticast,
    txQLen: link.txQueueLength,
    owner,
    sandbox,
    sysctls,
  };
  return JSON.stringify(document, null, 1);
}

/** `undefined` when the text is damaged: no JSON object, or one with a member of the wrong kind. */
export function parseBackup(text: string): Backup | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const object = JsonObject.of(value);
    return object === undefined ? undefined : decode(object);
  } catch (_) {
    return undefined;
  }
}

/** @throws Error for a member of the wrong kind */
function decode(object: JsonObject): Backup {
  const mac = textOf(object, "mac");
  return {
    owner: textOf(object, "owner") ?? "",
    sandbox: textOf(object, "sandbox") ?? "",
    link: {
      mac: mac === "" ? undefined : mac,
      mtu: numberOf(object, "mtu"),
      promiscuous: flagOf(object, "promisc"),
      allMulticast: flagOf(object, "allmulti"),
      txQueueLength: numberOf(object, "txQLen"),
    },
    sysctls: changesOf(object),
  };
}

function textOf(object: JsonObject, name: string): string | undefined {
  const value = object.get(name);
  if (value === undefined || typeof value === "string") return value;
  throw new Error(`${name} is no text`);
}

function numberOf(object: JsonObject, name: string): number | undefined {
  const value = object.get(name);
  if (value === undefined || typeof value === "number") return value;
  throw new Error(`${name} is no number`);
}

function flagOf(object: JsonObject, name: string): boolean | undefined {
  const value = object.get(name);
  if (value === undefined || typeof value === "boolean") return value;
  throw new Error(`${name} is neither true nor false`);
}

function changesOf(object: JsonObject): SysctlChange[] {
  const changes: SysctlChange[] = [];
  const value = object.get("sysctls");
  if (value === undefined) return changes;
  if (!Array.isArray(value)) throw new Error("sysctls is no list");
  for (const item of value as unknown[]) {
    const change = JsonObject.of(item);
    const path = change?.get("path");
    const former = change?.get("former");
    const set = change?.get("set");
    if (typeof path !== "string" || typeof former !== "string" || typeof set !== "string" || !path.startsWith("net/")) {
      throw new Error("an item of sysctls is no change of one");
    }
    changes.push({ path, former, set });
  }
  return changes;
}

/** What to remember when the attachment is tuned again: what was there before the first time stays, what is new is added. */
export function mergeBackups(earlier: Backup, later: Backup): Backup {
  const sysctls: SysctlChange[] = [];
  for (const old of earlier.sysctls) {
    const again = later.sysctls.find((change) => change.path === old.path);
    sysctls.push(again === undefined ? old : { path: old.path, former: old.former, set: again.set });
  }
  for (const change of later.sysctls) {
    if (!earlier.sysctls.some((old) => old.path === change.path)) sysctls.push(change);
  }
  return {
    owner: later.owner,
    sandbox: later.sandbox,
    link: {
      mac: earlier.link.mac ?? later.link.mac,
      mtu: earlier.link.mtu ?? later.link.mtu,
      promiscuous: earlier.link.promiscuous ?? later.link.promiscuous,
      allMulticast: earlier.link.allMulticast ?? later.link.allMulticast,
      txQueueLength: earlier.link.txQueueLength ?? later.link.txQueueLength,
    },
    sysctls,
  };
}

/**
 * Whether a record is of an earlier life of the container, in a namespace that is no more: its values are nobody's now. Another path may
 * be another name of the same one, which `leadsThere` tells of the record's path; the identity alone may be an old one's again.
 */
export function isOutlived(backup: Backup, sandbox: string, leadsThere: (path: string) => boolean): boolean {
  if (backup.sandbox === "" || sandbox === "" || backup.sandbox === sandbox) return false;
  const identity = sandbox.slice(0, sandbox.indexOf(" "));
  return !isOfNamespace(backup, identity) || !leadsThere(backup.sandbox.slice(identity.length + 1));
}

/** Whether a record's values are of the namespace with this identity, whatever path leads there now. */
export function isOfNamespace(backup: Backup, identity: string): boolean {
  return backup.sandbox === "" || backup.sandbox.startsWith(`${identity} `);
}
