//! Lowers what a program file says of a replay node.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use lp_base::words::{
    Configuration, RateLimiter, Real, Replay, ReplayCheckpoint, ReplayTable, Selector, SignatureColumn,
};
use toml::Spanned;

use super::NodeLowering;
use crate::program::file::{CheckpointFile, ErrorBuffer, RateLimiterFile, ReplayFile, SelectorFile, TableFile};
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

/// As many checkpoints are kept where the file says nothing of it.
const KEEP: u32 = 3;
/// The most that are kept.
const KEEP_MAX: i64 = 1000;
/// The most items, samples and such that a table can be asked for.
const COUNT_MAX: i64 = i32::MAX as i64;

/// The types of elements, with their numbers in TensorFlow.
const DTYPES: [(&str, u32); 16] = [
    ("float16", 19),
    ("float32", 1),
    ("float64", 2),
    ("int8", 6),
    ("int16", 5),
    ("int32", 3),
    ("int64", 9),
    ("uint8", 4),
    ("uint16", 17),
    ("uint32", 22),
    ("uint64", 23),
    ("bool", 10),
    ("complex64", 8),
    ("complex128", 18),
    ("bfloat16", 14),
    ("bytes", 7),
];

impl NodeLowering<'_, '_> {
    pub(super) fn replay(&mut self, file: ReplayFile, name: Range<usize>) -> Replay {
        let tables = file.tables.unwrap_or_default();
        if tables.is_empty() && !self.lowering.problems.is_node_broken(self.node) {
            let problem = Problem::error("missing-table", format!("the replay node `{}` has no table", self.node));
            let help = format!("add one: `[[nodes.{}.tables]]` with `name` and `max-size`", self.node);
            self.report(problem.at(Some(name), "needs a table").help(help));
        }
        Replay {
            tables: (0..).zip(tables).map(|(index, table)| self.table(index, table)).collect(),
            at_limit: file.at_limit.unwrap_or_default(),
            checkpoint: file.checkpoint.and_then(|checkpoint| self.checkpoint(checkpoint)),
        }
    }

    fn report(&mut self, problem: Problem) {
        self.lowering.problems.push_node(self.node, problem);
    }

    fn bad_table(&mut self, message: String, span: Range<usize>, label: &str, help: &str) {
        self.report(Problem::error("bad-table", message).at(Some(span), label).help(help.to_owned()));
    }

    fn table(&mut self, index: usize, table: Spanned<TableFile>) -> ReplayTable {
        let span = table.span();
        self.place(NodePlace::Table(index, ""), span.clone());
        let table = table.into_inner();
        let name = match table.name {
            Some(name) => self.take(NodePlace::Table(index, "name"), name),
            None => {
                let message = format!("a table of `{}` has no name", self.node);
                self.bad_table(
                    message,
                    span.clone(),
                    "needs a `name`",
                    "give it a line such as `name = \"experience\"`",
                );
                String::new()
            }
        };
        let max_size = match &table.max_size {
            Some(size) => self.in_range("max-size", size, 1..=COUNT_MAX),
            None => {
                let message = format!("the table `{name}` has no `max-size`");
                self.bad_table(message, span, "needs a `max-size`", "give it a line such as `max-size = 100000`");
                1
            }
        };
        let times = table.max_times_sampled.as_ref();
        ReplayTable {
            sampler: table.sampler.map_or(Selector::Uniform, |selector| self.selector(selector)),
            remover: table.remover.map_or(Selector::Fifo, |selector| self.selector(selector)),
            max_size,
            max_times_sampled: times.map(|times| self.in_range("max-times-sampled", times, 1..=COUNT_MAX)),
            rate_limiter: table.rate_limiter.map_or(RateLimiter::MinSize(1), |limiter| self.rate_limiter(limiter)),
            signature: table.signature.map(|signature| self.signature(signature)),
            name,
        }
    }

    fn in_range(&mut self, key: &str, value: &Spanned<i64>, range: RangeInclusive<i64>) -> u32 {
        let number = *value.get_ref();
        if !range.contains(&number) {
            let message = format!("`{key}` must be from {} to {}", range.start(), range.end());
            self.report(Problem::error("limit", message).at(Some(value.span()), "out of range"));
        }
        u32::try_from(number.clamp(*range.start(), *range.end())).unwrap_or(u32::MAX)
    }

    fn selector(&mut self, selector: Spanned<SelectorFile>) -> Selector {
        let span = selector.span();
        match selector.into_inner() {
            SelectorFile::Uniform => Selector::Uniform,
            SelectorFile::Fifo => Selector::Fifo,
            SelectorFile::Lifo => Selector::Lifo,
            SelectorFile::MinHeap => Selector::MinHeap,
            SelectorFile::MaxHeap => Selector::MaxHeap,
            SelectorFile::Prioritized(exponent) => {
                if !exponent.is_finite() {
                    let help = "write one such as { prioritized = 0.6 }";
                    self.bad_table(format!("{exponent} is no exponent"), span, "no finite number", help);
                }
                Selector::Prioritized(Real(exponent))
            }
        }
    }

