/** Variables that a plugin cannot work with, and verbs that a version does not know. */
import { describe } from "vitest";
import { ErrorCode } from "../../spec/errors.ts";
import { engines } from "../helpers/engines.ts";
import type { Verb } from "../helpers/plugin.ts";
import { type BadInput, bad, bridge, declareBadInput, loopback, ptp } from "./bad-input.ts";

const environmentRows: readonly BadInput[] = [
  bad("loopback", "CNI_CONTAINERID is missing", loopback, 4, /CNI_CONTAINERID/, { call: { containerId: undefined } }),
  bad("loopback", "CNI_IFNAME is missing", loopback, 4, /CNI_IFNAME/, { call: { ifName: undefined } }),
  bad("loopback", "CNI_NETNS is missing", loopback, 4, /CNI_NETNS/, { call: { netns: undefined } }),
  bad("loopback", "CNI_PATH is empty", loopback, 4, /CNI_PATH/, { call: { path: "" } }),
  bad("bridge", "several variables are missing: all are named", bridge, 4, /CNI_CONTAINERID.*CNI_NETNS.*CNI_IFNAME/, {
    call: { containerId: undefined, ifName: undefined, netns: undefined },
  }),
  bad("bridge", "an unknown CNI_COMMAND", bridge, 4, /FROB/, { verb: "FROB" }),
  bad("bridge", "CNI_COMMAND in lower case", bridge, 4, /add/, { verb: "add" }),
  bad("bridge", "a container id with /", bridge, 4, /a\/b|containerID/, { call: { containerId: "a/b" } }),
  bad("bridge", "the container id ..", bridge, 4, /containerID/, { call: { containerId: ".." } }),
  bad("bridge", "an interface name with /", bridge, 4, /interface name/, { call: { ifName: "../eth0" } }),
  bad("bridge", "the interface name ..", bridge, 4, /interface name/, { call: { ifName: ".." } }),
  bad("bridge", "an interface name of 16 bytes", bridge, 4, /too long/, { call: { ifName: "eth0123456789abc" } }),
  bad("bridge", "an interface name with %", bridge, 4, /interface name.*template/, { call: { ifName: "net%d" } }),
  bad("ptp", "an interface name with a space", ptp, 4, /interface name/, { call: { ifName: "eth 0" } }),
  bad("bridge", "CNI_NETNS is a missing path", bridge, 4, /\/run\/netns\/missing/, {
    call: { netns: "/run/netns/missing" },
  }),
  bad("bridge", "CNI_NETNS is a plain file", bridge, 4, /\/etc\/passwd/, { call: { netns: "/etc/passwd" } }),
  bad("ptp", "CNI_NETNS is a directory", ptp, 4, /\/etc/, { call: { netns: "/etc" } }),
  bad("ptp", "CNI_NETNS is a namespace of another kind", ptp, 4, /\/proc\/self\/ns\/uts/, {
    call: { netns: "/proc/self/ns/uts" },
  }),
  bad("loopback", "CNI_NETNS is our own namespace", loopback, 8, /netns/, { call: { netns: "/proc/self/ns/net" } }),
  bad("bridge", "CNI_NETNS is our own namespace under another name", bridge, 8, /netns/, { call: { netns: "$NODE" } }),
  bad("bridge", "CNI_NETNS is our own namespace, for CHECK", bridge, 8, /netns/, {
    call: { netns: "$NODE" },
    verb: "CHECK",
  }),
  bad("bridge", "CNI_ARGS that is no list of KEY=value", bridge, [4, 7], /CNI_ARGS|nonsense/, {
    call: { args: "nonsense" },
  }),
  bad("bridge", "CNI_ARGS with a MAC that is none", bridge, [4, 7], /zz/, { call: { args: "MAC=zz" } }),
];

/** Rows whose executable is started by a shell, with stdin as that makes it. */
function stdinRow(what: string, verb: Verb, redirection: string, code: number, names: RegExp): BadInput {
  return bad("loopback", what, "", code, names, { verb, call: { wrapper: ["sh", "-c", `exec "$0" ${redirection}`] } });
}
const stdinRows: readonly BadInput[] = [
  stdinRow("stdin is a directory", "ADD", "</etc", ErrorCode.Io, /reading from stdin: EISDIR/),
  stdinRow("stdin is a directory, for DEL", "DEL", "</etc", ErrorCode.Io, /reading from stdin: EISDIR/),
  stdinRow("stdin cannot be read", "ADD", "0>/dev/null", ErrorCode.Io, /reading from stdin: EBADF/),
  stdinRow("stdin is at its end", "ADD", "</dev/null", ErrorCode.Decode, /it is empty/),
];
/** Bun, like the reference's language, opens /dev/null where stdin is closed. */
const closedRows: Readonly<Record<string, BadInput>> = {
  native: stdinRow("stdin is closed", "ADD", "<&-", ErrorCode.Io, /reading from stdin: EBADF/),
  bun: stdinRow("stdin is closed", "ADD", "<&-", ErrorCode.Decode, /it is empty/),
};

const versionRows = ["0.1.0", "0.2.0", "0.3.0", "0.3.1"].map((version) =>
  bad(
    "loopback",
    `CHECK in version ${version}`,
    { ...loopback, cniVersion: version },
    ErrorCode.IncompatibleVersion,
    /CHECK/,
    {
      verb: "CHECK",
    },
  ),
);
const newVerbRows = ["0.1.0", "0.3.1", "0.4.0", "1.0.0"].flatMap((version) =>
  ["GC", "STATUS"].map((verb) => {
    const config = { ...bridge, cniVersion: version, "cni.dev/valid-attachments": [] };
    return bad("bridge", `${verb} in version ${version}`, config, ErrorCode.IncompatibleVersion, new RegExp(verb), {
      verb,
    });
  }),
);

describe.each(engines)("$name", (engine) => {
  const closed = closedRows[engine.name] ?? [];
  declareBadInput(engine, [...environmentRows, ...stdinRows].concat(closed, versionRows, newVerbRows));
});
