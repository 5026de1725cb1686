// What a node can ask of its host: who it is, its configuration, lines of output, and the end of the program.

import logging from "wasi:logging/logging@0.1.0-draft";
import store from "wasi:config/store@0.2.0-rc.1";
import stderr from "wasi:cli/stderr@0.2.0";
import stdout from "wasi:cli/stdout@0.2.0";
import programInterface from "lp:node/program@0.1.0";

/** Names and numbers of this node, and `stop`. */
export const program = programInterface;

/** The value that `config = { … }` in program.toml has for `key`, or `otherwise`. */
export function config(key, otherwise = null) {
  return store.get(key) ?? otherwise;
}

/** What a call by a plain import returns. A future that nobody drops stays in the node's table of handles, which fills. */
export async function value(call) {
  try {
    return await call.read();
  } finally {
    call.drop();
  }
}

/** The result of a call by a handle: throws its `call-error`. */
export async function result(call) {
  const outcome = await value(call);
  if (outcome.tag === "err") throw outcome.val;
  return outcome.val;
}

/** The results of many calls by handles, which are all under way at once. */
export function all(calls) {
  return Promise.all(calls.map(result));
}

/** Log lines by their level. */
export const log = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error", "critical"].map((level) => [
    level,
    (...words) => logging.log(level, "", words.join(" ")),
  ]),
);

/** The most bytes that WASI takes at once. */
const WRITE_BYTES_MAX = 4096;

function writer(open) {
  return (...words) => {
    const text = words.map((word) => (typeof word === "string" ? word : shown(word))).join(" ");
    const bytes = utf8(`${text}\n`);
    const stream = open();
    for (let start = 0; start < bytes.length; start += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(bytes.slice(start, start + WRITE_BYTES_MAX));
    }
  };
}

function shown(value) {
  if (value instanceof Error) return `${value}\n${value.stack ?? ""}`;
  const text = JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}` : inner));
  return text ?? String(value);
}

/** QuickJS has no `TextEncoder`. */
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
globalThis.console = { log: out, info: out, debug: out, warn: err, error: err };
