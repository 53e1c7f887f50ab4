/** Whatever was thrown, as the error that the runtime is told. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { adviceFor } from "../linux/advice.ts";
import { KernelError } from "../linux/errno.ts";
import { Interrupted } from "../linux/termination.ts";

export function toCniError(error: unknown): CniError {
  return error instanceof Error ? fromError(error) : new CniError(ErrorCode.Internal, "unknown error");
}

function fromError(error: Error): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof KernelError) return new CniError(ErrorCode.Io, error.message, adviceFor(error));
  if (error instanceof Interrupted) {
    const isLate = error.reason !== "SIGTERM" && error.reason !== "SIGINT";
    const more = isLate ? "; FERRULE_DEADLINE (seconds) gives it more time" : "";
    return new CniError(ErrorCode.TryAgain, error.message, `the call can be repeated${more}`);
  }
  // File errors are I/O; anything else here is a bug of ours.
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) {
    return new CniError(ErrorCode.Io, error.message, adviceFor(error));
  }
  return new CniError(
    ErrorCode.Internal,
    error.message,
    "this is a bug: please report it with the network configuration",
  );
}
