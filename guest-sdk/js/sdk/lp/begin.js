// What is there before the node is.

import "./live.js";
import "./console.js";
import "./timers.js";
import "./floating.js";
