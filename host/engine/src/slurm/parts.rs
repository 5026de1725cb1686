//! The parts of a job: one allocation, or several where groups need different partitions.
//!
//! The allocation of a part is a number of equal tasks, since that is what Slurm gives, each as large as the largest unit. Smaller
//! units share one where they fit. Which unit is where within it, Slurm decides as it starts the steps, the largest first.

use super::needs::{Asked, Needs, Place};

/// A part of a job, which is one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is, and who pays.
    pub place: Place,
    /// Its groups, by their places in the list, the largest units first.
    pub groups: Vec<usize>,
    /// What each of its tasks has.
    pub task: Needs,
    /// How many tasks it has.
    pub tasks: u64,
    /// The GPUs: so many for each task, or for all of it.
    pub gpus: Gpus,
    /// The longest time that a group asks for, in seconds.
    pub time_s: Option<u64>,
    /// Further options of sbatch.
    pub sbatch: Vec<String>,
    /// What its units need together.
    pub needed: Needs,
}

/// How GPUs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gpus {
    /// There are none.
    None,
    /// Each task has a unit that wants so many.
    PerTask(u64),
    /// Only some have.
    InAll(u64),
}

/// The parts of a job with these groups, each with how many units it has.
pub fn parts(groups: &[(Asked, u64)]) -> Vec<Part> {
    let mut places: Vec<(Place, Vec<usize>)> = Vec::new();
    let (said, rest): (Vec<_>, Vec<_>) = (0..groups.len()).partition(|&group| !groups[group].0.place.is_any());
    for group in said.into_iter().chain(rest) {
        let own = &groups[group].0.place;
        match places.iter_mut().find_map(|(place, groups)| Some((place.with(own)?, place, groups))) {
            Some((both, place, groups)) => {
                *place = both;
                groups.push(group);
            }
            None => places.push((own.clone(), vec![group])),
        }
    }
    places.into_iter().map(|(place, members)| part(place, members, groups)).collect()
}

fn part(place: Place, mut members: Vec<usize>, groups: &[(Asked, u64)]) -> Part {
    members.sort_by_key(|&group| {
        let Needs { cpus, memory_mib, gpus } = groups[group].0.unit;
        std::cmp::Reverse((gpus, cpus, memory_mib))
    });
    let units = || members.iter().map(|&group| (groups[group].0.unit, groups[group].1));
    let most = |of: fn(&Needs) -> u64| units().map(|(unit, _)| of(&unit)).max().unwrap_or(0);
    let all = |of: fn(&Needs) -> u64| units().map(|(unit, count)| of(&unit).saturating_mul(count)).sum();
    let task = Needs { cpus: most(|unit| unit.cpus), memory_mib: most(|unit| unit.memory_mib), gpus: 0 };
    let tasks = tasks(task, units());
    let needed =
        Needs { cpus: all(|unit| unit.cpus), memory_mib: all(|unit| unit.memory_mib), gpus: all(|unit| unit.gpus) };
    let alike = units().map(|(unit, _)| unit.gpus).min().unwrap_or(0);
    let gpus = match needed.gpus {
        0 => Gpus::None,
        // Every unit has as many, and a task to itself.
        all if all == alike * tasks => Gpus::PerTask(alike),
        all => Gpus::InAll(all),
    };
    let mut sbatch: Vec<String> = Vec::new();
    for line in members.iter().flat_map(|&group| &groups[group].0.sbatch) {
        if !sbatch.contains(line) {
            sbatch.push(line.clone());
        }
    }
    let time_s = members.iter().filter_map(|&group| groups[group].0.time_s).max();
    Part { place, groups: members, task, tasks, gpus, time_s, sbatch, needed }
}

/// How many tasks hold all units, which come as their needs and how many there are, the largest first. Tasks with the same room
/// left are counted and not listed, so that this takes no longer with more replicas.
fn tasks(task: Needs, units: impl Iterator<Item = (Needs, u64)>) -> u64 {
    let mut rooms: Vec<(Needs, u64)> = Vec::new();
    for (unit, mut left) in units {
        for index in 0..rooms.len() {
            let (room, count) = rooms[index];
            place(&mut rooms, index, room, count, &unit, &mut left);
        }
        if left > 0 {
            let fitting = task.room_for(&unit);
            let index = rooms.len();
            let new = left.div_ceil(fitting);
            rooms.push((task, new));
            place(&mut rooms, index, task, new, &unit, &mut left);
        }
    }
    rooms.iter().map(|(_, count)| count).sum()
}

/// Puts as many of the `left` units as fit into tasks of one kind.
fn place(rooms: &mut Vec<(Needs, u64)>, index: usize, room: Needs, count: u64, unit: &Needs, left: &mut u64) {
    let fitting = room.room_for(unit);
    if fitting == 0 || *left == 0 || count == 0 {
        return;
    }
    let full = (*left / fitting).min(count);
    *left -= full * fitting;
    let mut used = full;
    if full > 0 {
        rooms.push((room.without(unit, fitting), full));
    }
    if *left > 0 && full < count {
        rooms.push((room.without(unit, *left), 1));
        (*left, used) = (0, used + 1);
    }
    rooms[index].1 -= used;
}
