"""A client of Reverb, as it is, for the program beside this file: `python client.py [ADDRESS]`."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import reverb

client = reverb.Client(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7013")

with client.trajectory_writer(num_keep_alive_refs=3) as writer:
    for step in range(1, 5):
        writer.append({"numbers": np.float32(step), "scale": np.float32(10)})
        if step >= 3:
            numbers = writer.history["numbers"][-3:]
            writer.create_item("questions", 1.0, {"numbers": numbers, "scale": writer.history["scale"][-1]})
    writer.end_episode()

for _ in range(2):
    [answer] = client.sample("answers", 1, emit_timesteps=False)
    scaled, total = answer.data
    print(f"{scaled.tolist()} make {total}")

print({name: info.current_size for name, info in sorted(client.server_info().items())})
