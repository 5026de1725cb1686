//! A timeline as a picture: a lane for each replica, time downwards, an arrow for each request and answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::{Event, Timeline, cut};

const LANE_WIDTH: usize = 190;
const ROW_HEIGHT: usize = 22;
const LEFT: usize = 150;
const TOP: usize = 60;

/// The styles of the picture, which has no colour but for what went wrong.
const STYLE: &str = "text{font:12px sans-serif;fill:#222}.lane{stroke:#bbb;stroke-width:1}.head{font-weight:bold}\
    .time{fill:#888;font-size:11px}.request{stroke:#1f5fa8;stroke-width:1.5;marker-end:url(#request)}\
    .answer{stroke:#1f5fa8;stroke-width:1.5;stroke-dasharray:5 3;marker-end:url(#request)}\
    .failed{stroke:#c0271b;stroke-width:1.5;stroke-dasharray:5 3;marker-end:url(#failed)}\
    .lost{stroke:#c0271b;stroke-width:1.5}.fault{fill:#c0271b;font-weight:bold}.note{fill:#555;font-style:italic}";

/// Where a message left, until it arrives.
type Leaving = BTreeMap<usize, usize>;

struct Picture<'a> {
    timeline: &'a Timeline,
    /// The lane of each replica that anything happens to; callers from outside have the first one.
    lanes: BTreeMap<Option<u32>, usize>,
    requests: Leaving,
    answers: Leaving,
    /// Calls that a fault has struck.
    struck: BTreeSet<usize>,
    svg: String,
}

impl Timeline {
    /// The events as an SVG file.
    pub fn svg(&self, title: &str) -> String {
        let (before, events) = self.shown();
        let mut used: BTreeSet<Option<u32>> = BTreeSet::new();
        for (_, event) in events {
            match event {
                Event::Leaves(call) | Event::Arrives(call) | Event::Answered(call, _) | Event::Returned(call, _) => {
                    used.extend([self.calls[*call].caller, Some(self.calls[*call].callee)]);
                }
                Event::Struck { replicas, .. } => used.extend(replicas.iter().copied().map(Some)),
                Event::Note { replica, .. } => used.extend([Some(*replica)]),
            }
        }
        let lanes: BTreeMap<_, _> = used.into_iter().zip(0..).collect();
        let (width, height) = (LEFT + lanes.len().max(1) * LANE_WIDTH + 80, TOP + (events.len() + 2) * ROW_HEIGHT);
        let (requests, answers) = (Leaving::new(), Leaving::new());
        let mut picture =
            Picture { timeline: self, lanes, requests, answers, struck: BTreeSet::new(), svg: String::new() };
        picture.head(title, before, width, height);
        let mut last = None;
        for (row, (at, event)) in events.iter().enumerate() {
            if last != Some(*at) {
                picture.time(row, *at);
            }
            last = Some(*at);
            picture.event(row, event);
        }
        picture.svg.push_str("</svg>\n");
        picture.svg
    }
}

