/**
 * The system's message bus: connecting to it, and calling methods of what is on it, one at a time. Used by plugins/firewall.
 * Source: D-Bus specification 0.43, "Authentication protocol", "Message bus specification", "Server addresses".
 */
import { KernelError } from "../linux/errno.ts";
import { remainingMs } from "../linux/termination.ts";
import { momentIn, UnixStream } from "../linux/unix-stream.ts";
import { socketNames } from "./address.ts";
import {
  type Call,
  decodeMessage,
  encodeCall,
  firstText,
  type Message,
  messageLength,
  messageType,
  ProtocolError,
} from "./message.ts";

/** As long as D-Bus's own library waits. */
const PATIENCE_MS = 25_000;
const LONGEST_LINE = 4096;

const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/** An error that the called service, or the bus itself, answers with. */
export class DbusError extends Error {
  /** Such as org.freedesktop.DBus.Error.ServiceUnknown. */
  readonly errorName: string;
  /** The service's own words. */
  readonly words: string;

  constructor(operation: string, errorName: string, words: string) {
    super(`${operation}: ${words === "" ? errorName : words}`);
    this.name = "DbusError";
    this.errorName = errorName;
    this.words = words;
  }
}

/** A connection to a message bus. */
export class Bus {
  private readonly stream: UnixStream;
  private unread: Uint8Array = new Uint8Array(0);
  private serial = 0;

  private constructor(stream: UnixStream) {
    this.stream = stream;
  }

  /**
   * Connects to the system's bus, where `address` (DBUS_SYSTEM_BUS_ADDRESS, or empty) says.
   * @throws KernelError where nobody listens, ETIMEDOUT; ProtocolError; DbusError; Interrupted
   */
  static system(address: string): Bus {
    const opened = new Bus(firstOf(socketNames(address)));
    try {
      opened.authenticate();
      opened.call({ ...bus, member: "Hello", words: [] });
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  }

  /** By what the kernel says about our end of the socket. */
  private authenticate(): void {
    const untilMs = patience();
    this.stream.send(new TextEncoder().encode("\0AUTH EXTERNAL\r\nDATA\r\n"), untilMs);
    for (let line = this.line(untilMs); !line.startsWith("OK"); line = this.line(untilMs)) {
      if (line !== "DATA") throw new ProtocolError(`the message bus does not let us in: ${line}`);
    }
    this.stream.send(new TextEncoder().encode("BEGIN\r\n"), untilMs);
  }

  private line(untilMs: number): string {
    for (;;) {
      const text = new TextDecoder().decode(this.unread);
      const end = text.indexOf("\r\n");
      if (end >= 0) {
        this.unread = this.unread.slice(end + 2);
        return text.slice(0, end);
      }
      if (text.length > LONGEST_LINE) throw new ProtocolError("no message bus answers there");
      this.readMore(untilMs);
    }
  }

  private readMore(untilMs: number): void {
    const fresh = this.stream.receive(untilMs);
    if (fresh.length === 0) throw new ProtocolError("the message bus closed the connection");
    const all = new Uint8Array(this.unread.length + fresh.length);
    all.set(this.unread);
    all.set(fresh, this.unread.length);
    this.unread = all;
  }

  /**
   * Calls a method and waits for its answer; a service that is not running is not started.
   * @throws DbusError with the service's words; KernelError, ProtocolError, Interrupted
   */
  call(request: Call): Message {
    const untilMs = patience();
    this.serial += 1;
    this.stream.send(encodeCall(request, this.serial), untilMs);
    for (;;) {
      const message = this.message(untilMs);
      if (message.replySerial !== this.serial) continue; // signals, which nobody asked for
      if (message.type === messageType.answer) return message;
      if (message.type === messageType.error) {
        throw new DbusError(`call ${request.interface}.${request.member}`, message.errorName, firstText(message));
      }
    }
  }

  private message(untilMs: number): Message {
    for (;;) {
      const length = messageLength(this.unread);
      if (length !== undefined && this.unread.length >= length) {
        const whole = this.unread.slice(0, length);
        this.unread = this.unread.slice(length);
        return decodeMessage(whole);
      }
      this.readMore(untilMs);
    }
  }

  /** Whether somebody on the bus has this name. @throws as call() */
  hasOwner(name: string): boolean {
    try {
      this.call({ ...bus, member: "GetNameOwner", words: [name] });
      return true;
    } catch (error) {
      if (error instanceof DbusError && error.errorName === "org.freedesktop.DBus.Error.NameHasNoOwner") return false;
      throw error;
    }
  }

  close(): void {
    this.stream.close();
  }
}

function patience(): number {
  return momentIn(Math.min(remainingMs(), PATIENCE_MS));
}

/** The first socket that somebody listens on. @throws the last one's KernelError */
function firstOf(names: readonly string[]): UnixStream {
  for (const name of names.slice(0, -1)) {
    try {
      return UnixStream.connect(name);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
  }
  return UnixStream.connect(names.at(-1) ?? "");
}
