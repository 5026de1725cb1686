//! A graph as a drawing: a box for each node, and between boxes the names of the handles that lead from one to others.

use std::fmt::Write;

use lp_program::program::Graph;

use super::layout::{Arc, Drawing, Item, Point, layout};
use super::{details, title};

/// Text has letters of one width, so that its size is known without a font at hand: this part of the size.
const LETTER_WIDTH: f64 = 0.61;
const FONT_SIZE: f64 = 14.0;
const SMALL_FONT_SIZE: f64 = 11.0;
const LINE_HEIGHT: f64 = 18.0;
const PADDING: f64 = 10.0;
const MARGIN: f64 = 20.0;

const HEAD: &str = "<defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" \
    markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"#57606a\"/></marker></defs>\n\
    <style>text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;\
    font-size:11px}.title{font-size:14px;font-weight:bold}.node{fill:#f6f8fa;stroke:#57606a}\
    .handle{fill:#ddf4ff}.edge{fill:none;stroke:#57606a}</style>\n";

/// Something that is drawn: a node, or a handle of one.
struct Shape {
    lines: Vec<String>,
    is_node: bool,
}

/// The graph as an SVG document.
pub(super) fn svg(graph: &Graph) -> String {
    let (shapes, arcs, leads) = shapes(graph);
    let items: Vec<_> = shapes.iter().map(Shape::item).collect();
    let drawing = layout(&items, &arcs);
    let (width, height) = (drawing.width + 2.0 * MARGIN, drawing.height + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"{0} {0} \
         {width:.0} {height:.0}\">\n<title>{1}</title>\n{HEAD}",
        -MARGIN,
        escaped(&graph.program)
    );
    line(&mut out, &format!("<rect x=\"{0}\" y=\"{0}\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>", -MARGIN));
    draw_edges(&mut out, &drawing, &leads);
    for ((shape, item), place) in shapes.iter().zip(&items).zip(&drawing.places) {
        shape.draw(&mut out, item, *place);
    }
    out.push_str("</svg>\n");
    out
}

/// The nodes, then the handles; an arc from each node to each of its handles, and from each handle to what it reaches.
/// For each arc, whether it ends at a node.
fn shapes(graph: &Graph) -> (Vec<Shape>, Vec<Arc>, Vec<bool>) {
    let (mut shapes, mut arcs, mut leads) = (Vec::new(), Vec::new(), Vec::new());
    for node in &graph.nodes {
        let lines = std::iter::once(title(node)).chain(details(node).map(str::to_owned)).collect();
        shapes.push(Shape { lines, is_node: true });
    }
    for (from, node) in graph.nodes.iter().enumerate() {
        let edges: Vec<_> = graph.edges.iter().filter(|edge| edge.from == node.name).collect();
        let mut handles: Vec<&str> = edges.iter().map(|edge| edge.handle.as_str()).collect();
        handles.dedup();
        for handle in handles {
            let shape = shapes.len();
            shapes.push(Shape { lines: vec![handle.to_owned()], is_node: false });
            arcs.push(Arc { from, to: shape });
            leads.push(false);
            let mut reached: Vec<usize> = Vec::new();
            for edge in edges.iter().filter(|edge| edge.handle == handle) {
                reached.extend(graph.nodes.iter().position(|node| node.name == edge.to));
            }
            reached.dedup();
            leads.extend(reached.iter().map(|_| true));
            arcs.extend(reached.into_iter().map(|to| Arc { from: shape, to }));
        }
    }
    (shapes, arcs, leads)
}

impl Shape {
    fn font_size(&self, line: usize) -> f64 {
        if self.is_node && line == 0 { FONT_SIZE } else { SMALL_FONT_SIZE }
    }

    fn item(&self) -> Item {
        let widths = self.lines.iter().enumerate();
        let widths = widths.map(|(index, text)| text.chars().count() as f64 * LETTER_WIDTH * self.font_size(index));
        let padding = if self.is_node { PADDING } else { PADDING / 4.0 };
        Item {
            width: widths.fold(0.0, f64::max) + 2.0 * PADDING,
            height: self.lines.len() as f64 * LINE_HEIGHT + 2.0 * padding,
        }
    }

    fn draw(&self, out: &mut String, item: &Item, Point { x, y }: Point) {
        let (class, radius) = if self.is_node { ("node", 4.0) } else { ("handle", item.height / 2.0) };
        let Item { width, height } = item;
        line(
            out,
            &format!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                 rx=\"{radius:.1}\"/>"
            ),
        );
        let top = y + (height - self.lines.len() as f64 * LINE_HEIGHT) / 2.0;
        for (index, text) in self.lines.iter().enumerate() {
            let baseline = top + index as f64 * LINE_HEIGHT + LINE_HEIGHT / 2.0 + self.font_size(index) * 0.35;
            let class = if self.is_node && index == 0 { " class=\"title\"" } else { "" };
            let text = escaped(text);
            line(out, &format!("<text{class} x=\"{:.1}\" y=\"{baseline:.1}\">{text}</text>", x + PADDING));
        }
    }
}

fn draw_edges(out: &mut String, drawing: &Drawing, leads: &[bool]) {
    for (route, leads) in drawing.routes.iter().zip(leads) {
        let [first, rest @ ..] = route.as_slice() else { continue };
        let mut path = format!("M{:.1} {:.1}", first.x, first.y);
        let mut last = first;
        for point in rest {
            // Leaves and arrives level, so that neighbouring pieces make one smooth line.
            let middle = f64::midpoint(last.x, point.x);
            let (x, y) = (point.x, point.y);
            path.push_str(&format!("C{middle:.1} {:.1} {middle:.1} {y:.1} {x:.1} {y:.1}", last.y));
            last = point;
        }
        let head = if *leads { " marker-end=\"url(#head)\"" } else { "" };
        line(out, &format!("<path class=\"edge\" d=\"{path}\"{head}/>"));
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a string can't fail");
}
