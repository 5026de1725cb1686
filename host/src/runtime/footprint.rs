//! What one instance of a component takes from an engine's pool, read from its bytes.

use wasmparser::{ComponentInstance, Instance, Parser, Payload};

use super::engine::Demand;
use crate::plan::LimitsPlan;

/// A page of a memory, in bytes.
const PAGE: u64 = 64 * 1024;
/// Memories of 32 bits are no larger.
const INITIAL_BYTES_MAX: u64 = 4 << 30;
/// The largest limit on tables.
const INITIAL_ELEMENTS_MAX: u64 = 10_000_000;

/// Adds what `replicas` instances of the component in `bytes` need to `demand`.
///
/// Bytes that can't be parsed add nothing: compiling them reports what is wrong.
pub(super) fn add(demand: &mut Demand, bytes: &[u8], replicas: u32, limits: &LimitsPlan) {
    let (mut instances, mut memories, mut tables) = (0_u32, 0_u32, 0_u32);
    let (mut initial_bytes, mut initial_elements) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::MemorySection(section) => {
                memories += section.count();
                let sizes =
                    section.into_iter().filter_map(Result::ok).map(|memory| memory.initial.saturating_mul(PAGE));
                initial_bytes = initial_bytes.max(sizes.max().unwrap_or(0));
            }
            Payload::TableSection(section) => {
                tables += section.count();
                let sizes = section.into_iter().filter_map(Result::ok).map(|table| table.ty.initial);
                initial_elements = initial_elements.max(sizes.max().unwrap_or(0));
            }
            Payload::InstanceSection(section) => {
                let instantiated =
                    section.into_iter().filter(|instance| matches!(instance, Ok(Instance::Instantiate { .. })));
                instances += instantiated.count() as u32;
            }
            Payload::ComponentInstanceSection(section) => {
                let instantiated = section
                    .into_iter()
                    .filter(|instance| matches!(instance, Ok(ComponentInstance::Instantiate { .. })));
                // A nested component may be instantiated more than once, and wasmtime adds adapter modules between
                // components: both take core instances that the bytes do not show.
                instances += 2 * instantiated.count() as u32;
            }
            _ => {}
        }
    }
    demand.replicas += replicas;
    demand.core_instances = demand.core_instances.saturating_add((instances + 2).saturating_mul(replicas));
    demand.memories = demand.memories.saturating_add(memories.saturating_mul(replicas));
    demand.tables = demand.tables.saturating_add(tables.saturating_mul(replicas));
    // What starts larger than its limit has a place in the pool as well, so that it fails by its limit when it starts,
    // and not when it is compiled.
    let bytes_max = limits.memory_bytes.max(initial_bytes.min(INITIAL_BYTES_MAX));
    demand.memory_bytes_max = demand.memory_bytes_max.max(bytes_max);
    let elements_max = limits.table_elements.max(initial_elements.min(INITIAL_ELEMENTS_MAX));
    demand.table_elements_max = demand.table_elements_max.max(elements_max);
}
