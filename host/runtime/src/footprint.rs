//! What one instance of a component takes from an engine's pool, read from its bytes.

use lp_base::plan::LimitsPlan;
use wasmparser::{ComponentInstance, Instance, Parser, Payload};

use super::engine::Demand;

/// Adds what `replicas` instances of the component in `bytes` need to `demand`.
///
/// Bytes that can't be parsed add nothing: compiling them reports what is wrong.
pub(super) fn add(demand: &mut Demand, bytes: &[u8], replicas: u32, limits: &LimitsPlan) {
    let (mut instances, mut memories, mut tables) = (0_u32, 0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::MemorySection(section) => memories += section.count(),
            Payload::TableSection(section) => tables += section.count(),
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
    demand.memory_bytes_max = demand.memory_bytes_max.max(limits.memory_bytes);
    demand.table_elements_max = demand.table_elements_max.max(limits.table_elements);
}
