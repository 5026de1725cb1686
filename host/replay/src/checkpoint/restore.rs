//! Tables made of a checkpoint and of what the program says of them.

use super::read::{Stored, StoredTable};
use crate::table::{RestoreError, SpecError, Table, TableSpec};

/// What holds for tables of which a checkpoint says something else than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// What the checkpoint says, as the original has it.
    Stored,
    /// What the program says.
    Given,
}

/// What a checkpoint and the program don't agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Which of its settings.
    pub setting: &'static str,
    /// As the checkpoint has it.
    pub stored: String,
    /// As the program has it.
    pub given: String,
}

/// The tables that were made.
#[derive(Debug)]
pub struct Restored {
    /// Those of the program, in its order.
    pub tables: Vec<Table>,
    /// Settings of which one side had to be passed over.
    pub differences: Vec<Difference>,
}

/// Why tables can't be made of a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// The program has no such table.
    #[error("the checkpoint has a table `{0}`, which the program has not")]
    NoTable(String),
    /// The program's table can't be as described.
    #[error("table `{0}`: {1}")]
    Spec(String, SpecError),
    /// An item can't be put back.
    #[error("table `{0}`: {1}")]
    Item(String, RestoreError),
}

/// Makes the tables that the program describes, with the items and counts of a checkpoint.
///
/// # Errors
/// If the program has not all of the tables, or an item does not fit.
pub fn restore(given: Vec<TableSpec>, stored: Stored, configuration: Configuration) -> Result<Restored, NotRestored> {
    let mut stored_tables = stored.tables;
    if let Some(unknown) =
        stored_tables.iter().find(|stored| given.iter().all(|spec| spec.name != stored.counts.spec.name))
    {
        return Err(NotRestored::NoTable(unknown.counts.spec.name.clone()));
    }
    let mut differences = Vec::new();
    let mut tables = Vec::new();
    for spec in given {
        let name = spec.name.clone();
        let new = |spec| Table::new(spec).map_err(|error| NotRestored::Spec(name.clone(), error));
        let Some(place) = stored_tables.iter().position(|stored| stored.counts.spec.name == name) else {
            tables.push(new(spec)?);
            continue;
        };
        let StoredTable { counts, items } = stored_tables.swap_remove(place);
        differences.extend(differ(&counts.spec, &spec));
        let mut table = new(match configuration {
            Configuration::Stored => counts.spec,
            Configuration::Given => spec,
        })?;
        for item in items {
            table.restore(item).map_err(|error| NotRestored::Item(name.clone(), error))?;
        }
        table.restore_counts(counts.counts, counts.num_deleted_episodes, counts.num_unique_samples);
        tables.push(table);
    }
    Ok(Restored { tables, differences })
}

fn differ(stored: &TableSpec, given: &TableSpec) -> Vec<Difference> {
    let signature = |spec: &TableSpec| match &spec.signature {
        Some(bytes) => format!("one of {} bytes", bytes.len()),
        None => "none".to_owned(),
    };
    let times = |spec: &TableSpec| spec.max_times_sampled.map_or("no limit".to_owned(), |times| times.to_string());
    let settings = |spec: &TableSpec| {
        [
            ("sampler", format!("{:?}", spec.sampler)),
            ("remover", format!("{:?}", spec.remover)),
            ("max_size", spec.max_size.to_string()),
            ("max_times_sampled", times(spec)),
            ("rate_limiter", format!("{:?}", spec.limiter)),
            ("signature", signature(spec)),
        ]
    };
    let table = &given.name;
    let pairs = settings(stored).into_iter().zip(settings(given));
    let is_signature = |setting| setting == "signature" && stored.signature != given.signature;
    pairs
        .filter(|((setting, stored), (_, given))| stored != given || is_signature(*setting))
        .map(|((setting, stored), (_, given))| Difference { table: table.clone(), setting, stored, given })
        .collect()
}
