// Checks values by the schema (@cfworker/json-schema, which evaluates no code), and fills in its defaults.

import { Validator } from "@cfworker/json-schema";
import { mismatch, refuse, unknownKey } from "./errors.js";
import schema from "./schema.js";

const DRAFT = "2020-12";

/** `value` with every missing default filled in. Throws an error for a value that `rule` of the schema does not allow. */
export function checked(rule, value) {
  // Values that JSON cannot express do not exist for the lab either.
  const given = JSON.parse(JSON.stringify(value));
  const { errors } = new Validator({ ...rule, $defs: schema.$defs }, DRAFT, false).validate(given);
  if (errors.length > 0) explain(rule, given, errors);
  return filled(rule, given);
}

/** `value` with what it leaves out: as `inherited` has it, the default of the part that holds it, else as its own type has it. */
function filled(rule, value, inherited = {}) {
  if (rule.$ref) return filled(definition(rule), value, inherited);
  if (Array.isArray(value)) return value.map((item) => filled(rule.items ?? {}, item));
  if (typeof value !== "object" || value === null) return value;
  const layout = (rule.anyOf ?? rule.oneOf)?.find((one) => accepts(one, value));
  if (layout) return filled(layout, value, inherited?.kind === value.kind ? inherited : {});
  const all = { ...value };
  for (const [key, property] of Object.entries(rule.properties ?? {})) {
    const usual = inherited?.[key] ?? property.default;
    if (value[key] === undefined) {
      if (usual !== undefined) all[key] = structuredClone(usual);
    } else if (!isEmpty(usual)) {
      all[key] = filled(property, value[key], usual);
    }
  }
  const chosen = rule.allOf?.find((one) => accepts(one.if, value));
  return chosen ? { ...all, config: filled(chosen.then.properties.config, all.config ?? {}) } : all;
}

/** Whether a default says that what is left out stays out: a village's settings depend on its preset and its seed. */
const isEmpty = (usual) => typeof usual === "object" && usual !== null && !Array.isArray(usual) && Object.keys(usual).length === 0;
const accepts = (rule, value) => new Validator({ ...rule, $defs: schema.$defs }, DRAFT).validate(value).valid;
const definition = (rule) => (rule?.$ref ? schema.$defs[rule.$ref.split("/").at(-1)] : rule);

/** Throws the error of the innermost value: the other errors belong to the values that contain it. */
function explain(root, value, errors) {
  const all = errors.map(({ keyword, keywordLocation, instanceLocation }, index) => {
    // An unknown key is said twice: by the object, then by the value that nothing allows.
    const said = keyword === "false" ? errors[index - 1].keywordLocation : keywordLocation;
    return { keyword, place: steps(instanceLocation), at: said, rule: walk(root, steps(said).slice(0, -1)) };
  });
  const leaves = all.filter(({ keyword, rule, place }) => (keyword === "false" ? !rule.properties[place.at(-1)] : !PARENTS.has(keyword)));
  // A layout with another tag says nothing about this value.
  const layout = ({ at }) => at.slice(0, at.lastIndexOf("/properties/"));
  const others = leaves.filter(({ keyword, at }) => keyword === "const" && at.includes("/oneOf/") && at.includes("/properties/", at.lastIndexOf("/oneOf/")));
  const relevant = leaves.filter((leaf) => leaf.keyword !== "const" && !others.some((other) => leaf.at.startsWith(`${layout(other)}/`)));
  const deepest = (some) => some.reduce((best, one) => (one.place.length > best.place.length ? one : best));
  const { keyword, place, rule } = deepest(relevant.length > 0 ? relevant : leaves);
  const [field, found] = [path(place), place.reduce((inner, key) => inner[key], value)];
  switch (keyword) {
    case "false":
      return unknownKey(field, Object.keys(rule.properties));
    case "required": {
      const key = rule.required.find((one) => !(one in found));
      return refuse(path([...place, key]), `${key} is missing`, "Give it.", "invalid_json");
    }
    case "const": {
      const wanted = leaves.filter((leaf) => leaf.keyword === "const" && path(leaf.place) === field);
      return mismatch(field, found, wanted.map((leaf) => JSON.stringify(leaf.rule.const)).join(" or "));
    }
    case "type":
      return mismatch(field, found, [rule.type].flat().join(" or "));
    default: {
      // A number outside its type is not valid JSON for the lab; a number outside its range is not a valid setting.
      const code = rule.type === "integer" && found < 0 ? "invalid_json" : "invalid_config";
      return refuse(field, `${place.at(-1)} is ${JSON.stringify(found)}`, `Use ${range(rule)}.`, code);
    }
  }
}

/** Keywords whose errors only mean that a value inside them is wrong. */
const PARENTS = new Set(["$ref", "properties", "items", "anyOf", "oneOf", "allOf", "if", "additionalProperties"]);

function range({ type, minimum, exclusiveMinimum, maximum }) {
  const number = [type].flat().includes("integer") ? "a whole number" : "a number";
  const low = exclusiveMinimum === undefined ? `from ${minimum}` : `above ${exclusiveMinimum}`;
  return maximum === undefined ? `${number} ${low}` : `${number} ${low} to ${maximum}`;
}

/** The keys of a JSON pointer such as `#/a/0`. */
const steps = (pointer) => pointer.split("/").slice(1).map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));

/** The part of a rule to which the keywords lead; `$ref` leads to a definition. */
const walk = (rule, keywords) => keywords.reduce((inner, key) => (key === "$ref" ? definition(inner) : inner[key]), rule);

/** The lab's name of a field: `strategies[0].config.model`. */
const path = (keys) => keys.reduce((whole, key) => (/^\d+$/.test(key) ? `${whole}[${key}]` : whole ? `${whole}.${key}` : key), "");
