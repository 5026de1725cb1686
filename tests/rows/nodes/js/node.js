// Says what ordinary library features do in a node: rows, whose outcomes are sentences, and facts, which the test compares
// between replicas and runs.

import echo from "tests:rows/echo";
import handles from "tests:rows/fails-handles";
import * as lp from "./lp.js";

const START = performance.now();
console.log("printed while importing");
const AT_IMPORT = [attempt(() => lp.config("key")), attempt(() => crypto.randomUUID())];

const WAYS = ["a bug", '`throw "no"`', "`throw 4242`", '`return { tag: "err", val: 4242 }`', "a wrong type", "a failed call"];

function attempt(run) {
  try {
    return run();
  } catch (error) {
    return `\`${error}\``;
  }
}

function fail(way) {
  switch (way) {
    case "none":
      return 1;
    case "a bug":
      return null.x;
    case WAYS[1]:
      throw "no";
    case WAYS[2]:
      throw 4242;
    case WAYS[3]:
      return { tag: "err", val: 4242 };
    case "a wrong type":
      return new Uint8Array(1);
    case "an exception":
      throw new Error("a bug");
  }
}

async function failLater(way) {
  if (way === "a failed call") await lp.result(handles.all("fails")[0].nothing("an exception"));
  return fail(way);
}

export const fails = {
  plain: fail,
  later: failLater,
  maybe: failLater,
  nothing: failLater,
  checked: fail,
  checkedLater: failLater,
};

const same = (v) => v;

export { exported as echo };
const exported = { byte: same, word: same, wide: same, bytes: same, floats: same, text: same, may: same };

async function seen(call) {
  try {
    const value = await lp.result(call);
    if (value?.tag === "err") return `\`err(${JSON.stringify(value.val)})\``;
    return value === undefined ? "no value: it returns" : `**${JSON.stringify(value)}**`;
  } catch (error) {
    return error.tag === "failed" ? "the call fails" : `${error.tag ?? error}`;
  }
}

async function table() {
  const [node] = handles.all("fails");
  const rows = [];
  for (const way of WAYS) {
    const row = [way];
    for (const kind of ["plain", "later", "maybe", "nothing", "checked", "checkedLater"]) {
      if (way === "a failed call" && ["plain", "checked"].includes(kind)) {
        row.push("can't wait for one");
        continue;
      }
      row.push(await seen(node[kind](way)));
      // A call that failed may have ended the replica: the next one is for the next life.
      while ((await seen(node.later("none"))) !== "**1**");
    }
    rows.push(row);
  }
  return rows;
}

const shown = (values, give) => values.map((value) => `${attempt(() => String(give(value)))}`).join(", ");
const refusals = (values, give) => {
  const is = values.every((value) => attempt(() => give(value)).toString().startsWith("`TypeError"));
  return is ? "refused, with the argument and the range" : shown(values, give);
};

const ROWS = [
  ["B2b", "`performance.now()` at the top, and later", () => `${START}, and ${performance.now() >= 0 ? "since the replica began" : "before nought"}`, "fine"],
  ["B3", "`setTimeout`, `structuredClone`, `TextEncoder`, `URL`, `crypto`", () => shown([0], () => [typeof setTimeout, typeof structuredClone, typeof TextEncoder, typeof URL, typeof crypto].join(", ")), "fine"],
  ["B3b", "`fetch`, `Buffer`, `process`, `require`", () => shown([0], () => [typeof fetch, typeof Buffer, typeof process, typeof require].join(", ")), "clear"],
  ["B4", "`list<u8>`, `list<f32>` that arrive", () => `${echo.bytes([1]).constructor.name}, ${echo.floats([1]).constructor.name}`, "fine"],
  ["B4b", "256, -1, 1.7, NaN as a `u8`", () => refusals([256, -1, 1.7, NaN], echo.byte), "clear"],
  ["B5", "none, as it arrives; `undefined` for it", () => shown([null, undefined], echo.text), "fine"],
  ["B6", "2⁵³ + 1 as a `u64`", () => `${typeof echo.wide(2n ** 53n + 1n)} ${shown([2n ** 53n + 1n], echo.wide)}`, "fine"],
  ["B6a", "1.5, NaN, -1, 2⁵³ (as a number) as a `u64`", () => refusals([1.5, NaN, -1, 2 ** 53], echo.wide), "clear"],
  ["B6b", "2³¹, 2³² - 1 as a `u32`", () => shown([2 ** 31, 2 ** 32 - 1], echo.word), "fine"],
  ["B8", "a rejection that nobody awaits", () => "printed, with the statement that dropped the promise", "clear"],
  ["B9", "`console.log` of NaN, a map, a cycle", () => "as Node.js prints them; tests/asyncio compares", "fine"],
  ["B11", "`{ \"may-read\": true }` as flags", () => refusals([{ "may-read": true }], echo.may), "clear"],
  ["B12", "`Intl`", () => typeof Intl, "clear"],
  ["B13", "`config(\"key\")` at the top", () => AT_IMPORT[0], "clear"],
  ["B14", "`crypto.randomUUID()` at the top", () => AT_IMPORT[1], "clear"],
];

async function dropped() {
  await null;
  throw new Error("lost");
}

export const run = {
  async run() {
    dropped();
    await null;
    const facts = { "`Math.random()`": Math.random(), "`crypto.randomUUID()`": crypto.randomUUID() };
    const isFirst = lp.program.replicaIndex() === 0;
    const rows = isFirst ? ROWS.map(([number, question, run, verdict]) => [number, question, run(), verdict]) : [];
    console.log(JSON.stringify({ facts, rows, failures: isFirst ? await table() : [] }));
  },
};
