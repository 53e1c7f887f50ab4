/**
 * dummy: an interface that has addresses and leads nowhere, for services that listen on an address of their own.
 *
 *   sandbox[eth0 10.1.0.5/24]
 */
import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { interfaceResult } from "../../pkg/ipam-client/interface-result.ts";
import { collectAddresses, removeThenRelease, requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { prepareSharedSegment } from "../../pkg/ipam-client/shared-segment.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { requireKind } from "../../pkg/link/kind-support.ts";
import { createInSandbox, removeFromSandbox } from "../../pkg/link/sandbox-link.ts";
import { deleteLink } from "../../pkg/netlink/link.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { drift } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type DummyConfig } from "./config.ts";

const KIND = "dummy";

export function dummy(): Plugin {
  return definePlugin({ type: "dummy", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, delegates, host, sandbox, undo }: Add<DummyConfig>): Result {
  const link = createInSandbox(host, sandbox.stack, attachment, { kind: KIND }, undo);
  prepareSharedSegment(sandbox.stack, link, config.ipv6);
  const leased = requestAddresses(delegates, config.ipamType, undo);
  // Taken back before the addresses are: nobody may get one that an interface still has.
  undo.push(`remove ${link.name}`, () => {
    deleteLink(sandbox.stack, link);
  });
  const result = interfaceResult(sandbox, link, leased);
  // It leads to nobody who could have the address too.
  configureInterface(sandbox.stack, link, result, { detectDuplicates: false });
  return withDns(result, config.dns);
}

function del({ config, attachment, sandbox, delegates, teardown }: Del<DummyConfig>): void {
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () =>
    removeFromSandbox(sandbox.find(), attachment, [KIND]),
  );
}

function check({ config, attachment, sandbox, delegates, prevResult }: Check<DummyConfig>): void {
  delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "dummy");
  const link = verifyInterface(sandbox, attachment.ifName, result, KIND);
  if (!link.up) throw drift(`Interface ${link.name} is down`);
}

/** The link vanishes with the container's namespace. */
function gc({ config, delegates, teardown }: Gc<DummyConfig>): void {
  collectAddresses(teardown, delegates, config.ipamType);
}

function status({ config, host, delegates }: Status<DummyConfig>): void {
  requireKind(host, KIND);
  delegates.status(config.ipamType);
}
