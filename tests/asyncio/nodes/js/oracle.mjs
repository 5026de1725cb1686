// The scenarios in Node.js, as JSON.

import { names, play } from "./scenarios.mjs";

const said = {};
for (const name of names) said[name] = await play(name);
console.log(JSON.stringify(said));
