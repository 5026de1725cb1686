//! Places boxes in columns from left to right, so that most arcs point to the right and few cross.
//!
//! This is the method of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
//! (1981): turn around the arcs that close cycles, give every box a column, put a point into each column that an arc
//! passes, order the columns by the mean place of their neighbours, and pull neighbours to one height.

use order::{Cell, order};

mod order;

/// The space between columns, which the curves need.
const COLUMN_GAP: f64 = 44.0;
/// The space between two boxes of a column.
const ROW_GAP: f64 = 18.0;
/// How often the heights are evened out. More changes little.
const ROUNDS: usize = 16;
/// The most space between the ends of two arcs at the same box.
const PORT_GAP: f64 = 14.0;

/// The size of a box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub width: f64,
    pub height: f64,
}

/// An arc between two boxes, by their indices. The two differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub from: usize,
    pub to: usize,
}

/// A place in a drawing, from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub x: f64,
    pub y: f64,
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Drawing {
    /// The top left corner of each box.
    pub places: Vec<Point>,
    /// The points of each arc from its first box to its second.
    pub routes: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// Places the boxes and routes the arcs.
pub(super) fn layout(items: &[Item], arcs: &[Arc]) -> Drawing {
    let ordered = order(items.len(), arcs);
    let cells = &ordered.cells;
    let height = |cell: usize| match cells[cell] {
        Cell::Item(item) => items[item].height,
        Cell::Pass => 0.0,
    };
    let heights: Vec<_> = (0..cells.len()).map(height).collect();
    let middles = middles(&ordered.columns, &ordered.links, &heights);
    let mut columns = Vec::new();
    let mut x = 0.0;
    for column in &ordered.columns {
        let width = column.iter().map(|cell| match cells[*cell] {
            Cell::Item(item) => items[item].width,
            Cell::Pass => 0.0,
        });
        let width = width.fold(0.0, f64::max);
        columns.push((x, width));
        x += width + COLUMN_GAP;
    }
    let mut bounds: Vec<(f64, f64)> = vec![(0.0, 0.0); cells.len()];
    for (column, (x, width)) in ordered.columns.iter().zip(&columns) {
        for cell in column {
            bounds[*cell] = match cells[*cell] {
                Cell::Item(item) => (x + (width - items[item].width) / 2.0, x + (width + items[item].width) / 2.0),
                Cell::Pass => (*x, x + width),
            };
        }
    }
    let places = (0..items.len()).map(|item| Point { x: bounds[item].0, y: middles[item] - heights[item] / 2.0 });
    let ends = ends(&ordered.chains, &middles, &heights);
    let routes = ordered
        .chains
        .iter()
        .zip(&ends)
        .zip(arcs)
        .map(|((chain, (start, end)), arc)| route(chain, *start, *end, arc.from != chain[0], &middles, &bounds));
    let bottoms = middles.iter().zip(&heights).map(|(middle, height)| middle + height / 2.0);
    Drawing {
        places: places.collect(),
        routes: routes.collect(),
        width: (x - COLUMN_GAP).max(0.0),
        height: bottoms.fold(0.0, f64::max),
    }
}

/// The height of the middle of each cell: near those of its neighbours, in the order of its column, without overlaps.
fn middles(columns: &[Vec<usize>], links: &[Vec<usize>], heights: &[f64]) -> Vec<f64> {
    let mut middles = vec![0.0; heights.len()];
    let apart = |above: usize, below: usize| f64::midpoint(heights[above], heights[below]) + ROW_GAP;
    for column in columns {
        for pair in column.windows(2) {
            middles[pair[1]] = middles[pair[0]] + apart(pair[0], pair[1]);
        }
    }
    for round in 0..ROUNDS {
        let mut order: Vec<_> = columns.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for column in order {
            let wanted: Vec<f64> = column
                .iter()
                .map(|cell| match &links[*cell][..] {
                    [] => middles[*cell],
                    near => near.iter().map(|near| middles[*near]).sum::<f64>() / near.len() as f64,
                })
                .collect();
            let (mut down, mut up) = (wanted.clone(), wanted);
            for index in 1..column.len() {
                down[index] = down[index].max(down[index - 1] + apart(column[index - 1], column[index]));
            }
            for index in (1..column.len()).rev() {
                up[index - 1] = up[index - 1].min(up[index] - apart(column[index - 1], column[index]));
            }
            // Both keep the distances, so their mean does, and it leans to neither side.
            for (index, cell) in column.iter().enumerate() {
                middles[*cell] = f64::midpoint(down[index], up[index]);
            }
        }
    }
    let tops = middles.iter().zip(heights).map(|(middle, height)| middle - height / 2.0);
    let top = tops.fold(f64::INFINITY, f64::min);
    middles.iter().map(|middle| middle - top).collect()
}

/// The heights at which each chain of cells leaves its first cell and enters its last one. The arcs at one side of a box
/// are spread along it, in the order of where they go.
fn ends(chains: &[Vec<usize>], middles: &[f64], heights: &[f64]) -> Vec<(f64, f64)> {
    let mut at_right: Vec<Vec<usize>> = vec![Vec::new(); heights.len()];
    let mut at_left = at_right.clone();
    for (chain, cells) in chains.iter().enumerate() {
        at_right[cells[0]].push(chain);
        at_left[cells[cells.len() - 1]].push(chain);
    }
    let mut ends = vec![(0.0, 0.0); chains.len()];
    for cell in 0..heights.len() {
        let spread = |chains: &mut Vec<usize>, next: &dyn Fn(usize) -> usize| -> Vec<(usize, f64)> {
            chains.sort_by(|a, b| middles[next(*a)].total_cmp(&middles[next(*b)]));
            let gap = (heights[cell] / (chains.len() + 1) as f64).min(PORT_GAP);
            let first = middles[cell] - gap * chains.len().saturating_sub(1) as f64 / 2.0;
            chains.iter().enumerate().map(|(index, chain)| (*chain, first + gap * index as f64)).collect()
        };
        for (chain, y) in spread(&mut at_right[cell], &|chain| chains[chain][1]) {
            ends[chain].0 = y;
        }
        for (chain, y) in spread(&mut at_left[cell], &|chain| chains[chain][chains[chain].len() - 2]) {
            ends[chain].1 = y;
        }
    }
    ends
}

/// The points of a chain: from the right side of its first cell, through the others, to the left side of its last one.
fn route(chain: &[usize], start: f64, end: f64, reversed: bool, middles: &[f64], bounds: &[(f64, f64)]) -> Vec<Point> {
    let (first, last) = (chain[0], chain[chain.len() - 1]);
    let mut points = vec![Point { x: bounds[first].1, y: start }];
    for cell in &chain[1..chain.len() - 1] {
        let y = middles[*cell];
        points.extend([Point { x: bounds[*cell].0, y }, Point { x: bounds[*cell].1, y }]);
    }
    points.push(Point { x: bounds[last].0, y: end });
    if reversed {
        points.reverse();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::{Arc, Item, layout};

    const ITEM: Item = Item { width: 40.0, height: 20.0 };

    /// Lays out boxes of one size and checks that none overlaps another, that all are inside of the drawing, and that
    /// every arc begins and ends at the sides of its boxes.
    fn check(items: usize, arcs: &[(usize, usize)]) {
        let arcs: Vec<_> = arcs.iter().map(|&(from, to)| Arc { from, to }).collect();
        let drawing = layout(&vec![ITEM; items], &arcs);
        for (index, a) in drawing.places.iter().enumerate() {
            assert!(a.x >= 0.0 && a.x + ITEM.width <= drawing.width + 0.01, "{arcs:?}: {a:?}");
            assert!(a.y >= -0.01 && a.y + ITEM.height <= drawing.height + 0.01, "{arcs:?}: {a:?}");
            for b in &drawing.places[index + 1..] {
                let apart = (a.x - b.x).abs() >= ITEM.width || (a.y - b.y).abs() >= ITEM.height;
                assert!(apart, "{arcs:?}: {a:?} {b:?}");
            }
        }
        for (arc, route) in arcs.iter().zip(&drawing.routes) {
            for (item, end) in [(arc.from, route[0]), (arc.to, route[route.len() - 1])] {
                let place = drawing.places[item];
                let at_side = (end.x - place.x).abs() < 0.01 || (end.x - place.x - ITEM.width).abs() < 0.01;
                let y = end.y - place.y;
                assert!(at_side && (0.0..=ITEM.height).contains(&y), "{arc:?}: {end:?} {place:?}");
            }
        }
    }

    #[test]
    fn boxes_never_overlap_and_arcs_end_at_their_sides() {
        check(0, &[]);
        check(1, &[]);
        check(3, &[(0, 1), (1, 2), (0, 2)]);
        check(3, &[(0, 1), (1, 2), (2, 0)]);
        check(2, &[(0, 1), (1, 0), (0, 1)]);
        // Every graph of four boxes with up to six arcs that a small generator comes to.
        let mut state = 1_u64;
        for _ in 0..500 {
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 33) % below) as usize
            };
            let items = 2 + next(12);
            let arcs: Vec<_> = (0..next(30)).map(|_| (next(items as u64), next(items as u64))).collect();
            check(items, &arcs.into_iter().filter(|(from, to)| from != to).collect::<Vec<_>>());
        }
    }
}
