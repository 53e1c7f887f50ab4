/** Whatever was thrown, as the error that the runtime is told. */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { KernelError } from "../linux/errno.ts";
import { Interrupted } from "../linux/termination.ts";

export function toCniError(error: unknown): CniError {
  return error instanceof Error ? fromError(error) : new CniError(ErrorCode.Internal, "unknown error");
}

function fromError(error: Error): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof KernelError) return new CniError(ErrorCode.Io, error.message);
  if (error instanceof Interrupted) {
    return new CniError(ErrorCode.TryAgain, error.message, "what had been done is taken back");
  }
  // File errors are I/O; anything else here is a bug of ours.
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return new CniError(ErrorCode.Io, error.message);
  return new CniError(
    ErrorCode.Internal,
    error.message,
    "this is a bug: please report it with the network configuration",
  );
}
