// The types of WIT as values of JavaScript: what the host hands over becomes right (`lift`), and what a node hands over is
// right or refused (`lower`), where QuickJS's bindings would cut and wrap in silence.
//
// A `lift` of `null` takes values as they are. The bindings of the component, which lp-host has rewritten, pass lists of
// numbers as their bytes, and an integer of 64 bits as a number or, where none holds it, as its hexadecimal digits.

/** A value that has not the type of the WIT. Its message ends with where in the value it is. */
export class Mismatch extends TypeError {
  constructor(value, type) {
    super();
    this.name = "TypeError";
    this.at = "";
    this.is = `is ${shown(value)}, which is no ${type}`;
  }

  /** The same, one level further out. */
  within(place) {
    this.at = place + this.at;
    return this;
  }

  /** The same, with all of its message. */
  of(what) {
    this.message = `${what}${this.at} ${this.is}`;
    return this;
  }
}

function shown(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "of no class"})`;
  return typeof value === "function" ? "a function" : Object.is(value, -0) ? "-0" : String(value);
}

/** `lower(value)`, whose complaint names the place. */
function inside(place, type, value) {
  try {
    return type.lower(value);
  } catch (error) {
    throw error instanceof Mismatch ? error.within(place) : error;
  }
}

function plain(name, is) {
  return {
    lift: null,
    lower(value) {
      if (!is(value)) throw new Mismatch(value, name);
      return value;
    },
  };
}

export const bool = plain("bool", (value) => typeof value === "boolean");
export const string = plain("string", (value) => typeof value === "string");
export const char = plain("char: one character", (value) => {
  return typeof value === "string" && value !== "" && value.isWellFormed() && value.length === (value.codePointAt(0) > 0xffff ? 2 : 1);
});

function float(name, Array) {
  return { ...plain(name, (value) => typeof value === "number"), Array };
}

export const f32 = float("f32", Float32Array);
export const f64 = float("f64", Float64Array);

function integer(name, min, max, Array, lift, cut) {
  const type = `${name} (an integer from ${min} to ${max})`;
  return {
    Array,
    lift,
    lower(value) {
      if (typeof value !== "number" || !(value >= min && value <= max) || !Number.isInteger(value)) {
        throw new Mismatch(value, type);
      }
      return cut ? value | 0 : value;
    },
  };
}

export const u8 = integer("u8", 0, 255, Uint8Array, null);
export const s8 = integer("s8", -128, 127, Int8Array, null);
export const u16 = integer("u16", 0, 65535, Uint16Array, null);
export const s16 = integer("s16", -32768, 32767, Int16Array, null);
export const s32 = integer("s32", -2147483648, 2147483647, Int32Array, null);
/** The bindings know these as 32 bits with a sign. */
export const u32 = integer("u32", 0, 4294967295, Uint32Array, (value) => value >>> 0, true);

/** A number where that is exact, and a `BigInt` where it is not; both are taken. */
function wide(name, min, max, Array, bigint) {
  const type = `${name} (an integer from ${min} to ${max}, a BigInt beyond 2⁵³ - 1)`;
  const checked = (value) => {
    // QuickJS compares a number below nought and a BigInt wrong.
    const is =
      typeof value === "number"
        ? Number.isSafeInteger(value) && (value >= 0 || min < 0n)
        : typeof value === "bigint" && value >= min && value <= max;
    if (!is) throw new Mismatch(value, type);
    return value;
  };
  return {
    Array,
    bigint: (value) => BigInt(checked(value)),
    lift: (value) => (typeof value === "string" ? bigint(BigInt(`0x${value}`)) : value),
    lower: (value) => checked(value).toString(16),
  };
}

export const u64 = wide("u64", 0n, 2n ** 64n - 1n, BigUint64Array, (value) => value);
export const s64 = wide("s64", -(2n ** 63n), 2n ** 63n - 1n, BigInt64Array, (value) => BigInt.asIntN(64, value));

/** A list of numbers: a typed array, of its own kind alone without a look at each element. */
function numbers(item) {
  const { Array: Typed, bigint } = item;
  const name = `list of ${Typed.name.replace("Array", "")}`;
  const lower = (value) => {
    if (value instanceof Typed) return value;
    if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw new Mismatch(value, name);
    const typed = new Typed(value.length);
    let at = 0;
    try {
      for (; at < typed.length; at++) {
        if (bigint) {
          typed[at] = bigint(value[at]);
        } else {
          item.lower(value[at]);
          typed[at] = value[at];
        }
      }
    } catch (error) {
      throw error instanceof Mismatch ? error.within(`[${at}]`) : error;
    }
    return typed;
  };
  if (Typed.BYTES_PER_ELEMENT === 1) return { lift: null, lower };
  return {
    lift: (bytes) => new Typed(bytes.buffer, bytes.byteOffset, bytes.byteLength / Typed.BYTES_PER_ELEMENT),
    lower(value) {
      const typed = lower(value);
      return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
    },
  };
}

export function list(item) {
  if (item.Array) return numbers(item);
  return {
    lift: item.lift && ((values) => values.map(item.lift)),
    lower(values) {
      if (!Array.isArray(values)) throw new Mismatch(values, "list: an array");
      const lowered = new Array(values.length);
      for (let at = 0; at < lowered.length; at++) lowered[at] = inside(`[${at}]`, item, values[at]);
      return lowered;
    },
  };
}

export function tuple(...items) {
  const lifts = items.some((item) => item.lift);
  return {
    lift: lifts ? (values) => values.map((value, at) => lifted(items[at], value)) : null,
    lower(values) {
      if (!Array.isArray(values) || values.length !== items.length) {
        throw new Mismatch(values, `tuple: an array of ${items.length}`);
      }
      return items.map((item, at) => inside(`[${at}]`, item, values[at]));
    },
  };
}

function lifted(type, value) {
  return type?.lift ? type.lift(value) : value;
}

export function record(name, fields) {
  const entries = Object.entries(fields);
  const lifting = entries.filter(([, type]) => type.lift);
  return {
    lift: lifting.length === 0 ? null : (value) => {
      for (const [field, type] of lifting) value[field] = type.lift(value[field]);
      return value;
    },
    lower(value) {
      if (typeof value !== "object" || value === null) throw new Mismatch(value, `record \`${name}\``);
      const lowered = {};
      for (const [field, type] of entries) lowered[field] = inside(`.${field}`, type, value[field]);
      return lowered;
    },
  };
}

