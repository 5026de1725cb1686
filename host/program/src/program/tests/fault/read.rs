//! Reads the faults of a test and checks them against its program.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use lp_base::calls::CALL_ERRORS;
use lp_base::words::DurationText;
use toml::Spanned;

use super::{Chance, CrashTime, Effect, Fault, FaultEdge, Leg, Mishap, Span, Start};
use crate::program::Linked;
use crate::program::problem::{Problem, Problems};
use crate::program::tests::file::{FaultFile, LegFile};
use crate::program::tests::unknown_node;

/// The kinds of faults, each the key that says what is struck.
const KINDS: &str = "`delay`, `reorder`, `drop`, `fail`, `fill`, `crash`, `pause`, `partition`, `skew`";

type Read<T> = Result<T, Box<Problem>>;

/// The faults of a test, as far as they are right.
pub(in crate::program::tests) fn faults(
    linked: &Linked,
    files: &[Spanned<FaultFile>],
    problems: &mut Problems,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files {
        match (Reader { linked, file: file.get_ref(), span: file.span() }).fault() {
            Ok(fault) => faults.push(fault),
            Err(problem) => problems.push(*problem),
        }
    }
    faults
}

struct Reader<'a> {
    linked: &'a Linked,
    file: &'a FaultFile,
    span: Range<usize>,
}