    fn rate_limiter(&mut self, limiter: Spanned<RateLimiterFile>) -> RateLimiter {
        let span = limiter.span();
        let file = limiter.into_inner();
        let min_size = file.min_size.as_ref().map(|size| self.in_range("min-size", size, 1..=COUNT_MAX));
        let (ratio, buffer) = (file.samples_per_insert, file.error_buffer);
        if let Some(queue) = &file.queue {
            if min_size.is_some() || ratio.is_some() || buffer.is_some() {
                let message = "a `queue` has no other settings".to_owned();
                self.bad_table(message, span, "has others", "remove `queue`, or all the others");
            }
            return RateLimiter::Queue(self.in_range("queue", queue, 1..=COUNT_MAX));
        }
        let min_size = min_size.unwrap_or(1);
        match (ratio, buffer) {
            (None, None) => RateLimiter::MinSize(min_size),
            (Some(ratio), Some(buffer)) => self.ratio(min_size, ratio, buffer),
            (ratio, _) => {
                let (has, lacks) = match ratio {
                    Some(_) => ("samples-per-insert", "error-buffer"),
                    None => ("error-buffer", "samples-per-insert"),
                };
                let message = format!("a rate limiter with `{has}` needs `{lacks}`");
                let help = "write it as { min-size = 100, samples-per-insert = 4, error-buffer = 40 }";
                self.bad_table(message, span, "half of a ratio", help);
                RateLimiter::MinSize(min_size)
            }
        }
    }

    /// Bounds that let neither inserts nor samples go on would stop a program for good.
    fn ratio(&mut self, min_size: u32, ratio: Spanned<f64>, buffer: Spanned<ErrorBuffer>) -> RateLimiter {
        let (ratio_span, span) = (ratio.span(), buffer.span());
        let samples_per_insert = ratio.into_inner();
        if !(samples_per_insert.is_finite() && samples_per_insert > 0.0) {
            let message = format!("`samples-per-insert` must be more than 0, not {samples_per_insert}");
            self.bad_table(message, ratio_span, "no ratio", "write how many samples are meant for each insert");
            return RateLimiter::MinSize(min_size);
        }
        let middle = samples_per_insert * f64::from(min_size);
        let (min_diff, max_diff) = match buffer.into_inner() {
            ErrorBuffer::Around(buffer) => (middle - buffer, middle + buffer),
            ErrorBuffer::Bounds(min, max) => (min, max),
        };
        let least = 2.0 * samples_per_insert.max(1.0);
        if !(max_diff - min_diff >= least && min_diff <= middle && max_diff >= middle) {
            let message = "with this `error-buffer`, inserts and samples would wait for each other".to_owned();
            let help = format!(
                "its bounds are at least {least} apart, around {middle}, which is `samples-per-insert` times `min-size`"
            );
            self.bad_table(message, span, "too narrow, or beside the ratio", &help);
        }
        let [samples_per_insert, min_diff, max_diff] = [samples_per_insert, min_diff, max_diff].map(Real);
        RateLimiter::Ratio { min_size, samples_per_insert, min_diff, max_diff }
    }

    fn signature(&mut self, columns: BTreeMap<Spanned<String>, Spanned<String>>) -> Vec<SignatureColumn> {
        // Clients know columns by their names in order, as those of any mapping.
        let column = |(name, text): (Spanned<String>, Spanned<String>)| {
            let found = column(name.into_inner(), text.get_ref());
            if found.is_none() {
                let known = DTYPES.map(|(name, _)| name).join("`, `");
                let help =
                    format!("write a type and a shape, such as `float32[?,4]` or `int64[]`; the types are `{known}`");
                let message = format!("`{}` is no column", text.get_ref());
                self.bad_table(message, text.span(), "not a type with a shape", &help);
            }
            found
        };
        columns.into_iter().filter_map(column).collect()
    }

    fn checkpoint(&mut self, checkpoint: Spanned<CheckpointFile>) -> Option<ReplayCheckpoint> {
        let span = checkpoint.span();
        self.place(NodePlace::Checkpoint, span.clone());
        let file = checkpoint.into_inner();
        let keep = file.keep.as_ref().map_or(KEEP, |keep| self.in_range("keep", keep, 1..=KEEP_MAX));
        let every = file.every.and_then(|every| {
            let every_span = every.span();
            let every = self.take(NodePlace::CheckpointEvery, every);
            let every = self.lowering.duration(&every, self.at(NodePlace::CheckpointEvery))?;
            if every.is_zero() {
                let problem = Problem::error("limit", "`every` must be at least 1ms").at(Some(every_span), "no time");
                self.report(problem);
            }
            Some(u64::try_from(every.as_millis()).unwrap_or(u64::MAX))
        });
        let fallback = file.fallback.map(|fallback| self.take(NodePlace::Fallback, fallback).into());
        let Some(dir) = file.dir.filter(|dir| !dir.get_ref().is_empty()) else {
            let problem =
                Problem::error("bad-checkpoint", format!("the checkpoints of `{}` have no folder", self.node));
            let help = "write it as { dir = \"checkpoints\" }".to_owned();
            self.report(problem.at(Some(span), "needs a `dir`").help(help));
            return None;
        };
        let dir = self.take(NodePlace::Checkpoint, dir).into();
        let configuration: Configuration = file.configuration;
        Some(ReplayCheckpoint { dir, every_ms: every, keep, fallback, configuration })
    }
}

/// A column of that name which looks as `text` says, such as `float32[?,4]`.
fn column(name: String, text: &str) -> Option<SignatureColumn> {
    let (dtype, shape) = text.trim().strip_suffix(']')?.split_once('[')?;
    let (_, dtype) = DTYPES.into_iter().find(|(known, _)| *known == dtype.trim())?;
    let size = |size: &str| match size.trim() {
        "?" => Some(None),
        size => size.parse().ok().map(Some),
    };
    let shape = match shape.trim() {
        "" => Vec::new(),
        shape => shape.split(',').map(size).collect::<Option<_>>()?,
    };
    Some(SignatureColumn { name, dtype, shape })
}
