// What a component with QuickJS is made of: the node, with `console` set up before it.

import "./console.js";
import * as node from "./node.js";

export * from "./node.js";

/** The node's own, which says what it throws: the host is only told that it failed. */
export const run = node.run && {
  async run() {
    try {
      await node.run.run();
    } catch (error) {
      console.error("error:", error);
      // An error of WASI's, where an `Error` would be a trap.
      throw undefined;
    }
  },
};