export function flags(name, names) {
  return {
    lift: null,
    lower(value) {
      if (typeof value !== "object" || value === null) throw new Mismatch(value, `flags \`${name}\``);
      for (const flag of Object.keys(value)) {
        if (!names.includes(flag)) throw new Mismatch(flag, `flag of \`${name}\`: ${names.join(", ")}`);
        if (value[flag] !== undefined) inside(`.${flag}`, bool, value[flag]);
      }
      return value;
    },
  };
}

export function enumeration(name, cases) {
  return plain(`case of \`${name}\`: ${cases.join(", ")}`, (value) => cases.includes(value));
}

export function variant(name, cases) {
  const lifts = Object.values(cases).some((type) => type?.lift);
  return {
    lift: lifts ? (value) => ("val" in value ? { ...value, val: lifted(cases[value.tag], value.val) } : value) : null,
    lower(value) {
      const type = Object.hasOwn(cases, value?.tag ?? "") ? cases[value.tag] : undefined;
      if (type === undefined) {
        const found = typeof value?.tag === "string" ? `{ tag: ${JSON.stringify(value.tag)} }` : value;
        throw new Mismatch(found, `case of \`${name}\`: { tag: ${Object.keys(cases).join(" | ")} }`);
      }
      return type === null ? { tag: value.tag } : { tag: value.tag, val: inside(".val", type, value.val) };
    },
  };
}

/** An `option` within an `option` is `{ tag: "some", val }` or `{ tag: "none" }`; else none is `null`, or `undefined`. */
export function option(inner, isNested) {
  if (isNested) return variant("option", { none: null, some: inner });
  return {
    lift: inner.lift && ((value) => (value === null ? null : inner.lift(value))),
    lower: (value) => (value === null || value === undefined ? null : inner.lower(value)),
  };
}

/** A `result` within a value; where a function returns one, see [`fn`]. */
export function result(ok, err) {
  return variant("result", { ok, err });
}

/** The bindings would trap. */
async function unreadable() {
  throw new TypeError("QuickJS can't wait for a function without a result that is called by a plain import: call it by a handle");
}

/** A `future`, whose `read` lifts what comes. */
export function future(inner) {
  if (inner === null) return { lift: (native) => ({ read: unreadable, drop: () => native.drop() }), lower: (value) => value };
  if (!inner.lift) return opaque;
  return {
    lift: (native) => ({
      native,
      read: async () => inner.lift(await native.read()),
      cancelRead: () => native.cancelRead(),
      drop: () => native.drop(),
      [Symbol.dispose ?? Symbol.for("dispose")]: () => native.drop(),
    }),
    lower: (value) => value.native ?? value,
  };
}

/** What the bindings check themselves: resources, streams. */
export const opaque = { lift: null, lower: (value) => value };

/** A function: the names and types of its parameters, and what it returns. */
export function fn(name, params, returns) {
  const { ok = null, err = null, isResult = false, isAsync = false } = returns;
  return { name, params, ok, err, isResult, isAsync };
}

/** The arguments of a call as the bindings take them. */
export function lowerArguments(signature, values) {
  const { name, params } = signature;
  const lowered = new Array(params.length);
  let at = 0;
  try {
    for (; at < params.length; at++) lowered[at] = params[at][1].lower(values[at]);
  } catch (error) {
    throw error instanceof Mismatch ? error.of(`\`${name}\`: the argument \`${params[at][0]}\``) : error;
  }
  return lowered;
}

/** The arguments of a call as a node takes them. */
export function liftArguments(signature, values) {
  const { params } = signature;
  for (let at = 0; at < params.length; at++) {
    const { lift } = params[at][1];
    if (lift) values[at] = lift(values[at]);
  }
  return values;
}

/** What a call returned as a node takes it. */
export function liftResult(signature, value) {
  return lifted(signature.ok, value);
}

/** What a node returned as the bindings take it. */
export function lowerResult(signature, value) {
  if (signature.ok === null) return undefined;
  try {
    return signature.ok.lower(value);
  } catch (error) {
    throw error instanceof Mismatch ? error.of(`\`${signature.name}\`: what it returned`) : error;
  }
}
