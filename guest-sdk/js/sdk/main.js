// What a component with QuickJS is made of: the node, with `console` set up before it.

import "./console.js";
export * from "./node.js";
