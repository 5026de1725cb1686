// The client: has every counter count at once, and stops the program.

import handles from "app:nodes/counter-handles";
import { all, program } from "./lp.js";

export const run = {
  async run() {
    const counters = handles.all("counters");
    for (let n = 1; n <= 3; n++) {
      const sums = await all(counters.map((counter) => counter.add(n)));
      console.log(`after adding ${n}: [${sums.join(", ")}]`);
    }
    program.stop();
  },
};
