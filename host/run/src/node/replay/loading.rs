//! The tables that a replica starts with: those of its last checkpoint, or empty ones.

use std::path::Path;

use lp_base::words::{Configuration, Replay};
use lp_replay::checkpoint::{self, Difference, Stored};
use lp_replay::table::{Gauge, Table};

use super::tables;

/// Tables, and what there is to say of where they came from.
pub(super) struct Loaded {
    pub tables: Vec<Table>,
    pub notes: Vec<String>,
}

/// Loads what is in `dir`, or in the fallback, or nothing. What was kept is never passed over in silence.
pub(super) fn load(replay: &Replay, dir: Option<&Path>, gauge: &Gauge) -> Result<Loaded, String> {
    let mut notes = Vec::new();
    let specs: Vec<_> = replay.tables.iter().map(tables::spec).collect();
    let fallback = replay.checkpoint.as_ref().and_then(|checkpoint| checkpoint.fallback.as_deref());
    let mut stored = None;
    for dir in [dir, fallback].into_iter().flatten() {
        stored = last(dir, gauge, &mut notes)?;
        if stored.is_some() {
            break;
        }
    }
    let Some(stored) = stored else {
        let tables = specs.into_iter().map(|spec| {
            let name = spec.name.clone();
            Table::new(spec).map_err(|error| format!("table `{name}`: {error}"))
        });
        return Ok(Loaded { tables: tables.collect::<Result<_, _>>()?, notes });
    };
    let items: usize = stored.tables.iter().map(|table| table.items.len()).sum();
    let shown = stored.path.display().to_string();
    notes.push(format!("loaded {shown} with {items} items"));
    let whose = replay.checkpoint.as_ref().map(|checkpoint| checkpoint.configuration).unwrap_or_default();
    let whose = match whose {
        Configuration::Program => checkpoint::Configuration::Given,
        Configuration::Stored => checkpoint::Configuration::Stored,
    };
    let restored = checkpoint::restore(specs, stored, whose).map_err(|error| format!("{shown}: {error}"))?;
    notes.extend(restored.differences.iter().map(|difference| differs(difference, whose)));
    Ok(Loaded { tables: restored.tables, notes })
}

fn last(dir: &Path, gauge: &Gauge, notes: &mut Vec<String>) -> Result<Option<Stored>, String> {
    let (stored, refused) = checkpoint::last(dir, gauge).map_err(|error| error.to_string())?;
    notes.extend(refused.iter().map(|refused| format!("refused {}: {}", refused.path.display(), refused.error)));
    Ok(stored)
}

fn differs(difference: &Difference, whose: checkpoint::Configuration) -> String {
    let Difference { table, setting, stored, given } = difference;
    let (holds, not) = match whose {
        checkpoint::Configuration::Given => (given, format!("the checkpoint has {stored}")),
        checkpoint::Configuration::Stored => (stored, format!("the program has {given}")),
    };
    format!("table `{table}` has the {setting} {holds}; {not}")
}
