// `console` for QuickJS, which has none: lines to stdout and stderr, as Node.js writes them.

import stderr from "wasi:cli/stderr@0.2.0";
import stdout from "wasi:cli/stdout@0.2.0";

import { printed } from "./live.js";
import { formatWithOptions, inspect } from "./vendor.js";

/** The most bytes that WASI takes at once. */
const WRITE_BYTES_MAX = 4096;

/** What is printed before each line: the groups that are open. */
let indent = "";

function write(open, text) {
  const bytes = utf8(`${indent}${indent === "" ? text : text.replaceAll("\n", `\n${indent}`)}\n`);
  printed(() => {
    const stream = open();
    for (let start = 0; start < bytes.length; start += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(bytes.slice(start, start + WRITE_BYTES_MAX));
    }
  });
}

function writer(open) {
  return (...words) => write(open, formatWithOptions({}, ...words));
}

/** In QuickJS the `stack` of an error lacks what it says. */
Object.defineProperty(Error.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(depth, options) {
    const stack = (this.stack ?? "").trimEnd();
    const text = stack === "" ? `[${this}]` : `${this}\n${stack}`;
    const own = Object.keys(this).filter((key) => key !== "stack");
    const shown = this.cause === undefined ? own : [...own, "cause"];
    if (shown.length === 0 || depth < 0) return text;
    const rest = Object.fromEntries(shown.map((key) => [key === "cause" ? "[cause]" : key, this[key]]));
    return `${text} ${inspect(rest, options)}`;
  },
});

/** The bytes of a text, without a `TextEncoder`, which is only there if the node uses it. */
function utf8(text) {
  const escaped = encodeURIComponent(text.toWellFormed());
  const bytes = [];
  for (let at = 0; at < escaped.length; at++) {
    if (escaped[at] === "%") {
      bytes.push(parseInt(escaped.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(escaped.charCodeAt(at));
    }
  }
  return new Uint8Array(bytes);
}

const [out, err] = [writer(() => stdout.getStdout()), writer(() => stderr.getStderr())];
const counts = new Map();
const begun = new Map();

function group(...words) {
  if (words.length > 0) out(...words);
  indent += "  ";
}

function time(print) {
  return (label = "default", ...words) => {
    if (begun.has(label)) print(`${label}: ${(performance.now() - begun.get(label)).toFixed(3)}ms`, ...words);
    else err(`Warning: No such label '${label}' for console.time`);
  };
}

globalThis.console = {
  log: out,
  info: out,
  debug: out,
  warn: err,
  error: err,
  dir: (value, options) => out(inspect(value, options)),
  table: out,
  trace: (...words) => err(`Trace: ${formatWithOptions({}, ...words)}\n${new Error().stack}`.trimEnd()),
  assert: (is, ...words) => is || err(...(words.length > 0 ? ["Assertion failed:", ...words] : ["Assertion failed"])),
  count: (label = "default") => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    out(`${label}: ${counts.get(label)}`);
  },
  countReset: (label = "default") => void counts.delete(label),
  group,
  groupCollapsed: group,
  groupEnd: () => (indent = indent.slice(2)),
  time: (label = "default") => void begun.set(label, performance.now()),
  timeLog: time(out),
  timeEnd: (label = "default") => {
    time(out)(label);
    begun.delete(label);
  },
};
