// Errors of the package: each is a `LabError` with a code, a message, a hint and, where a setting is wrong, its field.

/** What went wrong, in words for the person who can mend it. */
export class LabError extends Error {
  /** `error` has `code`, `message`, `hint` and perhaps `field`, as the lab's own errors have them. */
  constructor({ code, message, hint, field }, options) {
    super(message, options);
    this.code = code;
    this.hint = hint;
    if (field !== undefined) this.field = field;
    if (options?.checkpoints) this.checkpoints = options.checkpoints;
  }

  toString() {
    return `${this.code}: ${this.message}${this.field ? ` (${this.field})` : ""} — ${this.hint}`;
  }
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

// Said here, as those who make files small give classes other names.
const NAMED = { LabError, ConfigError, DataError, CheckpointError, CommandError, DeviceError, NonFiniteError, NetworkError, AbortedError, InternalError };
for (const [name, type] of Object.entries(NAMED)) Object.defineProperty(type.prototype, "name", { value: name });

const CLASSES = {
  invalid_config: ConfigError,
  unknown_key: ConfigError,
  invalid_json: ConfigError,
  invalid_data: DataError,
  invalid_utf8: DataError,
  invalid_checkpoint: CheckpointError,
  invalid_command: CommandError,
  non_finite: NonFiniteError,
  backend_unavailable: DeviceError,
  device_lost: DeviceError,
  out_of_memory: DeviceError,
  io: NetworkError,
  network: NetworkError,
  aborted: AbortedError,
  internal: InternalError,
};

/** The error of a code's class. Whatever else was thrown becomes an internal error with its words. */
export function labError(thrown, options) {
  if (thrown instanceof LabError) return thrown;
  const known = typeof thrown === "object" && thrown !== null && thrown.code in CLASSES && thrown.hint;
  if (known) return new CLASSES[thrown.code](thrown, options);
  const error = { code: "internal", message: String(thrown?.message ?? thrown), hint: "Start it again. If that does not help, report this message." };
  return new InternalError(error, { ...options, cause: thrown });
}

export function refuse(field, message, hint, code = "invalid_config") {
  throw labError({ code, message, hint, field });
}

export function unknownKey(field, known) {
  refuse(field, `unknown field \`${field.split(".").at(-1)}\``, `Use one of: ${known.join(", ")}.`, "unknown_key");
}

export function mismatch(field, value, wanted) {
  refuse(field, `${JSON.stringify(value)} is not ${wanted}`, `Use ${wanted}.`, "invalid_json");
}