fn y(row: usize) -> usize {
    TOP + (row + 1) * ROW_HEIGHT
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Picture<'_> {
    fn head(&mut self, title: &str, before: usize, width: usize, height: usize) {
        let title = match before {
            0 => title.to_owned(),
            before => format!("{title} (after {before} events)"),
        };
        let marker = |id: &str, colour: &str| {
            format!(
                "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
                 orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{colour}\"/></marker>"
            )
        };
        let _ = writeln!(
            self.svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\">\n<style>{STYLE}</style>\n<defs>{}{}</defs>\n<rect width=\"{width}\" height=\"{height}\" \
             fill=\"#fff\"/>\n<text class=\"head\" x=\"12\" y=\"20\">{}</text>",
            marker("request", "#1f5fa8"),
            marker("failed", "#c0271b"),
            escaped(&title),
        );
        let lanes: Vec<_> = self.lanes.keys().copied().collect();
        for replica in lanes {
            let (x, bottom) = (self.x(replica), height - ROW_HEIGHT);
            let label = escaped(self.timeline.label(replica));
            let _ = writeln!(
                self.svg,
                "<text class=\"head\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\
                 <line class=\"lane\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\"/>",
                TOP - 8,
                TOP,
            );
        }
    }

    fn x(&self, replica: Option<u32>) -> usize {
        LEFT + self.lanes.get(&replica).copied().unwrap_or_default() * LANE_WIDTH
    }

    fn time(&mut self, row: usize, at: Duration) {
        let _ = writeln!(
            self.svg,
            "<text class=\"time\" x=\"70\" y=\"{}\" text-anchor=\"end\">{:.3}s</text>",
            y(row) + 4,
            at.as_secs_f64(),
        );
    }

    fn event(&mut self, row: usize, event: &Event) {
        match event {
            Event::Leaves(call) => drop(self.requests.insert(*call, row)),
            Event::Arrives(call) => {
                let from = self.requests.remove(call).unwrap_or(row);
                let call_of = self.timeline.calls[*call];
                self.arrow(
                    "request",
                    (call_of.caller, from),
                    (Some(call_of.callee), row),
                    self.timeline.call_name(*call),
                );
            }
            Event::Answered(call, _) => drop(self.answers.insert(*call, row)),
            Event::Returned(call, error) => self.returned(row, *call, *error),
            Event::Struck { fault, call: Some(call), .. } => {
                self.struck.insert(*call);
                let call_of = self.timeline.calls[*call];
                let answering = self.answers.contains_key(call);
                let from = if answering { Some(call_of.callee) } else { call_of.caller };
                let text = format!("✗ {fault}: {}", self.timeline.call_name(*call));
                self.text("fault", self.x(from), row, &text);
            }
            Event::Struck { fault, call: None, replicas } => {
                for replica in replicas {
                    self.text("fault", self.x(Some(*replica)), row, &format!("✗ {fault}"));
                }
            }
            Event::Note { replica, text } => self.text("note", self.x(Some(*replica)), row, &cut(text)),
        }
    }

    fn returned(&mut self, row: usize, call: usize, error: Option<&'static str>) {
        let call_of = self.timeline.calls[call];
        let (caller, callee) = (call_of.caller, Some(call_of.callee));
        let (sent, answered) = (self.requests.remove(&call), self.answers.remove(&call));
        match (answered, error) {
            (Some(from), None) => self.arrow("answer", (callee, from), (caller, row), String::new()),
            (Some(from), Some(error)) if !self.struck.contains(&call) => {
                self.arrow("failed", (callee, from), (caller, row), error.to_owned());
            }
            // It left before what is drawn.
            (None, None) => {}
            // Its request or its answer never arrived, or it was not answered in time.
            (answered, Some(error)) => {
                if let Some(from) = sent {
                    self.lost(caller, callee, from);
                }
                if let Some(from) = answered {
                    self.lost(callee, caller, from);
                }
                self.text("fault", self.x(caller), row, &format!("{} {error}", self.timeline.call_name(call)));
            }
        }
    }

    /// A message that leaves and does not arrive.
    fn lost(&mut self, from: Option<u32>, to: Option<u32>, row: usize) {
        let (x1, y1) = (self.x(from), y(row));
        let (x2, y2) = (x1.midpoint(self.x(to)), y1 + ROW_HEIGHT / 2);
        let _ = writeln!(self.svg, "<line class=\"lost\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
    }

    fn arrow(&mut self, class: &str, from: (Option<u32>, usize), to: (Option<u32>, usize), name: String) {
        let ((x1, y1), (x2, y2)) = ((self.x(from.0), y(from.1)), (self.x(to.0), y(to.1)));
        let (x, y) = (x1.midpoint(x2), y1.midpoint(y2));
        // A replica that calls itself has a loop beside its lane.
        let shape = match x1 == x2 {
            true => format!("<path class=\"{class}\" fill=\"none\" d=\"M{x1} {y1}h40V{y2}h-40\"/>"),
            false => format!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"),
        };
        let _ = writeln!(
            self.svg,
            "{shape}<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            y - 4,
            escaped(&name)
        );
    }

    fn text(&mut self, class: &str, x: usize, row: usize, text: &str) {
        let _ =
            writeln!(self.svg, "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>", x + 6, y(row) + 4, escaped(text));
    }
}
