// Implements every function of `values`, and calls every one of the node that it has a handle of.

import remote from "test:matrix/values";
import { program } from "./lp.js";

const ECHOES = [
  "Bool", "U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64", "F32", "F64", "Char", "String", "Bytes", "U32s", "S64s",
  "F64s", "Strings", "Lists", "Point", "Sample", "Batch", "Option", "NestedOption", "Options", "Shape", "Shapes",
  "Colour", "Few", "Many", "Tuple", "Pairs", "Results",
];

export const values = {
  ...Object.fromEntries(ECHOES.map((name) => [`echo${name}`, (v) => v])),
  echoResult(ok, v) {
    if (ok) return v;
    throw "blue";
  },
  echoMixed: (...mixed) => mixed,
  count: (v, of) => v.filter((byte) => byte === of).length,
  nothing() {},
};

/** The values to send, by function. Made when they are needed: what a module has is part of its component. */
function cases() {
  const POINT = { x: 0.5, y: -1e300 };
  const SAMPLE = { name: "näme", id: 2n ** 64n - 1n, at: POINT, tags: ["", "b"], note: "note" };
  const BARE = { name: "", id: 0, at: { x: 0, y: -0 }, tags: [], note: null };
  const flags = (count, set) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, set(i)]));
  const few = (a, b, c) => ({ a, b, c });
  return {
    Bool: [false, true],
    U8: [0, 255],
    S8: [-128, 127],
    U16: [0, 65535],
    S16: [-32768, 32767],
    U32: [0, 2 ** 31, 2 ** 32 - 1],
    S32: [-(2 ** 31), 2 ** 31 - 1],
    U64: [0, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n],
    S64: [-(2n ** 63n), Number.MIN_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER, 2n ** 63n - 1n],
    F32: [0, -0, 1.5, Infinity, -Infinity, NaN],
    F64: [5e-324, -Number.MAX_VALUE, Infinity, -Infinity, NaN],
    Char: ["a", "\0", "ß", "🦀", "\u{10ffff}"],
    String: ["", "grüße 🦀", "x".repeat(2 ** 20)],
    Bytes: [new Uint8Array(), Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(2 ** 20).fill(121)],
    U32s: [[], [0, 2 ** 32 - 1], Uint32Array.from({ length: 2 ** 18 }, (_, i) => i)],
    S64s: [[], [-1, 2n ** 63n - 1n], BigInt64Array.of(-(2n ** 63n), 0n)],
    F64s: [[], [0, NaN, -Infinity]],
    Strings: [[], ["", "a", "🦀"]],
    Lists: [[], [[], [1, 65535], []]],
    Point: [POINT],
    Sample: [SAMPLE, BARE],
    Batch: [{ samples: [], weights: [] }, { samples: [SAMPLE, BARE], weights: [1.5, -0] }],
    Option: [null, 0, 7],
    NestedOption: [
      { tag: "none" },
      { tag: "some", val: null },
      { tag: "some", val: "" },
      { tag: "some", val: "x" },
    ],
    Options: [[], [null, true, false]],
    Shape: [{ tag: "empty" }, { tag: "circle", val: 2.5 }, { tag: "polygon", val: [POINT] }, { tag: "named", val: "é" }],
    Shapes: [[], [{ tag: "named", val: "" }, { tag: "empty" }, { tag: "polygon", val: [] }]],
    Colour: ["red", "green", "blue"],
    Few: [few(false, false, false), few(false, true, false), few(true, false, true)],
    Many: [flags(32, () => false), flags(32, (i) => i === 31), flags(32, () => true)],
    Tuple: [[255, "é", 0.25]],
    Pairs: [[], [["a", 1], ["", 2 ** 32 - 1]]],
    Results: [[], [{ tag: "ok", val: 7 }, { tag: "err", val: "why" }, { tag: "ok", val: 0 }, { tag: "err", val: "" }]],
  };
}

/** Whether two values are the same, where zeros have a sign. Lists of numbers arrive as typed arrays. */
function equal(a, b) {
  if (ArrayBuffer.isView(b) && !ArrayBuffer.isView(a)) {
    return equal(a.map((item) => (typeof b[0] === "bigint" ? BigInt(item) : item)), [...b]);
  }
  if (typeof a !== "object" || a === null || b === null || typeof b !== "object") return Object.is(a, b);
  const keys = (value) => Object.keys(value).filter((key) => value[key] !== undefined);
  return keys(a).length === keys(b).length && keys(a).every((key) => equal(a[key], b[key]));
}

function check(name, expected, found) {
  if (!equal(expected, found)) throw new Error(`${name}: ${shown(expected)} became ${shown(found)}`);
}

function shown(value) {
  return String(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v))).slice(0, 80);
}

export const run = {
  run() {
    for (const [name, values] of Object.entries(cases())) {
      for (const value of values) check(name, value, remote[`echo${name}`](value));
    }
    check("Result", "fine", remote.echoResult(true, "fine"));
    let thrown;
    try {
      remote.echoResult(false, "");
    } catch (error) {
      thrown = error;
    }
    check("Result", "blue", thrown?.payload ?? thrown);
    const mixed = [255, "b", -0, Number.MAX_SAFE_INTEGER, new Uint8Array(1000).fill(101)];
    check("Mixed", mixed, remote.echoMixed(...mixed));
    check("count", 2, remote.count(new Uint8Array([97, 98, 99, 97]), 97));
    remote.nothing();
    console.log("every value came back");
    program.stop();
  },
};
