// `console` for QuickJS, which has none: lines to stdout and stderr.

import stderr from "wasi:cli/stderr@0.2.0";
import stdout from "wasi:cli/stdout@0.2.0";

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
  if (value instanceof Error) return `${value}\n${value.stack ?? ""}`.trimEnd();
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
