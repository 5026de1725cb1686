// Prints a line.

import { config, program } from "./lp.js";

export const run = {
  async run() {
    const [place, count] = [program.replicaIndex() + 1, program.replicaCount()];
    console.log(`hello, ${config("name")}, from JavaScript: ${place} of ${count}`);
  },
};
