/** What may name a container, a network, an interface or a plugin (SPEC section 2 and 3; linux/if.h IFNAMSIZ). */

const IDENTIFIER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const IFNAME_BYTES = 15;

/** What isIdentifier asks for, for the details of errors. */
export const identifierRule = "use letters, digits, _ . and -, a letter or digit first";

/** Whether this may be a container ID or a network's name. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** Why `name` cannot name an interface, or `undefined` when it can. */
export function interfaceNameProblem(name: string): string | undefined {
  if (name === "") return "interface name is empty";
  if (new TextEncoder().encode(name).length > IFNAME_BYTES) return "interface name is too long";
  if (name === "." || name === "..") return "interface name is . or ..";
  if (/[/:\s\u0085\0]/.test(name)) return "interface name contains / or : or whitespace characters";
  if (name.includes("%")) return "interface name contains %, which the kernel takes for a template";
  return undefined;
}

/** Why `type` cannot name a plugin, or `undefined` when it can: it must stay inside the plugin directories (CVE-2021-20206). */
export function pluginTypeProblem(type: string): string | undefined {
  if (type === "") return "no plugin name provided";
  if (type.includes("/") || type.includes("\0") || type === "." || type === "..") return `invalid plugin name: ${type}`;
  return undefined;
}
