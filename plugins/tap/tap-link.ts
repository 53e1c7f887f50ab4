/** The tap itself: made whole or not at all, found again, removed. Used by tap.ts. */
import { nameTaken } from "../../pkg/link/name-taken.ts";
import { removeFromSandbox } from "../../pkg/link/sandbox-link.ts";
import { isFileError, isKernelError } from "../../pkg/linux/errno.ts";
import { hasSelinux } from "../../pkg/linux/selinux.ts";
import { TapDevice, type TapOptions, TUN_DEVICE } from "../../pkg/linux/tap-device.ts";
import { findLink, type Link } from "../../pkg/netlink/link.ts";
import { tunAttributes, tunType } from "../../pkg/netlink/link-attributes.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import { unsupportedField } from "../../spec/keys.ts";

/** @throws CniError 101 when the container has an interface of that name */
export function requireFreeName(sandbox: NetworkStack, attachment: Attachment): void {
  if (findLink(sandbox, attachment.ifName) !== undefined) throw nameTaken(attachment.ifName);
}

/** A label that cannot be given is never left out silently. @throws CniError 2 */
export function requireSelinux(context: string): void {
  if (context === "" || hasSelinux()) return;
  const { code, message } = unsupportedField("selinuxContext", context, "this kernel runs without SELinux");
  throw new CniError(code, message, "remove selinuxContext, or boot the node with SELinux");
}

/** A tap called CNI_IFNAME in the sandbox, which is gone when `device` is closed before `persist`. @throws CniError */
export function createTap(sandbox: NetworkStack, attachment: Attachment, options: TapOptions, undo: Undo): TapDevice {
  const device = openDevice(sandbox, ErrorCode.Io);
  undo.push(`remove ${attachment.ifName}`, () => {
    device.close();
    if (device.isPersistent) removeTap(sandbox, attachment);
  });
  try {
    device.create(attachment.ifName, options);
  } catch (error) {
    if (isKernelError(error, "EBUSY")) throw nameTaken(attachment.ifName);
    throw refused(error, attachment, options);
  }
  return device;
}

/** @throws CniError with this code when there is no device node or no driver behind it */
export function openDevice(sandbox: NetworkStack, code: number): TapDevice {
  const { namespace } = sandbox;
  try {
    return namespace === undefined ? TapDevice.open() : namespace.enter(() => TapDevice.open());
  } catch (error) {
    throw new CniError(code, `Cannot open ${TUN_DEVICE}: ${messageOf(error)}`, remedy(error));
  }
}

function remedy(error: unknown): string {
  if (isFileError(error, "ENOENT")) {
    return `make it: modprobe tun; mkdir -p /dev/net && mknod ${TUN_DEVICE} c 10 200`;
  }
  if (isFileError(error, "ENODEV") || isFileError(error, "ENXIO")) return "this kernel has no tap: modprobe tun";
  return "plugins must be root, and where a device cgroup is in force it must allow c 10:200";
}

/** What the kernel, or SELinux, meant. */
function refused(error: unknown, attachment: Attachment, options: TapOptions): CniError {
  const message = `Cannot create tap ${attachment.ifName}: ${messageOf(error)}`;
  if (options.selinuxContext === "") return new CniError(ErrorCode.Io, message);
  if (isFileError(error, "EINVAL")) {
    return new CniError(
      ErrorCode.InvalidConfig,
      `selinuxContext: "${options.selinuxContext}" is no context of the node's SELinux policy`,
      "contexts read user:role:type:level, such as system_u:system_r:container_t:s0",
    );
  }
  return new CniError(
    ErrorCode.Io,
    message,
    "see the audit log (ausearch -m avc): the plugin must be allowed setexec and the transition to that context",
  );
}

/** Removes an attachment's tap, whoever made it; an interface of another kind or attachment stays. Absence is success. */
export function removeTap(sandbox: NetworkStack | undefined, attachment: Attachment): void {
  const found = sandbox === undefined ? undefined : findLink(sandbox, attachment.ifName);
  if (found !== undefined && isTap(found)) removeFromSandbox(sandbox, attachment, ["tun"]);
}

/** The kernel calls both kinds `tun`: those of frames (tap) and those of packets (tun). */
export function isTap(link: Link): boolean {
  return link.kind === "tun" && link.kindData?.get(tunAttributes.type) === tunType.tap;
}
