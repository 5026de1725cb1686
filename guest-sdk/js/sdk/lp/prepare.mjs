// Makes a node's modules ready for QuickJS: node prepare.mjs TOOLS SDK
//
// What the node imports by the name of a WIT interface is taken from lp/imports instead, where values are as its types have
// them. A promise that a statement drops is looked after. Of the web's interfaces those are brought in that a module names.

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

const [tools, sdk] = process.argv.slice(2);
const require = createRequire(join(tools, "node_modules", "x.js"));
const typescript = require("typescript");
const interfaces = JSON.parse(readFileSync(join(sdk, "lp/imports.json"), "utf8"));

/** Interfaces of the web that QuickJS lacks: the names that ask for one, and where it comes from. */
const WEB = [
  [/\bconsole\b/, 'export { formatWithOptions, inspect } from "node-inspect-extracted";'],
  [/\bURL\b|\bURLSearchParams\b/, 'import "core-js/stable/url"; import "core-js/stable/url-search-params";'],
  [/\bstructuredClone\b/, 'import "core-js/stable/structured-clone";'],
  [
    /\bText(En|De)coder\b/,
    'import { TextDecoder, TextEncoder } from "@exodus/bytes/encoding-lite.js";' +
      "Object.assign(globalThis, { TextDecoder, TextEncoder });",
  ],
];
const WITHOUT_INSPECT = `
const shown = (value) => (typeof value === "object" && value !== null && !(value instanceof Error) ? JSON.stringify(value) : value);
export const inspect = (value) => (value instanceof Error ? \`\${value}\\n\${value.stack ?? ""}\`.trimEnd() : String(shown(value)));
export const formatWithOptions = (_, ...words) => words.map(inspect).join(" ");`;

function modules(dir, isOwn, found = []) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (path !== join(sdk, "lp")) modules(path, isOwn && entry.name !== "node_modules", found);
    } else if (/\.m?js$/.test(entry.name)) {
      found.push({ path, isOwn });
    }
  }
  return found;
}

/** Brings a package that `npm` of build.toml names, and those that it depends on, to where QuickJS's bindings look. */
function bring(name) {
  const [from, to] = [tools, sdk].map((dir) => join(dir, "node_modules", name));
  if (existsSync(to) || !existsSync(join(from, "package.json"))) return;
  cpSync(from, to, { recursive: true, dereference: true });
  const { dependencies = {} } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  Object.keys(dependencies).forEach(bring);
}

/** A module's text with replacements, none of which changes its lines. */
function prepared(path, text) {
  const source = typescript.createSourceFile(path, text, typescript.ScriptTarget.Latest, false, typescript.ScriptKind.JS);
  const edits = [];
  const visit = (node) => {
    const { moduleSpecifier: named } = node;
    const called = node.kind === typescript.SyntaxKind.CallExpression ? node : null;
    const dynamic = called?.expression.kind === typescript.SyntaxKind.ImportKeyword ? called.arguments[0] : undefined;
    for (const specifier of [named, dynamic]) {
      if (!specifier || !typescript.isStringLiteral(specifier)) continue;
      const target = interfaces[specifier.text];
      const named = /^(@[\w.-]+\/)?[\w.-]+/.exec(specifier.text)?.[0];
      if (target === undefined && named !== undefined && !named.startsWith(".")) bring(named);
      if (target === undefined) continue;
      let to = relative(dirname(path), join(sdk, "lp/imports", target));
      if (!to.startsWith(".")) to = `./${to}`;
      edits.push([specifier.getStart(source), specifier.end, JSON.stringify(to)]);
    }
    if (typescript.isExpressionStatement(node)) {
      const { expression } = node;
      const isCall = typescript.isCallExpression(expression) && expression.expression.kind !== typescript.SyntaxKind.SuperKeyword;
      const inner = typescript.isVoidExpression(expression) ? expression.expression : isCall ? expression : undefined;
      if (inner !== undefined) {
        const line = source.getLineAndCharacterOfPosition(inner.getStart(source)).line + 1;
        const place = JSON.stringify(`${relative(sdk, path)}:${line}`);
        edits.push([inner.getStart(source), inner.getStart(source), "__lp_floating("], [inner.end, inner.end, `, ${place})`]);
      }
    }
    typescript.forEachChild(node, visit);
  };
  visit(source);
  // Of what is put in at one place, the outer goes first at its beginning and last at its end.
  const ordered = edits.map((edit, at) => [...edit, at]).sort((a, b) => b[0] - a[0] || b[3] - a[3]);
  return ordered.reduce((text, [start, end, by]) => text.slice(0, start) + by + text.slice(end), text);
}

const found = modules(sdk, true);
const texts = found.map(({ path, isOwn }) => {
  const text = readFileSync(path, "utf8");
  if (isOwn) writeFileSync(path, prepared(path, text));
  return path === join(sdk, "lp.js") ? "" : text;
});
const [inspect, ...rest] = WEB.map(([names, source]) => (texts.some((text) => names.test(text)) ? source : ""));
const contents = [inspect || WITHOUT_INSPECT, ...rest].join("\n");
await require("esbuild").build({
  stdin: { contents, resolveDir: tools },
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2023",
  platform: "neutral",
  mainFields: ["module", "main"],
  // QuickJS is built without it; the library looks at it as it begins.
  banner: { js: "globalThis.Atomics ??= {};" },
  outfile: join(sdk, "lp/vendor.js"),
  logLevel: "error",
});
