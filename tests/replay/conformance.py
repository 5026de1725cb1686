"""The stock client of Reverb against a server of it or of ours: prints what each case comes to, a line of JSON for each.

    conformance.py original|PATH-OF-SERVE [CASE…]

Run against both, the lines have to be the same. A server of ours is the example `serve` of lp-replay.
"""

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["GRPC_VERBOSITY"] = "NONE"

import numpy as np
import reverb
import tensorflow as tf
from tensorflow.python.saved_model import nested_structure_coder

BIG = sys.float_info.max
MIN_SIZE = lambda size: (1.0, size, -BIG, BIG)
QUEUE = lambda size: (1.0, 1, 0.0, float(size))

STEP = {"a": tf.TensorSpec((2,), tf.float32), "b": [tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.string)]}


def table(name, sampler="uniform", remover="fifo", max_size=1000, times=0, limiter=MIN_SIZE(1), signature=None):
    return dict(name=name, sampler=sampler, remover=remover, max_size=max_size, times=times, limiter=limiter,
                signature=signature)


TABLES = [
    table("dtypes", "fifo"), table("big", "fifo"), table("nested", "fifo", signature=STEP), table("chunks", "fifo"),
    table("weights", "prioritized:1.0"), table("deletes", "fifo"), table("other", "fifo"),
    table("fifo", "fifo"), table("lifo", "lifo"), table("min", "min_heap"), table("max", "max_heap"),
    table("queue", "fifo", "fifo", 3, 1, QUEUE(3)), table("stack", "lifo", "lifo", 3, 1, QUEUE(3)),
    table("times", "uniform", times=2), table("starved", "fifo", limiter=MIN_SIZE(5)),
    table("ratio", "fifo", limiter=(2.0, 2, 0.0, 8.0)), table("reset", "fifo"), table("errors", "prioritized:0.5"),
    table("small", "fifo", "lifo", 2), table("evict_min", "fifo", "min_heap", 3), table("structured", "fifo"),
    table("many", "fifo", max_size=100000), table("timeout", "fifo", times=1), table("episodes", "fifo", max_size=2),
]


def selector(text):
    kind, _, exponent = text.partition(":")
    kinds = {"uniform": reverb.selectors.Uniform, "fifo": reverb.selectors.Fifo, "lifo": reverb.selectors.Lifo,
             "min_heap": reverb.selectors.MinHeap, "max_heap": reverb.selectors.MaxHeap}
    return reverb.selectors.Prioritized(float(exponent)) if kind == "prioritized" else kinds[kind]()


def original_table(it):
    limiter = reverb.rate_limiters.RateLimiter(*it["limiter"])
    return reverb.Table(it["name"], selector(it["sampler"]), selector(it["remover"]), it["max_size"], limiter,
                        it["times"], signature=it["signature"])


def text_of(it):
    text = (f"name={it['name']} sampler={it['sampler']} remover={it['remover']} max_size={it['max_size']} "
            f"max_times_sampled={it['times']} limiter={','.join(map(repr, it['limiter']))}")
    if it["signature"] is not None:
        text += " signature=" + nested_structure_coder.encode_structure(it["signature"]).SerializeToString().hex()
    return text


def serve_original(folder, which):
    tables = [original_table(it) for it in TABLES if it["name"] in which or not which]
    server = reverb.Server(tables, port=None, checkpointer=reverb.checkpointers.DefaultCheckpointer(folder))
    print(server.port, flush=True)
    sys.stdin.read()


