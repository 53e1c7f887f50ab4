/** Errors as the specification words them: a code, a message, details (SPEC section 5, "Error"). */

/** The codes, and when we use each. 0-99 belong to the specification, 100 and above to the plugin. */
export const ErrorCode = {
  /** The configuration's cniVersion is none we speak, or does not know the verb. */
  IncompatibleVersion: 1,
  /** A key has a value that we understand and cannot serve; the message names both. */
  UnsupportedField: 2,
  /** The container is unknown; the runtime need not clean up. */
  UnknownContainer: 3,
  /** A CNI_* variable is missing or malformed, or CNI_NETNS is no network namespace. */
  InvalidEnvironment: 4,
  /** Reading, writing or talking to the kernel failed. */
  Io: 5,
  /** Something that should be JSON of a known shape is not. */
  Decode: 6,
  /** The network configuration contradicts itself or lacks something. */
  InvalidConfig: 7,
  /** CNI_NETNS is the plugin's own namespace (libcni's code; the specification's table has none). */
  OwnNamespace: 8,
  /** The same call may succeed later: a lock was not free, the time was up. */
  TryAgain: 11,
  /** STATUS: an ADD would fail now. */
  NotAvailable: 50,
  /** STATUS: an ADD would fail, and existing containers may have limited connectivity. */
  LimitedConnectivity: 51,
  /** A pool of addresses has none left. */
  PoolExhausted: 100,
  /** What was asked for is held by somebody else: an address, a host port, an interface name. */
  Taken: 101,
  /** CHECK: the network is not as ADD left it. */
  Drift: 102,
  /** A delegated plugin could not be run or answered rubbish. */
  DelegateFailed: 103,
  /** A bug in us. */
  Internal: 999,
} as const;

/** What a plugin answers when it cannot do as told. */
export class CniError extends Error {
  readonly code: number;
  /** What the operator can do next; may be empty. */
  readonly details: string;

  constructor(code: number, message: string, details = "") {
    super(message);
    this.name = "CniError";
    this.code = code;
    this.details = details;
  }

  /** The message with its details, for messages that carry this error. */
  get words(): string {
    return this.details === "" ? this.message : `${this.message} (${this.details})`;
  }

  /** The same error with more details. */
  withDetails(more: string): CniError {
    return new CniError(this.code, this.message, this.details === "" ? more : `${this.details}; ${more}`);
  }

  /** The same error, its message led in by what was being done. */
  during(action: string): CniError {
    return new CniError(this.code, `${action}: ${this.message}`, this.details);
  }
}

/** The code-7 error: a network configuration that cannot be used as it stands. */
export function invalidConfig(message: string, details = ""): CniError {
  return new CniError(ErrorCode.InvalidConfig, message, details);
}

/** What CHECK says: the network is not as ADD left it. */
export function drift(message: string, details = "delete the container and create it again"): CniError {
  return new CniError(ErrorCode.Drift, message, details);
}

interface ErrorDocument {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** The error object that goes to stdout, indented by four spaces as runtimes' users know it. */
export function renderError(error: CniError, cniVersion: string): string {
  const document: ErrorDocument =
    error.details === ""
      ? { cniVersion, code: error.code, msg: error.message }
      : { cniVersion, code: error.code, msg: error.message, details: error.details };
  return JSON.stringify(document, null, 4);
}

/**
 * The words of what was caught, for messages that carry another error. Not for a value already known to be a CniError:
 * natively its class is lost where `unknown` is asked for (test/engines/spec.test.ts), and `words` says the same.
 */
export function messageOf(error: unknown): string {
  return error instanceof Error ? wordsOf(error) : "unknown error";
}

function wordsOf(error: Error): string {
  return error instanceof CniError ? error.words : error.message;
}