impl Reader<'_> {
    fn fault(&self) -> Read<Fault> {
        let FaultFile { delay, reorder, drop, fail, fill, crash, pause, partition, skew, .. } = self.file;
        let edges = [("delay", delay), ("reorder", reorder), ("drop", drop), ("fail", fail), ("fill", fill)];
        let nodes = [("crash", crash), ("pause", pause), ("partition", partition), ("skew", skew)];
        let edges: Vec<_> = edges.into_iter().filter_map(|(kind, on)| Some((kind, on.as_ref()?))).collect();
        let nodes: Vec<_> = nodes.into_iter().filter_map(|(kind, on)| Some((kind, on.as_ref()?))).collect();
        self.check_numbers()?;
        let (line, effect) = match (&edges[..], &nodes[..]) {
            ([(kind, edge)], []) => (format!("{kind} {}", edge.get_ref()), self.on_calls(kind, edge)?),
            ([], [(kind, nodes)]) => {
                let names: Vec<_> = nodes.get_ref().names().map(str::to_owned).collect();
                (format!("{kind} {}", names.join(", ")), self.on_replicas(kind, nodes.span(), &names)?)
            }
            _ => return Err(self.wrong("a fault is of one kind", &format!("give it one of {KINDS}"))),
        };
        Ok(Fault { line, effect, times: self.file.times })
    }

    fn wrong(&self, message: &str, help: &str) -> Box<Problem> {
        wrong(message, self.span.clone(), help)
    }

    fn check_numbers(&self) -> Read<()> {
        if let Some(probability) = &self.file.probability
            && !(0.0..=1.0).contains(probability.get_ref())
        {
            let message = format!("{} is no probability", probability.get_ref());
            return Err(wrong(&message, probability.span(), "write it as `probability = 0.1`; from 0 to 1"));
        }
        if self.file.probability.is_some() && self.file.call.is_some() {
            return Err(self.wrong("a fault has a `call` or a `probability`, not both", "leave one of them out"));
        }
        if self.file.call == Some(0) || self.file.times == Some(0) {
            return Err(self.wrong("calls and times are counted from 1", "write `call = 1` for the first one"));
        }
        Ok(())
    }

    /// Refuses keys that mean nothing for this kind of fault.
    fn only(&self, kind: &str, allowed: &[&str]) -> Read<()> {
        let FaultFile { by, with, leg, call, probability, at, within, length, times, .. } = self.file;
        let given = [
            ("by", by.is_some()),
            ("with", with.is_some()),
            ("leg", leg.is_some()),
            ("call", call.is_some()),
            ("probability", probability.is_some()),
            ("at", at.is_some()),
            ("within", within.is_some()),
            ("for", length.is_some()),
            ("times", times.is_some()),
        ];
        match given.iter().find(|(key, given)| *given && !allowed.contains(key)) {
            None => Ok(()),
            Some((key, _)) => {
                let help = format!("`{kind}` takes `{}`", allowed.join("`, `"));
                Err(self.wrong(&format!("`{key}` means nothing for `{kind}`"), &help))
            }
        }
    }

    fn on_calls(&self, kind: &str, edge: &Spanned<String>) -> Read<Effect> {
        let common = ["leg", "call", "probability", "at", "within", "for", "times"];
        let own: &[&str] = match kind {
            "delay" | "reorder" | "fill" => &["by"],
            "fail" => &["with"],
            _ => &[],
        };
        self.only(kind, &[own, &common[..]].concat())?;
        let mishap = match kind {
            "delay" => Mishap::Delay(self.needed("by", &self.file.by)?),
            "reorder" => Mishap::Reorder(self.needed("by", &self.file.by)?),
            "fill" => Mishap::Full(self.needed("by", &self.file.by)?),
            "fail" => Mishap::Fail(self.call_error()?),
            _ => Mishap::Drop,
        };
        Ok(Effect::Calls {
            edge: self.edge(edge)?,
            leg: self.leg(),
            mishap,
            chance: self.chance(),
            span: self.span_if_any()?,
        })
    }

    fn on_replicas(&self, kind: &str, span: Range<usize>, names: &[String]) -> Read<Effect> {
        let mut replicas = BTreeSet::new();
        for name in names {
            replicas.extend(self.party(name, span.clone())?);
        }
        if kind == "crash" {
            self.only(kind, &["leg", "call", "probability", "at", "within", "times"])?;
            let when = match self.start()? {
                Some(start) => CrashTime::At(start),
                None if self.file.call.is_none() && self.file.probability.is_none() => {
                    let help = "give it `call = 3`, `probability = 0.01`, `at = \"1s\"` or `within = \"10s\"`";
                    return Err(self.wrong("a crash needs a moment", help));
                }
                None => CrashTime::Call { leg: self.leg(), chance: self.chance() },
            };
            return Ok(Effect::Crash { replicas, when });
        }
        if kind == "skew" {
            self.only(kind, &["by", "at", "within", "for"])?;
            let by = self.needed("by", &self.file.by)?;
            return Ok(Effect::Skew { replicas, by, span: self.span_if_any()? });
        }
        self.only(kind, &["at", "within", "for"])?;
        let Some(span) = self.span_if_any()? else {
            let help = "give it `at = \"1s\"` or `within = \"10s\"`, and `for = \"500ms\"`";
            return Err(self.wrong(&format!("a {kind} needs a time"), help));
        };
        Ok(match kind {
            "pause" => Effect::Pause { replicas, span },
            _ => Effect::Partition { replicas, span },
        })
    }

    fn leg(&self) -> Leg {
        match self.file.leg {
            None | Some(LegFile::Request) => Leg::Request,
            Some(LegFile::Answer) => Leg::Answer,
        }
    }

    fn chance(&self) -> Chance {
        match (&self.file.call, &self.file.probability) {
            (Some(call), _) => Chance::Nth(*call),
            (None, Some(probability)) => Chance::Of(*probability.get_ref()),
            (None, None) => Chance::Always,
        }
    }

    fn call_error(&self) -> Read<&'static str> {
        let Some(with) = &self.file.with else { return Ok("unavailable") };
        let known = CALL_ERRORS.into_iter().find(|known| known == with.get_ref());
        known.ok_or_else(|| {
            let help = format!("there are `{}`", CALL_ERRORS.join("`, `"));
            wrong(&format!("there is no call error `{}`", with.get_ref()), with.span(), &help)
        })
    }

    fn duration(&self, key: &str, text: &Spanned<DurationText>) -> Read<Duration> {
        text.get_ref().duration().ok_or_else(|| {
            let help = format!("write it as `{key} = \"50ms\"`; units: ms, s, m, h");
            wrong(&format!("`{}` is no time", text.get_ref()), text.span(), &help)
        })
    }

    fn needed(&self, key: &str, text: &Option<Spanned<DurationText>>) -> Read<Duration> {
        match text {
            Some(text) => self.duration(key, text),
            None => Err(self.wrong(&format!("the fault needs a `{key}`"), &format!("write it as `{key} = \"50ms\"`"))),
        }
    }

    fn start(&self) -> Read<Option<Start>> {
        match (&self.file.at, &self.file.within) {
            (None, None) => Ok(None),
            (Some(at), None) => Ok(Some(Start::At(self.duration("at", at)?))),
            (None, Some(within)) => Ok(Some(Start::Within(self.duration("within", within)?))),
            (Some(_), Some(_)) => {
                Err(self.wrong("a fault has an `at` or a `within`, not both", "leave one of them out"))
            }
        }
    }

    fn span_if_any(&self) -> Read<Option<Span>> {
        match (self.start()?, &self.file.length) {
            (None, None) => Ok(None),
            (start, length) => {
                let start = start.unwrap_or(Start::At(Duration::ZERO));
                Ok(Some(Span { start, time: self.needed("for", length)? }))
            }
        }
    }

    /// The replicas that `store` or `store/1` names.
    fn party(&self, name: &str, span: Range<usize>) -> Read<BTreeSet<u32>> {
        let nodes = &self.linked.program.nodes;
        let (node, replica) = name.split_once('/').map_or((name, None), |(node, replica)| (node, Some(replica)));
        let Some(place) = nodes.iter().position(|known| known.name == node) else {
            let known: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
            return Err(Box::new(unknown_node(node, span, &known)));
        };
        let first: u32 = nodes[..place].iter().map(|node| node.replicas).sum();
        let count = nodes[place].replicas;
        let Some(replica) = replica else { return Ok((first..first + count).collect()) };
        match replica.parse::<u32>().ok().filter(|replica| *replica < count) {
            Some(replica) => Ok([first + replica].into()),
            None => {
                let message = format!("`{node}` has the replicas 0 to {}, and no `{name}`", count - 1);
                Err(wrong(&message, span, "leave the number out to name all of them"))
            }
        }
    }

    /// The calls that `client -> store/0.get` names.
    fn edge(&self, text: &Spanned<String>) -> Read<FaultEdge> {
        let (caller, callee) = match text.get_ref().split_once("->") {
            None => (None, text.get_ref().trim()),
            Some((caller, callee)) => (Some(caller.trim()), callee.trim()),
        };
        let (callee, method) = callee.split_once('.').map_or((callee, None), |(callee, name)| (callee, Some(name)));
        let callees = self.party(callee, text.span())?;
        let callers = caller.map(|caller| self.party(caller, text.span())).transpose()?;
        let name = |party: &str| party.split('/').next().unwrap_or_default().to_owned();
        let nodes = &self.linked.program.nodes;
        let place = nodes.iter().position(|node| node.name == name(callee)).expect("it was found before");
        if let Some(caller) = caller {
            let holder = nodes.iter().find(|node| node.name == name(caller)).expect("it was found before");
            if !holder.handles.iter().any(|handle| handle.nodes.contains(&name(callee))) {
                let message = format!("`{}` has no handle of `{}`", holder.name, name(callee));
                let help = format!("name a node that calls it, or nobody: `\"{callee}\"` stands for all of its calls");
                let problem =
                    Problem::error("no-edge", message).at(Some(text.span()), "no call goes there").help(Some(help));
                return Err(Box::new(problem));
            }
        }
        let methods = method.map(|method| self.methods(place, method, text.span())).transpose()?;
        Ok(FaultEdge { callers, callees, methods })
    }

    fn methods(&self, place: usize, wanted: &str, span: Range<usize>) -> Read<BTreeSet<usize>> {
        let couriers = &self.linked.components[place].couriers;
        let all: Vec<_> = couriers.iter().flat_map(|courier| &courier.methods).map(|method| &method.name).collect();
        let found: BTreeSet<_> = (0..).zip(&all).filter(|(_, name)| **name == wanted).map(|(place, _)| place).collect();
        if found.is_empty() {
            let names: Vec<_> = all.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("`{}` has no method `{wanted}`", self.linked.program.nodes[place].name);
            return Err(wrong(&message, span, &format!("there are {}", names.join(", "))));
        }
        Ok(found)
    }
}

fn wrong(message: &str, span: Range<usize>, help: &str) -> Box<Problem> {
    Box::new(Problem::error("bad-fault", message.to_owned()).at(Some(span), "this fault").help(Some(help.to_owned())))
}
