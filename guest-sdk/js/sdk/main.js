// What a component is made of: the node, with `console` set up before it.

import "./lp.js";
export * from "./node.js";
