// What must not be frozen into the component, which is a snapshot of its build: randomness, and the clock's beginning.

// 64 bits pass the bindings as digits.
import random from "wasi:random/random@0.2.12";

/** As many bytes as may be asked for at once, as everywhere. */
const BYTES_MAX = 65536;

/** The state of xorshift128+, seeded by the replica's own randomness when it is first asked. */
let state = null;

function seeded() {
  const bytes = random.getRandomBytes("10");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // All bits zero would stay zero.
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12) | 1];
}

/** xorshift128 of 32 bits (Marsaglia, "Xorshift RNGs", 2003). */
function next() {
  state ??= seeded();
  let t = state[3];
  const s = state[0];
  state[3] = state[2];
  state[2] = state[1];
  state[1] = s;
  t ^= t << 11;
  t ^= t >>> 8;
  state[0] = t ^ s ^ (s >>> 19);
  return state[0] >>> 0;
}

/** Whether the component is being made: what happens now, happens in it alone and not in each replica. */
let isImporting = true;
const early = [];

/** Has a line printed by `print` as soon as there is a host that takes it. */
export function printed(print) {
  if (isImporting) early.push(print);
  else print();
}

/** Refuses what only a replica's host could answer. */
export function needsHost(name) {
  if (isImporting) throw new Error(`\`${name}\` can't be called while the node is imported, which happens when it is built`);
}

/** A replica begins to work. What was printed when its component was made is shown now. */
export function begin() {
  if (early.length > 0) early.splice(0).forEach((print) => print());
}

/** The node has been imported. */
export function imported() {
  isImporting = false;
}

let isWarned = false;
const frozen = Math.random;

Math.random = function random() {
  if (isImporting) {
    // The libraries that bring the web's interfaces are imported before there is a `console`.
    if (!isWarned && globalThis.console !== undefined) {
      isWarned = true;
      console.warn("warning: `Math.random()` was called while the node was imported: the same number in every replica");
    }
    return frozen();
  }
  return (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
};

const crypto = {
  getRandomValues(array) {
    const isInteger = ArrayBuffer.isView(array) && !(array instanceof DataView) && !/Float/.test(array.constructor.name);
    if (!isInteger) throw new TypeError("getRandomValues() fills a typed array of integers");
    if (array.byteLength > BYTES_MAX) throw new RangeError(`getRandomValues() fills at most ${BYTES_MAX} bytes`);
    if (isImporting) {
      throw new Error("random bytes of when the node is imported would be the same in every replica: ask in a function");
    }
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(random.getRandomBytes(array.byteLength.toString(16)));
    return array;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [8, 12, 16, 20].reduceRight((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
  },
};
Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });

/** QuickJS counts from when the component was made, which is nothing to a replica. */
const elapsed = performance.now.bind(performance);
let origin = null;

function begun() {
  return (origin ??= { at: elapsed(), time: Date.now() });
}

const clock = {
  now() {
    if (isImporting) return 0;
    const { at } = begun();
    return elapsed() - at;
  },
  get timeOrigin() {
    return isImporting ? 0 : begun().time;
  },
};
Object.defineProperty(globalThis, "performance", { value: clock, configurable: true, writable: true });
