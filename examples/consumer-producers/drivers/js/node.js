// A driver: tests a consumer from outside.

import consumer from "example:producing/consumer";
import * as lp from "./lp.js";

function equal(found, expected) {
  if (`${found}` !== `${expected}`) throw new Error(`expected ${expected}, found ${found}`);
}

export const tests = lp.tests({
  async stepsTenTimes() {
    for (let step = 0; step < 10; step++) {
      equal(await lp.result(consumer.step()), [10 * step, 10 * step + 1]);
    }
  },

  // Each test has a program of its own.
  async startsWithStep0() {
    equal(await lp.result(consumer.step()), [0, 1]);
  },
});
