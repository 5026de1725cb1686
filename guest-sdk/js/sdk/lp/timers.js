// `setTimeout` and its siblings, by waits of the host's clock.
//
// A wait can't be ended early, and one is enough for all timers that are due no earlier than it ends.

import clock from "wasi:clocks/monotonic-clock@0.3.0";

const MILLION = 1_000_000;

/** The longest delay in milliseconds, as everywhere: a longer one counts as 1. */
const DELAY_MAX = 2 ** 31 - 1;

/** Timers by when they are due, and by their ids among those that are due at once: a binary heap. */
const heap = [];
const pending = new Map();
let lastId = 0;

/** When the waits end that are under way, and whether a call is being worked on, of which a wait can be a part. */
const waits = [];
let isInTask = false;

/** A time that a wait has shown to be over: the clock of a node may stand still. */
let reached = 0;

function now() {
  return Math.max(performance.now(), reached);
}

function earlier(a, b) {
  return a.due < b.due || (a.due === b.due && a.id < b.id);
}

function push(timer) {
  let at = heap.push(timer) - 1;
  for (let up; at > 0 && earlier(heap[at], heap[(up = (at - 1) >> 1)]); at = up) {
    [heap[at], heap[up]] = [heap[up], heap[at]];
  }
}

function pop() {
  const first = heap[0];
  const last = heap.pop();
  if (heap.length > 0) {
    heap[0] = last;
    for (let at = 0, down; (down = 2 * at + 1) < heap.length; at = down) {
      if (down + 1 < heap.length && earlier(heap[down + 1], heap[down])) down++;
      if (!earlier(heap[down], heap[at])) break;
      [heap[at], heap[down]] = [heap[down], heap[at]];
    }
  }
  return first;
}

/** The timer that is due next; those that were cancelled go. */
function next() {
  while (heap.length > 0 && pending.get(heap[0].id) !== heap[0]) pop();
  return heap[0];
}

function wait() {
  const timer = next();
  if (!isInTask || timer === undefined || waits.some((end) => end <= timer.due)) return;
  const end = timer.due;
  waits.push(end);
  const nanoseconds = Math.max(0, Math.ceil((end - now()) * MILLION));
  // 64 bits pass the bindings as digits.
  clock.waitFor(nanoseconds.toString(16)).then(() => {
    waits.splice(waits.indexOf(end), 1);
    reached = Math.max(reached, end);
    return fire();
  });
}

/** Runs what is due, each timer after the jobs of the one before, as everywhere. */
async function fire() {
  for (let timer; (timer = next()) !== undefined && timer.due <= now(); ) {
    pop();
    if (timer.every === null) {
      pending.delete(timer.id);
    } else {
      timer.due = Math.max(now(), timer.due) + timer.every;
      push(timer);
    }
    try {
      timer.run(...timer.values);
    } catch (error) {
      console.error("error in a timer:", error);
    }
    await jobs();
  }
  wait();
}

/** Lets the jobs that are queued run, and those that they queue. */
async function jobs() {
  for (let hop = 0; hop < 8; hop++) await null;
}

/** A call is being worked on. What was timed where no call was, waits from now on. */
export function inTask() {
  isInTask = true;
  if (heap.length > 0) wait();
}

function add(run, delay, every, values) {
  if (typeof run !== "function") throw new TypeError(`a timer runs a function, and not ${typeof run}`);
  const whole = Math.trunc(Number(delay));
  const millis = whole >= 1 && whole <= DELAY_MAX ? whole : 1;
  const timer = { id: ++lastId, due: now() + millis, every: every ? millis : null, run, values };
  pending.set(timer.id, timer);
  push(timer);
  wait();
  return timer.id;
}

const cancel = (id) => void pending.delete(id);

Object.assign(globalThis, {
  setTimeout: (run, delay, ...values) => add(run, delay, false, values),
  setInterval: (run, delay, ...values) => add(run, delay, true, values),
  setImmediate: (run, ...values) => add(run, 0, false, values),
  clearTimeout: cancel,
  clearInterval: cancel,
  clearImmediate: cancel,
});
