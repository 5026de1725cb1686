// What a node can ask of its host: who it is, its configuration, lines of output, and the end of the program.

import * as loggingModule from "wasi:logging/logging@0.1.0-draft";
import * as storeModule from "wasi:config/store@0.2.0-rc.1";
import * as programModule from "lp:node/program@0.1.0";

/** QuickJS has an interface as what its module exports by default, StarlingMonkey as all that it exports. */
const [logging, store] = [loggingModule, storeModule].map((module) => module.default ?? module);

/** Names and numbers of this node, and `stop`. */
export const program = programModule.default ?? programModule;

/** The value that `config = { … }` in program.toml has for `key`, or `otherwise`. */
export function config(key, otherwise = null) {
  return store.get(key) ?? otherwise;
}

/** In the style `sync` a call returns, or throws, when it is done. */
function isFuture(call) {
  return typeof call?.read === "function" && typeof call.drop === "function";
}

/** What a call by a plain import returns. A future that nobody drops stays in the node's table of handles, which fills. */
export async function value(call) {
  if (!isFuture(call)) return call;
  try {
    return await call.read();
  } finally {
    call.drop();
  }
}

/** The result of a call by a handle: throws its `call-error`. */
export async function result(call) {
  if (!isFuture(call)) return call;
  const outcome = await value(call);
  if (outcome.tag === "err") throw outcome.val;
  return outcome.val;
}

/** The results of many calls by handles, which are all under way at once. */
export function all(calls) {
  return Promise.all(calls.map(result));
}

/**
 * What a node exports as `tests` whose world exports `lp:test/tests`: each function by its name is a test, which fails if it
 * throws.
 */
export function tests(functions) {
  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const found = new Map(Object.entries(functions).map(([name, test]) => [kebab(name), test]));
  return {
    names() {
      return [...found.keys()];
    },
    async run(name) {
      const test = found.get(name);
      if (test === undefined) throw `there is no test \`${name}\``;
      try {
        await test();
      } catch (error) {
        console.error("error:", error);
        // An `Error` would be a trap. The `call-error` of a handle is an object of WIT's.
        throw error instanceof Error || typeof error === "string" ? String(error) : JSON.stringify(error);
      }
    },
  };
}

/** Log lines by their level. */
export const log = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error", "critical"].map((level) => [
    level,
    (...words) => logging.log(level, "", words.join(" ")),
  ]),
);
