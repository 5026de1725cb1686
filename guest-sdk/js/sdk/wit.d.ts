// What TypeScript may assume of a component: interfaces of WIT are modules with one object, and `console` prints.

declare module "*" {
  const imported: any;
  export default imported;
}

declare const console: Record<"log" | "info" | "debug" | "warn" | "error", (...words: unknown[]) => void>;
