// The types of lp.js.

export declare const program: {
  programName(): string;
  nodeName(): string;
  replicaIndex(): number;
  replicaCount(): number;
  launchType(): string;
  stop(): void;
  stopRequested(): boolean;
  waitForStop(): Call<void>;
};

/** A call that is under way. */
export interface Call<T> {
  read(): Promise<T>;
  drop(): void;
}

/** What a handle's method gives: a result, or the `call-error` of a failed call. */
export type Outcome<T> = { tag: "ok"; val: T } | { tag: "err"; val: unknown };

export declare function config(key: string, otherwise?: string | null): string | null;
export declare function value<T>(call: Call<T>): Promise<T>;
export declare function result<T>(call: Call<Outcome<T>>): Promise<T>;
export declare function all<T>(calls: Call<Outcome<T>>[]): Promise<T[]>;
/** What a node exports as `tests` whose world exports `lp:test/tests`: each function by its name is a test. */
export declare function tests(functions: Record<string, () => void | Promise<void>>): {
  names(): string[];
  run(name: string): Promise<void>;
};
export declare const log: Record<
  "trace" | "debug" | "info" | "warn" | "error" | "critical",
  (...words: unknown[]) => void
>;
