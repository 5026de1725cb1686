//! What happened in a simulated run, in order: as text and as a picture.

mod svg;

use std::time::Duration;

use lp_base::scheduler::Travelling;
use lp_base::shown;
use lp_program::program::Linked;

/// The most events that are kept of a run: the first ones.
const EVENTS_MAX: usize = 20_000;

/// The longest text of an event, in characters.
const TEXT_CHARS_MAX: usize = 60;

/// The most events that are drawn.
const EVENTS_SHOWN_MAX: usize = 300;

/// How many of them come before the first fault, if there is any.
const EVENTS_BEFORE_FAULT: usize = 40;

/// All that happened in a run: calls, faults, and what nodes said.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The replicas by their numbers.
    labels: Vec<String>,
    /// The methods of each replica.
    methods: Vec<Vec<String>>,
    calls: Vec<Travelling>,
    events: Vec<(Duration, Event)>,
}

/// A call that was made in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The replica that made it, `consumer/0`; `test` if the test did.
    pub caller: String,
    /// The replica that it was for.
    pub callee: String,
    /// The method.
    pub method: String,
    /// The case of its call error, if its caller got one.
    pub error: Option<&'static str>,
}

/// Something that happened. Calls are named by their numbers.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A call left its caller.
    Leaves(usize),
    /// Its request arrived.
    Arrives(usize),
    /// Its callee answered.
    Answered(usize, Option<&'static str>),
    /// Its caller has the result.
    Returned(usize, Option<&'static str>),
    /// A fault struck a call or replicas.
    Struck { fault: String, call: Option<usize>, replicas: Vec<u32> },
    /// A replica said or did something.
    Note { replica: u32, text: String },
}

impl Event {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Struck { .. })
    }
}

impl Timeline {
    pub(crate) fn new(linked: &Linked) -> Self {
        let (mut labels, mut methods) = (Vec::new(), Vec::new());
        for (node, component) in linked.program.nodes.iter().zip(&linked.components) {
            let names = component.couriers.iter().flat_map(|courier| &courier.methods);
            let names: Vec<_> = names.map(|method| method.name.clone()).collect();
            for index in 0..node.replicas {
                labels.push(format!("{}/{index}", node.name));
                methods.push(names.clone());
            }
        }
        Self { labels, methods, ..Self::default() }
    }

    /// The number of a replica.
    pub(crate) fn number(&self, label: &str) -> Option<u32> {
        self.labels.iter().position(|known| known == label).and_then(|place| u32::try_from(place).ok())
    }

    /// Takes note of a call that leaves its caller, whose number is how many came before it.
    pub(crate) fn call(&mut self, call: Travelling, at: Duration) {
        self.calls.push(call);
        self.push(at, Event::Leaves(self.calls.len() - 1));
    }

    pub(crate) fn push(&mut self, at: Duration, event: Event) {
        if self.events.len() < EVENTS_MAX {
            self.events.push((at, event));
        }
    }

    fn label(&self, replica: Option<u32>) -> &str {
        replica.map_or("test", |replica| self.labels.get(replica as usize).map_or("?", String::as_str))
    }

    fn ends(&self, call: usize) -> (&str, &str) {
        let Travelling { caller, callee, .. } = self.calls[call];
        (self.label(caller), self.label(Some(callee)))
    }

    /// The method of a call with the number of the call, by which its request and its answer are found.
    fn call_name(&self, call: usize) -> String {
        let Travelling { callee, method, .. } = self.calls[call];
        let name = self.methods.get(callee as usize).and_then(|methods| methods.get(method));
        format!("{} #{}", name.map_or("?", String::as_str), call + 1)
    }

    /// The events that are drawn, and how many come before them: the last ones, or those from the first fault on.
    fn shown(&self) -> (usize, &[(Duration, Event)]) {
        let last = self.events.len().saturating_sub(EVENTS_SHOWN_MAX);
        let first_fault = self.events.iter().position(|(_, event)| event.is_fault());
        let before = first_fault.map_or(last, |fault| fault.saturating_sub(EVENTS_BEFORE_FAULT).min(last));
        (before, &self.events[before..(before + EVENTS_SHOWN_MAX).min(self.events.len())])
    }

    /// Whether anything went wrong that a test wanted to.
    pub fn has_faults(&self) -> bool {
        self.events.iter().any(|(_, event)| event.is_fault())
    }

    /// All calls between replicas, and those of the test, in the order in which they were made.
    pub fn calls(&self) -> Vec<Call> {
        let calls = (0..self.calls.len()).map(|number| {
            let ((caller, callee), Travelling { method, .. }) = (self.ends(number), self.calls[number]);
            let methods = self.methods.get(self.calls[number].callee as usize);
            Call {
                caller: caller.to_owned(),
                callee: callee.to_owned(),
                method: methods.and_then(|methods| methods.get(method)).cloned().unwrap_or_default(),
                error: None,
            }
        });
        let mut calls: Vec<_> = calls.collect();
        for (_, event) in &self.events {
            if let Event::Returned(number, error) = event {
                calls[*number].error = *error;
            }
        }
        calls
    }

    /// The events as lines, each with whether it is a fault.
    pub fn lines(&self) -> Vec<(String, bool)> {
        let line = |(at, event): &(Duration, Event)| {
            (format!("{:9.3}s  {}", at.as_secs_f64(), self.line(event)), event.is_fault())
        };
        self.events.iter().map(line).collect()
    }

    fn line(&self, event: &Event) -> String {
        let outcome = |error: &Option<&str>| error.map(|error| format!(" fails {error}")).unwrap_or_default();
        match event {
            Event::Leaves(call) => {
                let (caller, callee) = self.ends(*call);
                format!("{caller} → {callee}  {}", self.call_name(*call))
            }
            Event::Arrives(call) => {
                let (caller, callee) = self.ends(*call);
                format!("{callee} ⇐ {caller}  {} arrives", self.call_name(*call))
            }
            Event::Answered(call, error) => {
                let (caller, callee) = self.ends(*call);
                format!("{callee} → {caller}  {} answers{}", self.call_name(*call), outcome(error))
            }
            Event::Returned(call, error) => {
                let (caller, callee) = self.ends(*call);
                format!("{caller} ⇐ {callee}  {} returns{}", self.call_name(*call), outcome(error))
            }
            Event::Struck { fault, call: Some(call), .. } => format!("✗ {fault}: {}", self.call_name(*call)),
            Event::Struck { fault, call: None, replicas } => {
                let names: Vec<_> = replicas.iter().map(|&replica| self.label(Some(replica))).collect();
                format!("✗ {fault}: {}", names.join(", "))
            }
            Event::Note { replica, text } => format!("{} │ {}", self.label(Some(*replica)), cut(text)),
        }
    }
}

/// The text as one that can be shown, and no longer than there is room for.
fn cut(text: &str) -> String {
    let text = shown::lines(text).replace('\n', " ");
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
