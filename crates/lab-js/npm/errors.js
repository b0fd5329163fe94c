// Errors of a configuration, in the words of the lab's own errors.

export function refuse(field, message, hint, code = "invalid_config") {
  throw Object.assign(new Error(message), { code, hint, field });
}

export function unknownKey(field, known) {
  refuse(field, `unknown field \`${field.split(".").at(-1)}\``, `Use one of: ${known.join(", ")}.`, "unknown_key");
}

export function mismatch(field, value, wanted) {
  refuse(field, `${JSON.stringify(value)} is not ${wanted}`, `Use ${wanted}.`, "invalid_json");
}
