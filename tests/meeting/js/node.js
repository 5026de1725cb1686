// Passes calls on to the meeting, and makes many such calls at once.

import handles from "test:meeting/relay-handles";
import meeting from "test:meeting/meeting";
import { all, config, program, result, value } from "./lp.js";

export const relay = {
  async pass(of) {
    return await value(meeting.meet(of));
  },
  async echo(bytes) {
    return bytes;
  },
};

export const run = {
  async run() {
    const [other] = handles.all("relay");
    const met = await all(Array.from({ length: 100 }, () => other.pass(100)));
    console.log(`${met.length} calls met ${Math.max(...met)}`);
    const payload = new Uint8Array(1024);
    for (let call = 0; call < Number(config("calls", "0")); call++) {
      const bytes = await result(other.echo(payload));
      if (bytes.length !== payload.length) throw new Error("bytes were lost");
    }
    program.stop();
  },
};
