// Tests that pass and fail, in JavaScript.

import * as lp from "./lp.js";

export const tests = lp.tests({
  passes() {},

  async fails() {
    throw new Error("7 is not 8");
  },

  async failsWithACallError() {
    throw { tag: "unavailable" };
  },
});
