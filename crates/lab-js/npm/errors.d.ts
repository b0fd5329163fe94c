// Types of errors.js.

/** The kinds of failure, as the lab names them; `aborted` is the caller's own. */
export type ErrorCode =
  | "invalid_config"
  | "unknown_key"
  | "invalid_json"
  | "invalid_data"
  | "invalid_utf8"
  | "invalid_checkpoint"
  | "invalid_command"
  | "non_finite"
  | "backend_unavailable"
  | "device_lost"
  | "out_of_memory"
  | "io"
  | "network"
  | "aborted"
  | "internal";

/** An error as the lab writes it. */
export interface WrittenError {
  code: ErrorCode;
  message: string;
  hint: string;
  field?: string;
}

/** A state from which a strategy's run can be continued. */
export interface Checkpoint {
  /** The strategy's name in the experiment. */
  strategy: string;
  /** The last step that was made. */
  step: number;
  /** One safetensors file. */
  state: Uint8Array;
}

/** What went wrong, in words for the person who can mend it. */
export class LabError extends Error {
  constructor(error: WrittenError, options?: ErrorOptions & { checkpoints?: Checkpoint[] });
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly hint: string;
  /** Path of the offending setting, e.g. `strategies[0].config.model.heads`. */
  readonly field?: string;
  /** What each strategy can be continued from, where a run ended early. */
  readonly checkpoints?: Checkpoint[];
}

/** A setting, a key or JSON that cannot be used. */
export class ConfigError extends LabError {}
/** A text, data set or file that cannot be used. */
export class DataError extends LabError {}
/** A checkpoint or a model's file that cannot be read or does not fit. */
export class CheckpointError extends LabError {}
/** A call that makes no sense now. */
export class CommandError extends LabError {}
/** The backend is not there, or the device was lost or has no memory left. */
export class DeviceError extends LabError {}
/** Training became NaN or infinite. */
export class NonFiniteError extends LabError {}
/** A file or an endpoint could not be reached. */
export class NetworkError extends LabError {}
/** The caller's signal ended it; `checkpoints` has what each strategy can be continued from. */
export class AbortedError extends LabError {}
/** A mistake of the lab's, or a worker that died. */
export class InternalError extends LabError {}

/** The error of a code's class. Whatever else was thrown becomes an internal error with its words. */
export function labError(thrown: unknown, options?: ErrorOptions & { checkpoints?: Checkpoint[] }): LabError;
export function refuse(field: string, message: string, hint: string, code?: ErrorCode): never;
export function unknownKey(field: string, known: string[]): never;
export function mismatch(field: string, value: unknown, wanted: string): never;
