//! How a program file writes limits: the same table for a node, for the program's ceilings, and in an operator's file.

use lp_base::words::{DurationText, Limit, SizeText};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// A value as the file writes it.
pub(in crate::program) enum LimitText {
    Size(SizeText),
    Duration(DurationText),
    Count(i64),
}

/// What a replica may use at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table such as { memory = \"64MiB\" }")]
#[schemars(title = "limits")]
pub(in crate::program) struct LimitsFile {
    /// The linear memories of the guest together: `memory = "64MiB"`. The default is 256MiB. Growth beyond it fails,
    /// as the guest sees. Units: B, KiB, MiB, GiB. From 64KiB, one page, to 64GiB.
    #[schemars(with = "SizeText", extend("default" = "256MiB"))]
    pub memory: Option<Spanned<SizeText>>,

    /// The elements of the guest's tables together: `table-elements = 10000`. The default is 100000. Growth beyond it
    /// fails, as the guest sees. From 1 to 10000000.
    #[schemars(with = "u64", range(min = 1, max = 10_000_000), extend("default" = 100_000))]
    pub table_elements: Option<Spanned<i64>>,

    /// The stack of the guest: `stack = "1MiB"`. The default is 512KiB. A guest that takes more traps. Units: B, KiB,
    /// MiB, GiB. From 64KiB to 16MiB.
    #[schemars(with = "SizeText", extend("default" = "512KiB"))]
    pub stack: Option<Spanned<SizeText>>,

    /// The component handles that the guest holds at once, of resources, of calls that it makes, of streams and futures:
    /// `handles = 1000`. The default is 100000. A guest that takes more traps. From 1 to 1000000.
    #[schemars(with = "u64", range(min = 1, max = 1_000_000), extend("default" = 100_000))]
    pub handles: Option<Spanned<i64>>,

    /// The files and directories that the guest has open at once, beside the directories that it is granted:
    /// `open-files = 100`. The default is 1000. Opening more traps. From 0 to 1000000.
    #[schemars(with = "u64", range(min = 0, max = 1_000_000), extend("default" = 1000))]
    pub open_files: Option<Spanned<i64>>,

    /// The sockets that the guest has at once: `sockets = 10`. The default is 1000. Making more traps. From 0 to
    /// 1000000.
    #[schemars(with = "u64", range(min = 0, max = 1_000_000), extend("default" = 1000))]
    pub sockets: Option<Spanned<i64>>,

    /// The HTTP requests that the guest has under way at once, each by a connection of its own: `http-requests = 10`. The
    /// default is 64. A further one is refused, as the guest sees. From 0 to 1000000.
    #[schemars(with = "u64", range(min = 0, max = 1_000_000), extend("default" = 64))]
    pub http_requests: Option<Spanned<i64>>,

    /// The headers of one HTTP request or response, of which there may be one for every 64 bytes: `http-headers = "16KiB"`.
    /// The default is 64KiB. Making larger ones traps, and so does keeping more than there would be with `http-requests`
    /// and their responses; getting larger ones is an error that the guest sees. Units: B, KiB, MiB, GiB. From 8KiB to
    /// 1MiB.
    #[schemars(with = "SizeText", extend("default" = "64KiB"))]
    pub http_headers: Option<Spanned<SizeText>>,

    /// The body of one HTTP request or response: `http-body = "10MiB"`. The default is 1GiB. A longer one ends in an error
    /// that the guest sees. Units: B, KiB, MiB, GiB. At least 1KiB.
    #[schemars(with = "SizeText", extend("default" = "1GiB"))]
    pub http_body: Option<Spanned<SizeText>>,

    /// The largest call that the guest makes and the largest result that it gives, encoded, and the most bytes that it
    /// hands to the host in any one call: `message = "1MiB"`. The default is the program's `message-max`, which it
    /// can't exceed. Units: B, KiB, MiB, GiB. From 1KiB to 1GiB.
    #[schemars(with = "SizeText", extend("default" = "64MiB"))]
    pub message: Option<Spanned<SizeText>>,

    /// The calls that wait for the replica; what becomes of a further one is for the handle to say, with `when-full`:
    /// `calls-queued = 100`. The default is 1024. A node may write it as `inbox = { queued-max = 100 }`. From 1 to
    /// 1000000.
    #[schemars(with = "u64", range(min = 1, max = 1_000_000), extend("default" = 1024))]
    pub calls_queued: Option<Spanned<i64>>,

    /// The bytes of the calls that wait for the replica; a further call is dealt with as by `calls-queued`, but one
    /// always has room: `queued-bytes = "64MiB"`. The default is 256MiB. Units: B, KiB, MiB, GiB. From 1KiB to 64GiB.
    #[schemars(with = "SizeText", extend("default" = "256MiB"))]
    pub queued_bytes: Option<Spanned<SizeText>>,

