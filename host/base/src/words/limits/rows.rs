//! The table of limits: to add a limit, add a row. `words/limits.rs` says what each column means.

/// Calls the macro `$then` with every row, in the order of the reference.
macro_rules! limit_rows {
    ($then:ident) => {
        $then! {
            Memory {
                key: "memory",
                plan: memory_bytes: u64,
                unit: Bytes,
                default: Some(256 * MIB),
                // One page of WebAssembly, and more than an address space of 32 bits has use for.
                range: 64 * KIB..=64 * GIB,
                example: 64 * MIB,
                keeper: "lp_sandbox::limits",
                bounds: "The linear memories of the guest together",
                beyond: "growth fails, as the guest sees; most guests abort then, and the failure names this limit",
                note: "Of a replay node, the chunks of its items; what happens beyond is its `at-limit`.",
            }
            TableElements {
                key: "table-elements",
                plan: table_elements: u64,
                unit: Count,
                default: Some(100_000),
                range: 1..=10_000_000,
                example: 10_000,
                keeper: "lp_sandbox::limits",
                bounds: "The elements of the guest's tables together",
                beyond: "growth fails, as for `memory`",
            }
            Stack {
                key: "stack",
                plan: stack_bytes: u64,
                unit: Bytes,
                default: Some(512 * KIB),
                // The host sets an address range of this size and more aside for every call under way.
                range: 64 * KIB..=16 * MIB,
                example: MIB,
                keeper: "lp_runtime::engine",
                bounds: "The stack of the guest",
                beyond: "the replica fails",
            }
            Fibers {
                key: "fibers",
                plan: fibers: u32,
                unit: Count,
                default: Some(512),
                range: 1..=100_000,
                example: 16,
                keeper: "lp_runtime::fibers",
                bounds:
                    "The stacks that the guest has at once: one that it runs on, and one for each task that waits "
                    "in the middle of a function",
                beyond: "the replica fails",
                note: "A task that waits at an `await` has none in most languages.",
            }
            Handles {
                key: "handles",
                plan: handles: u64,
                unit: Count,
                default: Some(100_000),
                range: 1..=1_000_000,
                example: 1000,
                keeper: "lp_sandbox::limits",
                bounds:
                    "The component handles that the guest holds at once: resources, calls under way, "
                    "streams, futures and timers",
                beyond: "the replica fails",
            }
            OpenFiles {
                key: "open-files",
                plan: open_files: u64,
                unit: Count,
                default: Some(1000),
                range: 0..=1_000_000,
                example: 100,
                keeper: "lp_sandbox::limits::open",
                bounds:
                    "The files, directories and listings of directories that the guest has open at once, besides the directories "
                    "that it is granted",
                beyond: "the replica fails",
            }
            Sockets {
                key: "sockets",
                plan: sockets: u64,
                unit: Count,
                default: Some(1000),
                range: 0..=1_000_000,
                example: 10,
                keeper: "lp_sandbox::limits::open",
                bounds: "The sockets that the guest has at once",
                beyond: "the replica fails",
            }
            HttpRequests {
                key: "http-requests",
                plan: http_requests: u32,
                unit: Count,
                default: Some(64),
                range: 0..=1_000_000,
                example: 10,
                keeper: "lp_sandbox::http",
                bounds: "The HTTP requests that the guest has under way at once, each over a connection of its own",
                beyond: "a further request fails, as the guest sees",
            }
            HttpHeaders {
                key: "http-headers",
                plan: http_header_bytes: u64,
                unit: Bytes,
                default: Some(64 * KIB),
                // The buffer that headers are read into has no less, and each header takes more memory than bytes.
                range: 8 * KIB..=MIB,
                example: 16 * KIB,
                keeper: "lp_sandbox::limits::holdings",
                bounds: "The headers of one HTTP request or response, with at most one header for every 64 bytes",
                beyond:
                    "receiving more fails, as the guest sees; making more fails the replica under WASI 0.2, "
                    "and fails as the guest sees under WASI 0.3",
                note:
                    "All headers that the guest holds at once may take this much for each of "
                    "`http-requests` and for its response; beyond that, the replica fails.",
            }
            HttpBody {
                key: "http-body",
                plan: http_body_bytes: u64,
                unit: Bytes,
                default: Some(GIB),
                range: KIB..=u64::MAX,
                example: 10 * MIB,
                keeper: "lp_sandbox::http::body",
                bounds: "The body of one HTTP request or response",
                beyond: "the body ends in an error, as the guest sees",
            }
            HostMemory {
                key: "host-memory",
                plan: host_memory_bytes: u64,
                unit: Bytes,
                default: Some(128 * MIB),
                // The streams of a few open files need as much.
                range: MIB..=64 * GIB,
                example: 16 * MIB,
                keeper: "lp_sandbox::limits::holdings",
                bounds:
                    "What the host keeps for the files, listings, sockets, datagrams, streams and HTTP messages "
                    "that the guest holds",
                beyond: "the replica fails",
            }
            Message {
                key: "message",
                plan: message_bytes: u64,
                unit: Bytes,
                default: Some(MESSAGE_BYTES_MAX),
                // Offsets in a message are 32 bits with room to spare.
                range: KIB..=GIB,
                example: MIB,
                keeper: "lp_sandbox::limits",
                bounds:
                    "One call that the guest makes or one result that it returns, encoded; a quarter of what one that it "
                    "gets becomes in its memory; and the bytes that it hands to the host in any one call",
                beyond: "the call fails as `too-large`; handing more to the host fails the replica",
                note: "A program that sets `message-max` makes that the default and the most that a node may ask for.",
            }
            CallsQueued {
                key: "calls-queued",
                plan: calls_queued: u32,
                unit: Count,
                default: Some(1024),
                range: 1..=1_000_000,
                example: 100,
                keeper: "lp_courier::mailbox",
                bounds: "The calls that wait for the replica",
                beyond: "the caller waits, or its call fails as `overloaded`: its handle's `when-full` decides",
                note: "A node may also write it as `inbox = { queued-max = 100 }`.",
            }
            QueuedBytes {
                key: "queued-bytes",
                plan: queued_bytes: u64,
                unit: Bytes,
                default: Some(256 * MIB),
                range: KIB..=64 * GIB,
                example: 64 * MIB,
                keeper: "lp_courier::mailbox",
                bounds: "The bytes of the calls that wait for the replica",
                beyond: "the caller waits or its call fails, as for `calls-queued`; one call always has room",
            }
            MadeBytes {
                key: "made-bytes",
                plan: made_bytes: u64,
                unit: Bytes,
                default: Some(GIB),
                range: KIB..=64 * GIB,
                example: 64 * MIB,
                keeper: "lp_base::calls::kept",
                bounds:
                    "The bytes of the calls that the guest has made and that are not answered, and of the "
                    "results that it has not taken",
                beyond: "further calls wait; if those that wait and the results come to as much again, the replica fails",
            }
            CallsConcurrent {
                key: "calls-concurrent",
                plan: calls_concurrent: u32,
                unit: Count,
                default: Some(256),
                range: 1..=1_000_000,
                example: 16,
                keeper: "lp_runtime::replica",
                bounds:
                    "The calls to `async` functions that the replica works on at once; calls of other "
                    "functions always run one at a time",
                beyond: "further calls wait in the queue",
                note: "A node may also write it as `inbox = { concurrent-max = 16 }`.",
            }
            CallsPerConnection {
                key: "calls-per-connection",
                plan: calls_per_connection: u32,
                unit: Count,
                default: Some(1024),
                range: 1..=1_000_000,
                example: 100,
                keeper: "lp_courier::grpc::connection",
                bounds: "The unanswered calls that the replica accepts over one connection from another process",
                beyond: "further calls wait at the caller",
                note: "A node may also write it as `inbox = { in-flight-per-connection = 100 }`.",
            }
            ListenConnections {
                key: "listen-connections",
                plan: listen_connections: u32,
                unit: Count,
                default: Some(256),
                range: 1..=1_000_000,
                example: 1000,
                keeper: "lp_courier::grpc::seats",
                bounds: "The connections of clients at the node's `listen` address, in each worker",
                beyond:
                    "a new connection takes the place of the one that has been without a call for longest, and is closed "
                    "if all have one",
                note: "At most a quarter of the files that the process may have open are used for them.",
            }
            ListenBytes {
                key: "listen-bytes",
                plan: listen_bytes: u64,
                unit: Bytes,
                default: Some(256 * MIB),
                range: MIB..=64 * GIB,
                example: GIB,
                keeper: "lp_courier::grpc::outside",
                bounds:
                    "The bytes that each worker keeps for clients at the node's `listen` address: of requests that are "
                    "not answered, whole or not, and of responses that are not taken",
                beyond: "the call fails with `RESOURCE_EXHAUSTED`",
            }
            ListenTime {
                key: "listen-time",
                plan: listen_time_ms: u64,
                unit: Millis,
                default: Some(60 * 1000),
                range: 100..=24 * 60 * 60 * 1000,
                example: 5 * 60 * 1000,
                keeper: "lp_courier::grpc::outside",
                bounds: "The time that a client at the node's `listen` address takes to send a request, or to take its response",
                beyond: "the call fails with `DEADLINE_EXCEEDED`, or the connection is closed",
            }
            CallCpu {
                key: "call-cpu",
                plan: call_cpu_ms: Option<u64>,
                unit: Millis,
                default: None,
                // Time is counted in ticks of 10 ms.
                range: 10..=u64::MAX,
                example: 1000,
                keeper: "lp_sandbox::meter",
                bounds: "The time that the guest computes for one call",
                beyond: "the replica fails",
                note: "The host counts it in ticks of 10 ms.",
            }
            CallTime {
                key: "call-time",
                plan: call_time_ms: Option<u64>,
                unit: Millis,
                default: None,
                range: 1..=u64::MAX,
                example: 30_000,
                keeper: "lp_sandbox::meter",
                bounds: "The time of one call, from when the replica takes it to its result",
                beyond: "the replica fails",
            }
            Cpu {
                key: "cpu",
                plan: cpu_ms: Option<u64>,
                unit: Millis,
                default: None,
                // Time is counted in ticks of 10 ms.
                range: 10..=u64::MAX,
                example: 60 * 60 * 1000,
                keeper: "lp_sandbox::meter",
                bounds: "The time that the guest computes from its start to its end",
                beyond: "the replica fails",
                note: "The host counts it in ticks of 10 ms.",
            }
            Fuel {
                key: "fuel",
                plan: fuel: Option<u64>,
                unit: Count,
                default: None,
                range: 1..=u64::MAX,
                example: 1_000_000_000,
                keeper: "lp_sandbox::limits",
                bounds:
                    "The instructions that the guest executes from its start to its end, roughly, in "
                    "wasmtime's units of fuel",
                beyond: "the replica fails, at the same instruction in every run",
                note: "Counting makes the guest slower.",
            }
            OutputRate {
                key: "output-rate",
                plan: output_bytes_per_second: u64,
                unit: Bytes,
                default: Some(16 * MIB),
                range: KIB..=u64::MAX,
                example: MIB,
                keeper: "lp_sandbox::output::budget",
                bounds: "The bytes that the guest writes to stdout, to stderr and as logs in one second",
                beyond: "the guest waits",
            }
            Output {
                key: "output",
                plan: output_bytes: Option<u64>,
                unit: Bytes,
                default: None,
                range: KIB..=u64::MAX,
                example: GIB,
                keeper: "lp_sandbox::output::budget",
                bounds: "The bytes that the guest writes to stdout, to stderr and as logs from its start to its end",
                beyond: "the replica fails",
            }
        }
    };
}

pub(crate) use limit_rows;
