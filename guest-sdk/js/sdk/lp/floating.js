// Promises that a statement drops: lp-host puts each such statement's value through `floating`.

/** Tells of a failure that nobody can hear of. */
globalThis.__lp_floating = (value, place) => {
  if (value instanceof Promise) {
    value.then(undefined, (error) => console.error(`error that nobody awaits, in a promise of ${place}:`, error));
  }
};
