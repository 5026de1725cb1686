// What promises, timers and the web's interfaces do: a scenario says lines, and Node.js and a node must say the same ones.

const wait = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

async function rejected(promise) {
  try {
    return `resolved to ${await promise}`;
  } catch (error) {
    return `rejected by ${error?.name ?? typeof error}: ${error?.message ?? error}`;
  }
}

function refused(run) {
  try {
    return `gave ${run()}`;
  } catch (error) {
    return `threw ${error.name}`;
  }
}

const scenarios = {
  async "jobs run in the order in which they were queued"(say) {
    Promise.resolve().then(() => say("a"));
    queueMicrotask(() => say("b"));
    (async () => (await null, say("c")))();
    say("first");
    await null;
    say("d");
  },
  async "jobs come before timers"(say) {
    setTimeout(() => say("timer"), 1);
    Promise.resolve().then(() => say("job")).then(() => say("job of a job"));
    await wait(5);
  },
  async "timers run in the order of their delays"(say) {
    for (const delay of [25, 5, 15]) setTimeout(say, delay, delay);
    await wait(40);
  },
  async "timers of one delay run in the order in which they were set"(say) {
    for (const name of "abc") setTimeout(() => say(name), 3);
    await wait(15);
  },
  async "the jobs of a timer run before the next timer"(say) {
    for (const name of "ab") {
      setTimeout(() => {
        say(name);
        Promise.resolve().then(() => say("job of", name));
      }, 2);
    }
    await wait(15);
  },
  async "a timer that was cleared does not run"(say) {
    clearTimeout(setTimeout(() => say("never"), 1));
    clearTimeout(undefined);
    const second = setTimeout(() => say("nor this"), 8);
    setTimeout(() => clearTimeout(second), 2);
    await wait(20);
    say("done");
  },
  async "an interval repeats until it is cleared"(say) {
    let count = 0;
    await new Promise((resolve) => {
      const interval = setInterval(() => {
        say(++count);
        if (count === 3) {
          clearInterval(interval);
          resolve();
        }
      }, 2);
    });
    await wait(10);
  },
  async "a timer sets another one from within"(say) {
    await new Promise((resolve) => setTimeout(() => (say("outer"), setTimeout(() => (say("inner"), resolve()), 1)), 1));
  },
  async "the earlier of two wins a race, and the later goes on"(say) {
    const slow = wait(12).then(() => (say("slow is over"), "slow"));
    say(await Promise.race([slow, wait(2).then(() => "fast")]));
    await slow;
  },
  async "all, allSettled and any"(say) {
    const fails = async () => {
      await wait(1);
      throw new TypeError("no");
    };
    say(await Promise.all([1, wait(2).then(() => 2), Promise.resolve(3)]));
    say((await Promise.allSettled([fails(), 1])).map(({ status }) => status));
    say(await Promise.any([fails(), wait(3).then(() => "any")]));
    say(await rejected(Promise.all([fails(), wait(2)])));
    const none = await Promise.any([fails()]).catch((error) => error);
    say(none.name, none.errors.map(String));
  },
  async "an async generator hands over one by one"(say) {
    async function* count(to) {
      try {
        for (let at = 0; at < to; at++) {
          await wait(1);
          yield at;
        }
      } finally {
        say("closed");
      }
    }
    for await (const at of count(5)) {
      say(at);
      if (at === 2) break;
    }
  },
  async "finally runs, and an error goes through it"(say) {
    say(await rejected(Promise.reject(new RangeError("out")).finally(() => say("finally"))));
  },
  async "a hundred waits at once are over together"(say) {
    const begun = Date.now();
    const values = await Promise.all(Array.from({ length: 100 }, (_, at) => wait(10).then(() => at)));
    say(values.length, values[99], Date.now() - begun < 900);
  },
  async "ten thousand timers are all run"(say) {
    let count = 0;
    for (let at = 0; at < 10_000; at++) setTimeout(() => count++, 1 + (at % 7));
    await wait(200);
    say(count);
  },
  async "what is thrown later is caught where it is awaited"(say) {
    const failing = (async () => {
      await wait(1);
      throw { code: 7 };
    })();
    try {
      await failing;
    } catch (error) {
      say(error);
    }
  },
  async "a copy has its own maps, sets, dates and cycles"(say) {
    const original = { map: new Map([[1, new Set(["a"])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), big: 2n ** 70n };
    original.self = original;
    const copy = structuredClone(original);
    copy.map.get(1).add("b");
    say(copy.self === copy, copy.map.get(1).size, original.map.get(1).size, copy.date.getTime(), [...copy.bytes], String(copy.big));
    say(refused(() => structuredClone(() => 1)));
  },
  async "text becomes bytes and bytes text"(say) {
    say([...new TextEncoder().encode("aä€🦀\ud800")]);
    say(new TextDecoder().decode(new Uint8Array([97, 0xc3, 0xa4, 0xff, 0xe2, 0x82])));
    say(refused(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff]))));
    say(atob(btoa("lp")));
  },
  async "an address has its parts"(say) {
    const url = new URL("../c?x=1&y=%20#z", "https://user@exämple.org:8443/a/b/");
    say(url.href, url.hostname, url.port, url.pathname, url.searchParams.get("y"), url.hash);
    url.searchParams.append("n", "ß");
    say(url.search, new URLSearchParams({ a: "1 2" }).toString(), refused(() => new URL("no address")));
  },
  async "randomness is there, and of the right form"(say) {
    const [a, b] = [crypto.randomUUID(), crypto.randomUUID()];
    say(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(a), a === b);
    const values = crypto.getRandomValues(new Uint32Array(8));
    say(values.length, values.some((value) => value !== 0));
    say(Array.from({ length: 1000 }, Math.random).every((value) => value >= 0 && value < 1));
  },
  async "time goes on"(say) {
    const begun = performance.now();
    await wait(5);
    const elapsed = performance.now() - begun;
    say(elapsed >= 4 && elapsed < 1000, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000);
  },
  async "odd values are printed as what they are"(say) {
    const odd = { nothing: undefined, nan: NaN, zero: -0, big: 10n, run() {}, symbol: Symbol("s"), date: new Date(0) };
    odd.cycle = odd;
    console.log(NaN, -0, Infinity, 10n, undefined, null, "text", Symbol.iterator, [undefined, , "x"], () => 1);
    console.log(new Map([["a", { b: new Set([1, "two"]) }]]), new Uint8Array(3), odd, /x/g, [[[[1]]]], class A {});
    console.log("%s is %d of %o%%", "x", 5, [1], { rest: 1 });
    console.group("group");
    console.info("indented\ntwice");
    console.groupEnd();
    console.count();
    console.count();
    say("printed");
  },
  async "a promise of another kind is taken over"(say) {
    const thenable = { then: (resolve) => setTimeout(resolve, 1, "thenable") };
    say(await thenable, await Promise.resolve(thenable), new WeakRef(thenable).deref() === thenable);
  },
};

export const names = Object.keys(scenarios);

export async function play(name) {
  const lines = [];
  await scenarios[name]((...words) => lines.push(words.map((word) => JSON.stringify(word)).join(" ")));
  return lines;
}