    /// The bytes of the calls that the guest has made to other nodes and that are not answered: `made-bytes = "64MiB"`.
    /// The default is 1GiB. A guest that makes more traps. Units: B, KiB, MiB, GiB. From 1KiB to 64GiB.
    #[schemars(with = "SizeText", extend("default" = "1GiB"))]
    pub made_bytes: Option<Spanned<SizeText>>,

    /// The calls to `async` functions that the replica works on at once; others wait: `calls-concurrent = 16`. The
    /// default is 256. Plain functions always run one at a time. A node may write it as
    /// `inbox = { concurrent-max = 16 }`. From 1 to 1000000.
    #[schemars(with = "u64", range(min = 1, max = 1_000_000), extend("default" = 256))]
    pub calls_concurrent: Option<Spanned<i64>>,

    /// The unanswered calls that the replica accepts over one connection from another process; others wait:
    /// `calls-per-connection = 100`. The default is 1024. A node may write it as
    /// `inbox = { in-flight-per-connection = 100 }`. From 1 to 1000000.
    #[schemars(with = "u64", range(min = 1, max = 1_000_000), extend("default" = 1024))]
    pub calls_per_connection: Option<Spanned<i64>>,

    /// The time that the guest computes for one call; a replica that computes longer fails: `call-cpu = "1s"`. There is
    /// none by default. It is counted in ticks of 10 ms. Units: ms, s, m, h. At least 10ms.
    #[schemars(with = "DurationText")]
    pub call_cpu: Option<Spanned<DurationText>>,

    /// The time that one call takes from when the replica takes it to its result; a replica with a longer one fails:
    /// `call-time = "30s"`. There is none by default. Units: ms, s, m, h. At least 1ms.
    #[schemars(with = "DurationText")]
    pub call_time: Option<Spanned<DurationText>>,

    /// The time that the guest computes from its start to its end; a replica that computes longer fails: `cpu = "1h"`.
    /// There is none by default. It is counted in ticks of 10 ms. Units: ms, s, m, h. At least 10ms.
    #[schemars(with = "DurationText")]
    pub cpu: Option<Spanned<DurationText>>,

    /// The instructions that the guest executes from its start to its end, roughly, in wasmtime's units of fuel; a
    /// replica that executes more fails, at the same instruction in every run: `fuel = 1000000000`. There is none by
    /// default. Counting makes the guest slower. At least 1.
    #[schemars(with = "u64", range(min = 1))]
    pub fuel: Option<Spanned<i64>>,

    /// The bytes that the guest writes to stdout, to stderr and as logs in a second; a guest that writes faster waits:
    /// `output-rate = "1MiB"`. The default is 16MiB. Units: B, KiB, MiB, GiB. At least 1KiB.
    #[schemars(with = "SizeText", extend("default" = "16MiB"))]
    pub output_rate: Option<Spanned<SizeText>>,

    /// The bytes that the guest writes to stdout, to stderr and as logs from its start to its end; a replica that
    /// writes more fails: `output = "1GiB"`. There is none by default. Units: B, KiB, MiB, GiB. At least 1KiB.
    #[schemars(with = "SizeText")]
    pub output: Option<Spanned<SizeText>>,
}

impl LimitsFile {
    /// The values that are given, with what they are of.
    pub fn given(self) -> impl Iterator<Item = (Limit, Spanned<LimitText>)> {
        let sizes = [
            (Limit::Memory, self.memory),
            (Limit::Stack, self.stack),
            (Limit::Message, self.message),
            (Limit::QueuedBytes, self.queued_bytes),
            (Limit::MadeBytes, self.made_bytes),
            (Limit::HttpHeaders, self.http_headers),
            (Limit::HttpBody, self.http_body),
            (Limit::OutputRate, self.output_rate),
            (Limit::Output, self.output),
        ];
        let durations = [(Limit::CallCpu, self.call_cpu), (Limit::CallTime, self.call_time), (Limit::Cpu, self.cpu)];
        let counts = [
            (Limit::TableElements, self.table_elements),
            (Limit::Handles, self.handles),
            (Limit::OpenFiles, self.open_files),
            (Limit::Sockets, self.sockets),
            (Limit::HttpRequests, self.http_requests),
            (Limit::CallsQueued, self.calls_queued),
            (Limit::CallsConcurrent, self.calls_concurrent),
            (Limit::CallsPerConnection, self.calls_per_connection),
            (Limit::Fuel, self.fuel),
        ];
        let sizes = sizes.into_iter().map(|(limit, text)| (limit, text.map(|text| map(text, LimitText::Size))));
        let durations =
            durations.into_iter().map(|(limit, text)| (limit, text.map(|text| map(text, LimitText::Duration))));
        let counts = counts.into_iter().map(|(limit, count)| (limit, count.map(|count| map(count, LimitText::Count))));
        sizes.chain(durations).chain(counts).filter_map(|(limit, text)| Some((limit, text?)))
    }
}

fn map<T, U>(value: Spanned<T>, into: impl Fn(T) -> U) -> Spanned<U> {
    Spanned::new(value.span(), into(value.into_inner()))
}
