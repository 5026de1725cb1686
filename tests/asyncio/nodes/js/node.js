// Plays scenarios of promises, alone and between calls.

import { names, play } from "./scenarios.mjs";

/** A promise of each event, and what fulfils it. */
const events = new Map();

function event(number) {
  if (!events.has(number)) events.set(number, Promise.withResolvers());
  return events.get(number);
}

const wait = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

/** Lets in so many at once, the first that came first. */
class Gate {
  waiting = [];

  constructor(free) {
    this.free = free;
  }

  async within(work) {
    if (this.free > 0) this.free--;
    else await new Promise((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

function assert(is, what) {
  if (!is) throw new Error(what);
}

const [lock, semaphore] = [new Gate(1), new Gate(3)];
const [futures, held, items, takers, known, notified] = [new Map(), [], [], [], new Set(), []];
let [gathered, barrier] = [0, Promise.withResolvers()];

const through = {
  // The first of two calls waits for what the second one says.
  async future(tag) {
    const other = futures.get(tag ^ 1);
    if (other) return other.resolve(tag);
    futures.set(tag, Promise.withResolvers());
    assert((await futures.get(tag).promise) === (tag ^ 1), "another's answer");
  },
  lock: (tag) =>
    lock.within(async () => {
      assert(held.length === 0, "two are within a lock");
      held.push(tag);
      await null;
      assert(held.pop() === tag, "another held the lock");
    }),
  async queue(tag) {
    if (tag % 2) {
      const taker = takers.shift();
      if (taker) taker(tag);
      else items.push(tag);
    } else {
      assert((items.shift() ?? (await new Promise((resolve) => takers.push(resolve)))) % 2 === 1, "not what was put");
    }
  },
  async condition(tag) {
    known.add(tag);
    notified.splice(0).forEach((notify) => notify());
    while (!known.has(tag ^ 1)) await new Promise((resolve) => notified.push(resolve));
  },
  semaphore: (tag) => semaphore.within(() => wait(tag % 2)),
  async barrier() {
    const mine = barrier;
    if (++gathered % 2 === 0) {
      barrier = Promise.withResolvers();
      mine.resolve();
    }
    await mine.promise;
  },
  async timeout(tag) {
    const { promise, resolve } = Promise.withResolvers();
    if (tag % 2 === 0) queueMicrotask(() => resolve("set"));
    const first = await Promise.race([promise, wait(tag % 2 ? 1 : 200).then(() => "late")]);
    assert(first === (tag % 2 ? "late" : "set"), first);
  },
};

export const stage = {
  names: () => names,
  play,
  async link(waits, sets, tag) {
    for (const number of waits) await event(number).promise;
    for (const number of sets) event(number).resolve();
    return tag;
  },
  async share(by, tag) {
    await through[by](tag);
    return tag;
  },
  async leave(waits, sets) {
    event(waits).promise.then(async () => {
      await wait(1);
      event(sets).resolve();
    });
  },
};
