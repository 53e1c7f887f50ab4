/**
 * firewalld, spoken to over D-Bus: the containers' addresses are put in a zone. What it is told so is gone when it restarts or
 * reloads. Source: firewalld.dbus(5).
 */
import { Bus, DbusError } from "../../pkg/dbus/bus.ts";
import { firstFlag, firstText, firstTexts, type Message, ProtocolError } from "../../pkg/dbus/message.ts";
import type { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { Interrupted } from "../../pkg/linux/termination.ts";
import { CniError, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";

const NAME = "org.fedoraproject.FirewallD1";
const zones = { destination: NAME, path: "/org/fedoraproject/FirewallD1", interface: `${NAME}.zone` };

/** A firewalld that runs. */
export class Firewalld {
  private readonly bus: Bus;

  private constructor(bus: Bus) {
    this.bus = bus;
  }

  /**
   * The one on the bus at `address` (DBUS_SYSTEM_BUS_ADDRESS, or empty); `undefined` where nobody has its name, or nothing that is a
   * message bus listens. @throws CniError of that code when the bus does not answer that; Interrupted
   */
  static find(address: string, code: number): Firewalld | undefined {
    try {
      return Firewalld.open(address);
    } catch (error) {
      if (error instanceof ProtocolError || isNobodyThere(error)) return undefined;
      if (error instanceof Interrupted) throw error;
      throw new CniError(
        code,
        `firewall cannot find out whether firewalld runs: ${messageOf(error)}`,
        'see systemctl status dbus; "backend" in the configuration chooses without asking',
      );
    }
  }

  /** What `find` finds. @throws CniError of that code which says why there is none */
  static require(address: string, code: number): Firewalld {
    const advice = 'start firewalld (systemctl start firewalld), or leave "backend" out';
    let found: Firewalld | undefined;
    try {
      found = Firewalld.open(address);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      throw new CniError(code, `firewall cannot use firewalld: ${messageOf(error)}`, advice);
    }
    if (found === undefined) throw new CniError(code, "firewall cannot use firewalld: it is not running", advice);
    return found;
  }

  private static open(address: string): Firewalld | undefined {
    const bus = Bus.system(address);
    try {
      if (bus.hasOwner(NAME)) return new Firewalld(bus);
    } catch (error) {
      bus.close();
      throw error;
    }
    bus.close();
    return undefined;
  }

  /** Puts the address in the zone; idempotent. @throws CniError 101 when it is in another zone, 7 when there is no such zone, 5 */
  addSource(zone: string, address: Address): void {
    const source = sourceText(address);
    try {
      this.call("addSource", [zone, source]);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason.includes("ZONE_ALREADY_SET")) return;
      if (reason.includes("ZONE_CONFLICT")) throw this.conflict(zone, source);
      if (reason.includes("INVALID_ZONE")) {
        throw invalidConfig(
          `firewalld has no zone "${zone}"`,
          "firewall-cmd --get-zones names them: set firewalldZone to one of these",
        );
      }
      if (error instanceof Interrupted) throw error;
      throw failure(`failed to add the address ${source} to ${zone} zone`, error);
    }
  }

  private conflict(zone: string, source: string): CniError {
    const holder = firstText(this.call("getZoneOfSource", [source]));
    return new CniError(
      ErrorCode.Taken,
      `Cannot add the address ${source} to firewalld's zone ${zone}: it is in zone ${holder}`,
      `firewall-cmd --zone=${holder} --remove-source=${source}, or set firewalldZone to "${holder}"`,
    );
  }

  /** Takes the address out of the zone; that it is not in it is success. @throws CniError 5 */
  removeSource(zone: string, address: Address): void {
    const source = sourceText(address);
    try {
      this.call("removeSource", [zone, source]);
    } catch (error) {
      if (/UNKNOWN_SOURCE|ZONE_CONFLICT|INVALID_ZONE/.test(reasonOf(error))) return;
      if (error instanceof Interrupted) throw error;
      throw failure(`failed to remove the address ${source} from ${zone} zone`, error);
    }
  }

  /** Whether the address is in the zone. @throws CniError 5 */
  hasSource(zone: string, address: Address): boolean {
    const source = sourceText(address);
    try {
      return firstFlag(this.call("querySource", [zone, source])) === true;
    } catch (error) {
      if (reasonOf(error).includes("INVALID_ZONE")) return false;
      if (error instanceof Interrupted) throw error;
      throw failure(`failed to find the address ${source} in ${zone} zone`, error);
    }
  }

  /** All that the zone has, as it was added: `10.1.0.2/32`. @throws CniError 5 */
  sources(zone: string): string[] {
    try {
      return firstTexts(this.call("getSources", [zone]));
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      throw failure(`failed to list the addresses in ${zone} zone`, error);
    }
  }

  private call(member: string, words: readonly string[]): Message {
    return this.bus.call({ ...zones, member, words });
  }

  close(): void {
    this.bus.close();
  }
}

function isNobodyThere(error: unknown): boolean {
  return isKernelError(error, "ENOENT") || isKernelError(error, "ENOTDIR") || isKernelError(error, "ECONNREFUSED");
}

/** `10.1.0.2/32`, as the reference has it. */
export function sourceText(address: Address): string {
  return Prefix.host(address).toString();
}

/** firewalld's own words, which begin with the error's name; empty for errors of the way there. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? wordsOf(error) : "";
}

function wordsOf(error: Error): string {
  return error instanceof DbusError ? `${error.errorName} ${error.words}` : "";
}

function failure(subject: string, error: unknown): CniError {
  return new CniError(ErrorCode.Io, `${subject}: ${messageOf(error)}`, "see journalctl -u firewalld");
}
