// Makes a component by componentize-js, which has no command line: node starlingmonkey.mjs TOOLS SOURCE WIT WORLD OUT

import { readFile, writeFile } from "node:fs/promises";

const [tools, sourcePath, wit, worldName, out] = process.argv.slice(2);
const { componentize } = await import(`${tools}/node_modules/@bytecodealliance/componentize-js/src/componentize.js`);
// Nodes ask the host for these if at all, not by an engine that would import them for each.
const disableFeatures = ["http", "fetch-event"];
try {
  const witWorld = await readFile(wit, "utf8");
  const { component } = await componentize({ sourcePath, witWorld, worldName, disableFeatures });
  await writeFile(out, component);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
