/** Where a message bus listens. Source: D-Bus specification 0.43, "Server addresses", "Well-known message bus instances". */

const DEFAULTS: readonly string[] = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

/**
 * The sockets that an address names, as UnixStream takes them: `unix:path=/run/bus;unix:abstract=bus` is `/run/bus`, `@bus`. Other
 * kinds are passed over. Where nothing is left, the system's usual ones.
 */
export function socketNames(address: string): string[] {
  const found: string[] = [];
  for (const each of address.split(";")) {
    if (!each.startsWith("unix:")) continue;
    for (const pair of each.slice("unix:".length).split(",")) {
      if (pair.startsWith("path=")) found.push(unescaped(pair.slice("path=".length)));
      if (pair.startsWith("abstract=")) found.push(`@${unescaped(pair.slice("abstract=".length))}`);
    }
  }
  return found.length > 0 ? found : [...DEFAULTS];
}

/** `%2F` is `/`. */
function unescaped(text: string): string {
  const bytes: number[] = [];
  const source = new TextEncoder().encode(text);
  let at = 0;
  while (at < text.length && source.length === text.length) {
    const code = /^%[0-9a-fA-F]{2}/.test(text.slice(at)) ? parseInt(text.slice(at + 1, at + 3), 16) : -1;
    bytes.push(code >= 0 ? code : text.charCodeAt(at));
    at += code >= 0 ? 3 : 1;
  }
  return source.length === text.length ? new TextDecoder().decode(new Uint8Array(bytes)) : text;
}