class Server:
    """A server in a process of its own."""

    def __init__(self, kind, folder=None, tables=()):
        folder = folder or tempfile.mkdtemp()
        if kind == "original":
            command = [sys.executable, __file__, "--serve", folder, *tables]
        else:
            texts = [text_of(it) for it in TABLES if it["name"] in tables or not tables]
            command = [kind, "0", folder, *texts]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        self.address = f"localhost:{int(self.process.stdout.readline())}"
        self.client = reverb.Client(self.address)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def plain(value):
    """A value as JSON has it, with its types."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in sorted(value.items())}
    if tf.is_tensor(value):
        value = value.numpy()
    if isinstance(value, bytes):
        return value.decode()
    value = np.asarray(value)
    if value.dtype == object:
        return [str(part) for part in value.ravel().tolist()]
    if value.dtype.kind == "c":
        return [str(value.dtype), str(value.tolist())]
    return [str(value.dtype), value.tolist()]


def samples(client, name, count, **options):
    return [sample for sample in client.sample(name, count, emit_timesteps=False, **options)]


def info(client, name):
    it = client.server_info()[name]
    limiter = it.rate_limiter_info
    return dict(size=it.current_size, max_size=it.max_size, times=it.max_times_sampled, episodes=it.num_episodes,
                deleted=it.num_deleted_episodes, unique=it.num_unique_samples,
                sampler=str(it.sampler_options).split(), remover=str(it.remover_options).split(),
                signature=str(it.signature), inserts=limiter.insert_stats.completed,
                samples=limiter.sample_stats.completed, spi=limiter.samples_per_insert,
                min_size=limiter.min_size_to_sample, min_diff=limiter.min_diff, max_diff=limiter.max_diff)


def error(work):
    try:
        work()
    except Exception as error:  # Whatever it is, it is what is compared.
        return type(error).__name__
    return "none"


def put(client, name, value, priority=1.0):
    client.insert([np.int64(value)], {name: priority})


def values(client, name, count):
    return [int(sample.data[0][0]) for sample in samples(client, name, count)]


def keys(client, name, count):
    return [sample.info.key for sample in samples(client, name, count)]


def case_dtypes(client):
    found = {}
    shapes = [(), (3,), (2, 0), (2, 3, 2)]
    kinds = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 ? c8 c16".split()
    for kind in kinds:
        random = np.random.RandomState(1)
        data = [np.asarray(random.randint(0, 2 if kind == "?" else 100, shape), kind) for shape in shapes]
        client.insert(data, {"dtypes": 1.0})
        sample = samples(client, "dtypes", 1)[0]
        same = all(np.array_equal(a[0], b) and a.dtype == b.dtype for a, b in zip(sample.data, data))
        client.reset("dtypes")
        found[kind] = [bool(same), [list(part.shape) for part in sample.data]]
    client.insert([np.array(["a", "", "ä\0b"], object), np.array(b"x")], {"dtypes": 1.0})
    found["string"] = plain(samples(client, "dtypes", 1)[0].data)
    return found


def case_big(client):
    data = np.random.RandomState(1).bytes(20_000_000)
    data = np.frombuffer(data, np.uint8)
    client.insert(data, {"big": 1.0})
    parts = np.arange(3_000_000, dtype=np.float64).reshape(30, 100_000)
    with client.trajectory_writer(30) as writer:
        for part in parts:
            writer.append(part)
        writer.create_item("big", 1.0, {"all": writer.history[:]})
        writer.flush()
    first, second = samples(client, "big", 1)[0].data, None
    client.mutate_priorities("big", deletes=[keys(client, "big", 1)[0]])
    second = samples(client, "big", 1)[0].data
    return [bool(np.array_equal(first[0][0] if isinstance(first, list) else first[0], data)),
            bool(np.array_equal(second[0], parts))]


def case_nested(client):
    with client.trajectory_writer(5, validate_items=True) as writer:
        for step in range(5):
            writer.append({"a": np.full(2, step, np.float32), "b": [np.int64(step), np.array(f"s{step}", object)]})
        trajectory = tf.nest.map_structure(lambda column: column[-1], writer.history)
        writer.create_item("nested", 1.5, trajectory)
        writer.flush()
        wrong = error(lambda: (writer.create_item("nested", 1.0, {"a": writer.history["a"][-1]}), writer.flush()))
    sample = samples(client, "nested", 1, unpack_as_table_signature=True)[0]
    dataset = reverb.TrajectoryDataset.from_table_signature(
        client.server_address, "nested", max_in_flight_samples_per_worker=1, max_samples=1)
    first = next(iter(dataset.take(1)))
    return [wrong, plain(sample.data), plain(first.data), int(first.info.table_size), float(first.info.priority)]


def case_chunks(client):
    found = []
    for chunk, keep in [(1, 10), (2, 10), (3, 10), (10, 10)]:
        with client.trajectory_writer(keep) as writer:
            for column in ("x", "y"):
                writer.configure((column,), num_keep_alive_refs=keep, max_chunk_length=chunk)
            for step in range(10):
                writer.append({"x": np.int32(step), "y": np.float32(step) / 2})
                if step >= 4:
                    writer.create_item("chunks", step, {"x": writer.history["x"][-5:], "y": writer.history["y"][-2:-1],
                                                        "last": writer.history["x"][-1]})
            writer.flush()
        found.append([[plain(sample.data), sample.info.priority, sample.info.table_size]
                      for sample in samples(client, "chunks", 1)])
        for _ in range(5):
            client.mutate_priorities("chunks", deletes=[keys(client, "chunks", 1)[0]])
            found.append(plain(samples(client, "chunks", 1)[0].data))
        client.reset("chunks")
    return found


def case_weights(client):
    for value in range(4):
        put(client, "weights", value, 1.0)
    first = {}
    while len(first) < 4:
        sample = samples(client, "weights", 1)[0]
        first[int(sample.data[0][0])] = sample.info.key
    client.mutate_priorities("weights", updates={key: 3.0 if value == 2 else 0.0 for value, key in first.items()})
    only = set(values(client, "weights", 20))
    client.mutate_priorities("weights", updates={first[1]: 1.0})
    probabilities = {int(sample.data[0][0]): [round(sample.info.probability, 9), sample.info.priority,
                                              sample.info.table_size] for sample in samples(client, "weights", 100)}
    client.mutate_priorities("weights", updates={key: 0.0 for key in first.values()})
    zero = {int(sample.data[0][0]): sample.info.probability for sample in samples(client, "weights", 200)}
    return [sorted(only), probabilities, sorted(zero.items())]


def case_deletes(client):
    for value in range(5):
        client.insert([np.int64(value)], {"deletes": 1.0, "other": 2.0})
    key = keys(client, "deletes", 1)[0]
    client.mutate_priorities("deletes", updates={key: 9.0, 12345: 1.0}, deletes=[key, 54321])
    shared = [values(client, "deletes", 1), values(client, "other", 1)]
    return [shared, info(client, "deletes"), info(client, "other")]


def case_order(client):
    found = {}
    for name in ("fifo", "lifo", "min", "max"):
        for value, priority in enumerate([2.0, 1.0, 3.0, 1.0, 3.0]):
            put(client, name, value, priority)
        order = []
        for _ in range(5):
            sample = samples(client, name, 1)[0]
            order.append([int(sample.data[0][0]), sample.info.probability, sample.info.times_sampled])
            client.mutate_priorities(name, deletes=[sample.info.key])
        found[name] = order
    for name in ("min", "max"):
        for value in range(3):
            put(client, name, value, 1.0)
        client.mutate_priorities(name, updates={keys(client, name, 1)[0]: 1.0})
        found[name + " again"] = values(client, name, 1)
        client.reset(name)
        put(client, name, 1, -5.0)
        put(client, name, 2, 5.0)
        found[name + " negative"] = values(client, name, 1)
    return found


def case_queue(client):
    found = {}
    for name in ("queue", "stack"):
        for value in range(3):
            put(client, name, value)
        writer = client.trajectory_writer(1)
        writer.append(np.int64(3))
        writer.create_item(name, 1.0, writer.history[:])
        blocked = error(lambda: writer.flush(timeout_ms=300))
        first = values(client, name, 1)
        writer.flush()
        found[name] = [blocked, first, values(client, name, 3), info(client, name)]
        del writer
    return found


def case_times(client):
    put(client, "times", 1)
    first = [[sample.info.times_sampled, sample.info.table_size] for sample in samples(client, "times", 2)]
    return [first, info(client, "times")]


def case_starved(client):
    put(client, "starved", 1)
    began = time.monotonic()
    dataset = reverb.TimestepDataset(client.server_address, "starved", tf.int64, tf.TensorShape([]),
                                     max_in_flight_samples_per_worker=10, rate_limiter_timeout_ms=300)
    count = sum(1 for _ in dataset)
    took = time.monotonic() - began
    for value in range(4):
        put(client, "starved", value)
    return [count, 0.25 < took < 5, len(values(client, "starved", 3))]


def case_timeout(client):
    for value in range(25):
        put(client, "timeout", value)
    dataset = reverb.TrajectoryDataset(client.server_address, "timeout", [tf.int64], [tf.TensorShape([None])],
                                       max_in_flight_samples_per_worker=10, rate_limiter_timeout_ms=300)
    found = sorted(int(sample.data[0][0]) for sample in dataset)
    some = reverb.TrajectoryDataset(client.server_address, "many", [tf.int64], [tf.TensorShape([None])],
                                    max_in_flight_samples_per_worker=10, max_samples=7)
    put(client, "many", 1)
    return [found, sum(1 for _ in some)]


def case_ratio(client):
    writer = client.trajectory_writer(1)
    for value in range(6):
        writer.append(np.int64(value))
        writer.create_item("ratio", 1.0, writer.history[-1:])
    blocked = error(lambda: writer.flush(timeout_ms=300))
    before = info(client, "ratio")
    values(client, "ratio", 4)
    writer.flush()
    return [blocked, before["inserts"], info(client, "ratio")]


def case_limits(client):
    found = {}
    for name in ("small", "evict_min"):
        for value in range(5):
            put(client, name, value, float(5 - value))
        left = []
        while client.server_info()[name].current_size:
            sample = samples(client, name, 1)[0]
            left.append(int(sample.data[0][0]))
            client.mutate_priorities(name, deletes=[sample.info.key])
        found[name] = left
    return found


def case_reset(client):
    for value in range(4):
        put(client, "reset", value)
    values(client, "reset", 3)
    before = info(client, "reset")
    client.reset("reset")
    return [before, info(client, "reset")]


def case_info(client):
    found = {name: info(client, name) for name in sorted(client.server_info())}
    # How often `weights` was sampled until each of its items had come is a matter of chance.
    del found["weights"]["samples"]
    return found


def case_errors(client):
    put(client, "errors", 1)
    key = keys(client, "errors", 1)[0]
    return dict(
        unknown_insert=error(lambda: put(client, "nowhere", 1)),
        unknown_sample=error(lambda: values(client, "nowhere", 1)),
        unknown_reset=error(lambda: client.reset("nowhere")),
        unknown_update=error(lambda: client.mutate_priorities("nowhere", updates={1: 1.0})),
        negative=error(lambda: client.mutate_priorities("errors", updates={key: -1.0})),
        nan=error(lambda: client.mutate_priorities("errors", updates={key: float("nan")})),
        none=error(lambda: values(client, "errors", 0)),
        alive=values(client, "errors", 1),
        info=info(client, "errors"))


def case_structured(client):
    spec = {"x": None}
    pattern = reverb.structured_writer.pattern_from_transform({"x": tf.TensorSpec((), tf.int32)},
                                                              lambda step: {"pair": step["x"][-2:], "last": step["x"][-1]})
    config = reverb.structured_writer.create_config(pattern, "structured", conditions=[reverb.structured_writer.Condition.step_index() >= 2])
    writer = client.structured_writer([config])
    for step in range(6):
        writer.append({"x": np.int32(step)})
    writer.end_episode()
    writer.flush()
    found = []
    while client.server_info()["structured"].current_size:
        sample = samples(client, "structured", 1)[0]
        found.append(plain(sample.data))
        client.mutate_priorities("structured", deletes=[sample.info.key])
    return found


def case_episodes(client):
    writer = client.trajectory_writer(4)
    for episode in range(3):
        for step in range(3):
            writer.append(np.int64(10 * episode + step))
            writer.create_item("episodes", 1.0, writer.history[-1:])
        writer.end_episode()
    return info(client, "episodes")


def case_writer(client):
    """The older writer, whose chunks have all columns."""
    with client.writer(max_sequence_length=3, chunk_length=2, delta_encoded=True) as writer:
        for step in range(7):
            writer.append([np.int64(step), np.full(2, step, np.uint8)])
            if step >= 2:
                writer.create_item("many", 3, float(step))
    found = []
    for sample in client.sample("many", 1, emit_timesteps=True):
        found.extend(plain(step.data) for step in sample)
    return found


def case_many(client, seconds=float(os.environ.get("SECONDS_OF_MANY", "6"))):
    client.reset("many")
    end = time.monotonic() + seconds
    inserted, sampled, failures = [0] * 8, [0] * 8, []

    def work(number):
        try:
            own = reverb.Client(client.server_address)
            writer = own.trajectory_writer(5)
            step = 0
            while time.monotonic() < end:
                for _ in range(20):
                    writer.append({"n": np.int64(number), "step": np.int64(step)})
                    step += 1
                    if step >= 5:
                        writer.create_item("many", 1.0, {"n": writer.history["n"][-3:], "step": writer.history["step"][-3:]})
                        inserted[number] += 1
                writer.flush()
                for sample in own.sample("many", 20, emit_timesteps=False):
                    n, steps = sample.data
                    assert len(set(n.tolist())) == 1 and steps.tolist() == list(range(steps[0], steps[0] + 3)), sample
                    sampled[number] += 1
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    it = info(client, "many")
    return [failures, it["inserts"] == sum(inserted), it["samples"] == sum(sampled), min(inserted) > 0]


STORED = ["nested", "weights", "lifo", "max", "queue", "times"]


def fill(client):
    case_nested(client)
    case_weights(client)
    for name in ("lifo", "max"):
        for value, priority in enumerate([1.0, 3.0, 2.0]):
            put(client, name, value, priority)
    put(client, "queue", 1)
    put(client, "queue", 2)
    put(client, "times", 7)
    values(client, "times", 1)


def stored(client):
    found = {name: info(client, name) for name in STORED}
    found["data"] = plain(samples(client, "nested", 1)[0].data)
    found["values"] = [values(client, "lifo", 1), values(client, "max", 1), values(client, "queue", 2),
                       values(client, "times", 1)]
    found["after"] = {name: info(client, name) for name in STORED}
    del found["weights"]["samples"], found["after"]["weights"]["samples"]
    return found


def checkpoint(writer, reader):
    """What one server writes before it is killed, another one loads."""
    folder = tempfile.mkdtemp()
    first = Server(writer, folder, STORED)
    fill(first.client)
    path = first.client.checkpoint()
    put(first.client, "lifo", 99)
    before = {name: info(first.client, name) for name in STORED}
    first.kill()
    second = Server(reader, folder, STORED)
    after = stored(second.client)
    again = second.client.checkpoint()
    second.kill()
    return [os.path.dirname(path) == folder, path != again, before["lifo"]["size"], after]


def kills(kind, count=int(os.environ.get("KILLS", "100"))):
    """A server that is killed while it writes a checkpoint loads the last whole one, and so does the original."""
    folder = tempfile.mkdtemp()
    data = np.random.RandomState(1)
    server = Server(kind, folder, ["many"])
    for _ in range(500):
        server.client.insert(np.frombuffer(data.bytes(20_000), np.uint8), {"many": 1.0})
    size, wrong, finished = 500, [], 0
    began = time.monotonic()
    server.client.checkpoint()
    took = time.monotonic() - began
    last = size
    for number in range(count):
        put(server.client, "many", number)
        size += 1
        answers = []
        def write(client=server.client):
            try:
                answers.append(client.checkpoint())
            except Exception:
                pass
        thread = threading.Thread(target=write)
        thread.start()
        # Anywhere in what a checkpoint takes, and sometimes after it.
        time.sleep(took * 2 * (number % 20) / 20)
        server.kill()
        thread.join()
        finished += len(answers)
        server = Server("original" if number % 25 == 24 else kind, folder, ["many"])
        loaded = server.client.server_info()["many"].current_size
        if loaded not in ({size} if answers else {last, size}):
            wrong.append([number, loaded, last, size])
        if len(samples(server.client, "many", 1)) != 1:
            wrong.append([number, "no sample"])
        if number % 25 == 24:
            # The original deletes all but the last one when it writes; it has read enough.
            server.kill()
            server = Server(kind, folder, ["many"])
        size = last = loaded
    server.kill()
    return [wrong, 0 < finished < count]


def main():
    if sys.argv[1] == "--serve":
        return serve_original(sys.argv[2], sys.argv[3:])
    kind, which = sys.argv[1], sys.argv[2:]
    wanted = lambda name: not which or name in which
    server = Server(kind)
    for name, case in list(globals().items()):
        if name.startswith("case_") and wanted(name[5:]):
            print(json.dumps([name[5:], case(server.client)], sort_keys=True), flush=True)
    server.kill()
    if wanted("checkpoint"):
        print(json.dumps(["checkpoint", checkpoint(kind, kind)], sort_keys=True), flush=True)
    if kind != "original" and wanted("checkpoint"):
        print(json.dumps(["theirs here", checkpoint("original", kind)], sort_keys=True), flush=True)
        print(json.dumps(["ours there", checkpoint(kind, "original")], sort_keys=True), flush=True)
    if kind != "original" and wanted("kills"):
        print(json.dumps(["kills", kills(kind)]), flush=True)


main()
