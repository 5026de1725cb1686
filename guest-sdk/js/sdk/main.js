// What a component with QuickJS is made of: the node, with `console` set up before it.

import "./console.js";
import exported from "./lp_exports.js";
import * as node from "./node.js";

export * from "./node.js";

for (const path of exported) {
  if (typeof path.reduce((object, name) => object?.[name], node) !== "function") {
    throw new TypeError(`node.js has no function \`${path.join(".")}\`, which its world exports`);
  }
}

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
