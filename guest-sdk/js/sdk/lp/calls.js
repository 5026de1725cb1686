// Calls in both directions: values by their types, and each result in a turn of the call that it belongs to.

import { liftArguments, liftResult, lowerArguments, lowerResult, Mismatch } from "./types.js";
import { begin, needsHost } from "./live.js";
import { inTask } from "./timers.js";

/** How many jobs a call may take and be done in its first turn, without a stream of its own. */
const HOPS = 4;

/**
 * What the bindings take for the promise of a call's result: they ask for no more than `then`, once and at once.
 *
 * QuickJS has one queue of jobs for all calls, and the bindings return what a call gave to whichever call has its turn. So what
 * is settled later, in a turn of whatever call, writes a byte to a stream that this call reads from. What is settled in the first
 * turn needs none: jobs run until none is left.
 */
class Result {
  constructor(signature) {
    this.signature = signature;
    this.isFirstTurn = true;
    this.isSettled = false;
    this.hops = 0;
  }

  /** Takes what the node's function returned. */
  of(value) {
    if (typeof value?.then === "function") this.promise = value;
    else this.settle(value, true);
    return this;
  }

  settle(value, isOk) {
    this.value = value;
    this.isOk = isOk;
    this.isSettled = true;
  }

  then(fulfil, reject) {
    this.fulfil = fulfil;
    this.reject = reject;
    if (this.isSettled) return this.give();
    this.follow();
    queueMicrotask(() => this.hop());
  }

  /** An `await` takes a third of what a `then` does. */
  async follow() {
    try {
      this.settle(await this.promise, true);
    } catch (error) {
      this.settle(error, false);
    }
    if (this.isFirstTurn) this.give();
    else this.wake.writeOne(0).then(() => this.wake.drop());
  }

  hop() {
    if (this.isSettled) return;
    if (++this.hops < HOPS) return queueMicrotask(() => this.hop());
    this.isFirstTurn = false;
    const { readable, writable } = wit.Stream(wit.Stream.U8);
    this.wake = writable;
    readable.read(1).then(() => {
      readable.drop();
      this.give();
    });
  }

  give() {
    let lowered;
    try {
      if (!this.isOk) throw this.value;
      lowered = lowerResult(this.signature, this.value);
    } catch (error) {
      return this.reject(thrown(this.signature, error));
    }
    this.fulfil(lowered);
  }
}

/** An error that the bindings can't take for a result: the call fails, and the node with it. */
function fatal(error) {
  const failure = new Error(String(error));
  Object.defineProperty(failure, "payload", {
    get() {
      throw failure;
    },
  });
  return failure;
}

/** What a function of the node threw, as the bindings take it: the `err` of its `result`, or the failure of the call. */
function thrown(signature, error) {
  if (signature.isResult && !(error instanceof Mismatch)) {
    if (signature.err === null) {
      // The caller is told no more than that.
      console.error("error:", error);
      return undefined;
    }
    const isOwn = error instanceof Error;
    if (!isOwn || Object.hasOwn(error, "payload")) {
      const value = isOwn ? error.payload : error;
      try {
        const payload = signature.err.lower(value);
        return typeof payload === "object" && payload !== null ? Object.assign(new Error(), { payload }) : payload;
      } catch (mismatch) {
        if (!(mismatch instanceof Mismatch)) throw mismatch;
        console.error("error:", mismatch.of(`\`${signature.name}\`: what it threw`).message);
        return fatal(mismatch);
      }
    }
  }
  console.error(`error in \`${signature.name}\`:`, error);
  return fatal(error);
}

/** A function that the node exports, as the bindings call it. `find` gives the object that has it, and its name there. */
export function exported(signature, find, method) {
  if (!signature.isAsync) {
    return function (...values) {
      try {
        begin();
        const object = find ? find() : this;
        return lowerResult(signature, object[method](...liftArguments(signature, values)));
      } catch (error) {
        throw thrown(signature, error);
      }
    };
  }
  return function (...values) {
    const result = new Result(signature);
    try {
      begin();
      inTask();
      const object = find ? find() : this;
      return result.of(object[method](...liftArguments(signature, values)));
    } catch (error) {
      result.settle(error, false);
      return result;
    }
  };
}

/** `native`, a function of the host or of another node, as the node calls it. */
export function imported(signature, native) {
  const failed = (error) => {
    const { lift } = signature.err ?? {};
    if (lift && error instanceof Error && Object.hasOwn(error, "payload")) error.payload = lift(error.payload);
    return error;
  };
  if (signature.isAsync) {
    return async function (...values) {
      needsHost(signature.name);
      let value;
      try {
        value = await native.apply(this, lowerArguments(signature, values));
      } catch (error) {
        throw failed(error);
      }
      return liftResult(signature, value);
    };
  }
  if (!signature.err?.lift) {
    return function (...values) {
      needsHost(signature.name);
      return liftResult(signature, native.apply(this, lowerArguments(signature, values)));
    };
  }
  return function (...values) {
    needsHost(signature.name);
    let value;
    try {
      value = native.apply(this, lowerArguments(signature, values));
    } catch (error) {
      throw failed(error);
    }
    return liftResult(signature, value);
  };
}

/** Has a resource's class take and give values by their types, and returns what constructs its objects. */
export function importedClass(Native, { constructor, methods, statics }) {
  for (const [name, signature] of Object.entries(methods)) {
    Native.prototype[name] = imported(signature, Native.prototype[name]);
  }
  for (const [name, signature] of Object.entries(statics)) Native[name] = imported(signature, Native[name]);
  if (!constructor || constructor.params.length === 0) return Native;
  const Class = function (...values) {
    return new Native(...lowerArguments(constructor, values));
  };
  Object.setPrototypeOf(Class, Native);
  Class.prototype = Native.prototype;
  return Class;
}

/** The same for a class that the node exports. */
export function exportedClass(Class, { constructor, methods, statics }) {
  for (const [object, signatures] of [
    [Class.prototype, methods],
    [Class, statics],
  ]) {
    for (const [name, signature] of Object.entries(signatures)) {
      const inner = Symbol(name);
      object[inner] = object[name];
      object[name] = exported(signature, null, inner);
    }
  }
  return constructor === null ? Class : class extends Class {
    constructor(...values) {
      super(...liftArguments(constructor, values));
    }
  };
}

/** An interface that the node exports. */
export function exportedInterface(node, name, { functions, classes }) {
  const found = {};
  for (const [method, signature] of Object.entries(functions)) {
    if (typeof node[name]?.[method] !== "function") throw missing(`${name}.${method}`);
    found[method] = exported(signature, () => node[name], method);
  }
  for (const [Class, signatures] of Object.entries(classes)) {
    if (typeof node[name]?.[Class] !== "function") throw missing(`${name}.${Class}`);
    found[Class] = exportedClass(node[name][Class], signatures);
  }
  return found;
}

/** A function that the node exports outside of all interfaces. */
export function exportedFunction(node, name, signature) {
  if (typeof node[name] !== "function") throw missing(name);
  return exported(signature, () => node, name);
}

function missing(path) {
  return new TypeError(`node.js has no function \`${path}\`, which its world exports`);
}

/** An interface that the node imports. */
export function importedInterface(native, { functions, classes }) {
  const found = {};
  for (const [name, signature] of Object.entries(functions)) found[name] = imported(signature, native[name]);
  for (const [name, signatures] of Object.entries(classes)) found[name] = importedClass(native[name], signatures);
  return Object.freeze(found);
}
