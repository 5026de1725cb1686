//! An instance type that a component imports or exports: its name, its functions and its resources.

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceType, ResourceId,
};

/// Why a call can't carry a constructor, method or static function of a resource.
pub(super) const OF_RESOURCE: &str = "it belongs to a resource";

/// The functions and resources of an instance type.
pub(super) struct Members {
    pub funcs: Vec<(String, ComponentFuncTypeId)>,
    pub resources: Vec<(String, ResourceId)>,
}

pub(super) fn members(instance: &ComponentInstanceType) -> Members {
    let mut members = Members { funcs: Vec::new(), resources: Vec::new() };
    for (name, item) in &instance.exports {
        match item.ty {
            ComponentEntityType::Func(id) => members.funcs.push((name.clone(), id)),
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                members.resources.push((name.clone(), id.resource()));
            }
            _ => {}
        }
    }
    members
}

/// The part of an interface's name that names the interface itself: `counter` of `example:counting/counter@1.0.0`.
pub(super) fn last_segment(name: &str) -> &str {
    let unversioned = name.split_once('@').map_or(name, |(name, _)| name);
    unversioned.rsplit_once('/').map_or(unversioned, |(_, last)| last)
}
