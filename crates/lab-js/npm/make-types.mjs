// Writes schema.d.ts, the schema's definitions as TypeScript: `node make-types.mjs`. A test holds the file to it.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import schema from "./schema.js";

/** A declaration for each definition, and one for the whole. */
export function declarations({ $defs, ...experiment }) {
  const parts = Object.entries({ ...$defs, ExperimentConfig: experiment });
  const types = parts.map(([name, rule]) => `${comment(rule, "")}export type ${name} = ${type(rule, "")};\n`);
  return `// Written by make-types.mjs from schema.js.\n\n${types.join("\n")}\ndeclare const schema: { $defs: Record<string, unknown> } & Record<string, unknown>;\nexport default schema;\n`;
}

function type(rule, indent) {
  if (rule === true) return "unknown";
  if (rule.$ref) return rule.$ref.split("/").at(-1);
  if (rule.anyOf ?? rule.oneOf) return [...new Set((rule.anyOf ?? rule.oneOf).map((one) => type(one, indent)))].join(" | ");
  if ("const" in rule) return JSON.stringify(rule.const);
  if (rule.enum) return rule.enum.map((one) => JSON.stringify(one)).join(" | ");
  const types = [rule.type ?? "unknown"].flat();
  return types.map((one) => named(one, rule, indent)).join(" | ");
}

function named(name, rule, indent) {
  if (name === "integer") return "number";
  if (name === "array") return `Array<${type(rule.items ?? true, indent)}>`;
  if (name !== "object") return name;
  if (!rule.properties) return "Record<string, unknown>";
  const inner = `${indent}  `;
  const members = Object.entries(rule.properties).map(([key, property]) => {
    const needed = rule.required?.includes(key) ? "" : "?";
    return `${comment(property, inner)}${inner}${key}${needed}: ${type(property, inner)};\n`;
  });
  return `{\n${members.join("")}${indent}}`;
}

/** The doc comment of the setting's field, its range, and the default. */
function comment(rule, indent) {
  const plain = rule.default !== undefined && (rule.default === null || typeof rule.default !== "object");
  const low = rule.exclusiveMinimum === undefined ? rule.minimum : `Above ${rule.exclusiveMinimum}`;
  const unit = rule.unit ? ` ${rule.unit}` : "";
  const range = low === undefined ? "" : rule.maximum === undefined ? `${low} or more${unit}.` : `${low} to ${rule.maximum}${unit}.`;
  const words = [rule.description?.replaceAll(/\s+/g, " "), range, plain && rule.default !== null ? `Default: ${JSON.stringify(rule.default)}.` : ""];
  const text = words.filter(Boolean).join(" ");
  return text ? `${indent}/** ${text.replaceAll("*/", "* /")} */\n` : "";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL("schema.d.ts", import.meta.url), declarations(schema));
}
