//! Which column each box is in, and where in it: everything of a layout but sizes.

use super::Arc;

/// How often the columns are ordered anew. More changes little.
const SWEEPS: usize = 12;

/// What takes up a place in a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    /// A box, by its index. The cell of a box has the same index.
    Item(usize),
    /// A long arc that passes.
    Pass,
}

/// The cells in their order.
pub(super) struct Ordered {
    pub cells: Vec<Cell>,
    /// The cells of each column, from the top.
    pub columns: Vec<Vec<usize>>,
    /// The cells of each arc, from left to right: two boxes, and between them what the arc passes.
    pub chains: Vec<Vec<usize>>,
    /// The cells of the columns beside that each cell has an arc to.
    pub links: Vec<Vec<usize>>,
}

/// Orders boxes and arcs.
pub(super) fn order(items: usize, arcs: &[Arc]) -> Ordered {
    let column_of = columns_of(items, &rightward(items, arcs));
    let mut cells: Vec<_> = (0..items).map(Cell::Item).collect();
    let mut columns = vec![Vec::new(); column_of.iter().map(|column| column + 1).max().unwrap_or(0)];
    for item in 0..items {
        columns[column_of[item]].push(item);
    }
    let mut chains = Vec::new();
    for arc in arcs {
        let (left, right) = match column_of[arc.from] < column_of[arc.to] {
            true => (arc.from, arc.to),
            false => (arc.to, arc.from),
        };
        let mut chain = vec![left];
        for column in &mut columns[column_of[left] + 1..column_of[right]] {
            chain.push(cells.len());
            column.push(cells.len());
            cells.push(Cell::Pass);
        }
        chain.push(right);
        chains.push(chain);
    }
    let (mut to_left, mut to_right) = (vec![Vec::new(); cells.len()], vec![Vec::new(); cells.len()]);
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        to_right[pair[0]].push(pair[1]);
        to_left[pair[1]].push(pair[0]);
    }
    let mut place = vec![0.0; cells.len()];
    columns.iter().for_each(|column| number(column, &mut place));
    for sweep in 0..SWEEPS {
        let rightward = sweep % 2 == 0;
        for step in 0..columns.len() {
            let index = if rightward { step } else { columns.len() - 1 - step };
            let near = if rightward { &to_left } else { &to_right };
            sort(&mut columns[index], near, &mut place);
        }
    }
    let links = to_left.into_iter().zip(to_right).map(|(left, right)| left.into_iter().chain(right).collect());
    Ordered { cells, columns, chains, links: links.collect() }
}

/// The arcs with those turned around that close a cycle.
fn rightward(items: usize, arcs: &[Arc]) -> Vec<Arc> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); items];
    let mut is_reached = vec![false; items];
    for (index, arc) in arcs.iter().enumerate() {
        out[arc.from].push(index);
        is_reached[arc.to] = true;
    }
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Open,
        Done,
    }
    let mut visits = vec![Visit::Not; items];
    let mut turned = arcs.to_vec();
    // Boxes that nothing leads to come first: what they lead to is then rightly to the right of them.
    let sources = (0..items).filter(|item| !is_reached[*item]);
    for root in sources.chain(0..items) {
        let mut path = vec![(root, 0)];
        while let Some((item, next)) = path.pop() {
            if next == 0 {
                if visits[item] != Visit::Not {
                    continue;
                }
                visits[item] = Visit::Open;
            }
            let Some(&arc) = out[item].get(next) else {
                visits[item] = Visit::Done;
                continue;
            };
            path.push((item, next + 1));
            match visits[arcs[arc].to] {
                Visit::Open => turned[arc] = Arc { from: arcs[arc].to, to: arcs[arc].from },
                Visit::Not => path.push((arcs[arc].to, 0)),
                Visit::Done => {}
            }
        }
    }
    turned
}

/// The column of each box: one to the right of the rightmost box that leads to it. The arcs have no cycles.
fn columns_of(items: usize, arcs: &[Arc]) -> Vec<usize> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); items];
    let mut waits_for = vec![0_usize; items];
    for arc in arcs {
        out[arc.from].push(arc.to);
        waits_for[arc.to] += 1;
    }
    let mut columns = vec![0; items];
    let mut ready: Vec<_> = (0..items).filter(|item| waits_for[*item] == 0).collect();
    while let Some(item) = ready.pop() {
        for &to in &out[item] {
            columns[to] = columns[to].max(columns[item] + 1);
            waits_for[to] -= 1;
            if waits_for[to] == 0 {
                ready.push(to);
            }
        }
    }
    columns
}

/// Sorts a column by the mean place of each cell's neighbours; those without any keep theirs.
fn sort(column: &mut [usize], near: &[Vec<usize>], place: &mut [f64]) {
    let mean = |cell: usize| match &near[cell][..] {
        [] => place[cell],
        near => near.iter().map(|near| place[*near]).sum::<f64>() / near.len() as f64,
    };
    column.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
    number(column, place);
}

/// Notes the place of each cell of a column, as a part of its length, so that columns compare.
fn number(column: &[usize], place: &mut [f64]) {
    for (index, cell) in column.iter().enumerate() {
        place[*cell] = (index as f64 + 0.5) / column.len() as f64;
    }
}
