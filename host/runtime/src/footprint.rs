//! What the instances of components take of a process: linear memories, each of which is a range of addresses, counted
//! from the bytes of the component.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, Encoding,
    Instance, Parser, Payload,
};

/// How many linear memories one instance of the component in `bytes` has.
///
/// Bytes that can't be parsed have none: compiling them reports what is wrong.
pub(super) fn memories(bytes: &[u8]) -> u64 {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut root = 0;
    let mut largest = 0;
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding, .. } => scopes.push(Scope::new(encoding)),
            Payload::End(_) => {
                let Some(scope) = scopes.pop() else { break };
                largest = scope.memories.max(largest);
                match (scopes.last_mut(), scope.encoding) {
                    (Some(outer), Encoding::Component) => outer.components.push(Some(scope.memories)),
                    (Some(outer), Encoding::Module) => outer.modules.push(Some(scope.memories)),
                    (None, _) => root = scope.memories,
                }
            }
            payload => add(&mut scopes, payload, largest),
        }
    }
    root
}

/// A module or component that is being read, with what it has defined so far.
struct Scope {
    encoding: Encoding,
    /// The memories of one instance of it.
    memories: u64,
    /// Those of one instance of each core module that it knows; `None` where that is only known to who instantiates it.
    modules: Vec<Option<u64>>,
    components: Vec<Option<u64>>,
}

/// Takes note of a section. What is not known counts as the `largest` that was seen.
fn add(scopes: &mut [Scope], payload: Payload<'_>, largest: u64) {
    let Some(last) = scopes.len().checked_sub(1) else { return };
    match payload {
        Payload::MemorySection(section) => scopes[last].memories += u64::from(section.count()),
        Payload::InstanceSection(section) => {
            for instance in section.into_iter().map_while(Result::ok) {
                if let Instance::Instantiate { module_index, .. } = instance {
                    scopes[last].instantiate(scopes[last].modules.get(module_index as usize).copied(), largest);
                }
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section.into_iter().map_while(Result::ok) {
                if let ComponentInstance::Instantiate { component_index, .. } = instance {
                    scopes[last].instantiate(scopes[last].components.get(component_index as usize).copied(), largest);
                }
            }
        }
        Payload::ComponentImportSection(section) => {
            for import in section.into_iter().map_while(Result::ok) {
                match import.ty {
                    ComponentTypeRef::Module(_) => scopes[last].modules.push(None),
                    ComponentTypeRef::Component(_) => scopes[last].components.push(None),
                    _ => {}
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            // What is exported gets another index.
            for export in section.into_iter().map_while(Result::ok) {
                let (scope, index) = (&mut scopes[last], export.index as usize);
                match export.kind {
                    ComponentExternalKind::Module => scope.modules.push(scope.modules.get(index).copied().flatten()),
                    ComponentExternalKind::Component => {
                        scope.components.push(scope.components.get(index).copied().flatten());
                    }
                    _ => {}
                }
            }
        }
        Payload::ComponentAliasSection(section) => {
            section.into_iter().map_while(Result::ok).for_each(|aliased| alias(scopes, last, aliased));
        }
        _ => {}
    }
}

fn alias(scopes: &mut [Scope], last: usize, alias: ComponentAlias<'_>) {
    match alias {
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => scopes[last].modules.push(None),
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
            scopes[last].components.push(None);
        }
        ComponentAlias::Outer { kind, count, index } => {
            let outer = last.checked_sub(count as usize).map(|place| &scopes[place]);
            match kind {
                ComponentOuterAliasKind::CoreModule => {
                    let known = outer.and_then(|outer| outer.modules.get(index as usize)).copied().flatten();
                    scopes[last].modules.push(known);
                }
                ComponentOuterAliasKind::Component => {
                    let known = outer.and_then(|outer| outer.components.get(index as usize)).copied().flatten();
                    scopes[last].components.push(known);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

impl Scope {
    fn new(encoding: Encoding) -> Self {
        Self { encoding, memories: 0, modules: Vec::new(), components: Vec::new() }
    }

    /// Adds the memories of an instance of what has so many, where that is known.
    fn instantiate(&mut self, known: Option<Option<u64>>, largest: u64) {
        self.memories = self.memories.saturating_add(known.flatten().unwrap_or(largest));
    }
}

#[cfg(test)]
mod tests {
    use super::memories;

    #[track_caller]
    fn check(wat: &str, expected: u64) {
        let bytes = wat::parse_str(wat).expect("it is a component");
        assert_eq!(memories(&bytes), expected, "{wat}");
    }

    const MODULES: &str = "(core module $two (memory 1) (memory 1)) (core module $none (func))";

    #[test]
    fn each_instance_of_a_module_has_memories_of_its_own() {
        check("(component)", 0);
        check(&format!("(component {MODULES})"), 0);
        check(&format!("(component {MODULES} (core instance (instantiate $none)))"), 0);
        let three = "(core instance (instantiate $two))".repeat(3);
        check(&format!("(component {MODULES} {three})"), 6);
        // A memory that is imported is another instance's.
        let shared = "(core module $m (memory (export \"m\") 1)) (core module $user (import \"i\" \"m\" (memory 1)))
            (core instance $m (instantiate $m)) (core instance (instantiate $user (with \"i\" (instance $m))))";
        check(&format!("(component {shared})"), 1);
    }

    #[test]
    fn components_within_are_counted_as_often_as_they_are_instantiated() {
        let one = "(component $one (core module $m (memory 1)) (core instance (instantiate $m)))";
        let instances = |name: &str, count| format!("(instance (instantiate {name}))").repeat(count);
        check(&format!("(component {one})"), 0);
        check(&format!("(component {one} {})", instances("$one", 3)), 3);
        let four = format!("(component $four {one} {} (instance (instantiate $one)))", instances("$one", 3));
        check(&format!("(component {four} {})", instances("$four", 5)), 20);
    }

    #[test]
    fn modules_and_components_that_come_from_elsewhere_are_counted() {
        let inner =
            "(component $inner (alias outer $outer $m (core module $here)) (core instance (instantiate $here)))";
        let twice = "(instance (instantiate $inner))".repeat(2);
        check(&format!("(component $outer (core module $m (memory 1) (memory 1)) {inner} {twice})"), 4);
        // What an import turns out to be is not looked for: it counts as the largest that there is.
        let inner = "(component $inner (import \"m\" (core module $m)) (core instance (instantiate $m)))";
        let given = "(instance (instantiate $inner (with \"m\" (core module $m))))";
        check(&format!("(component (core module $m (memory 1) (memory 1)) {inner} {given})"), 2);
    }

    #[test]
    fn what_is_cut_off_is_no_reason_to_panic() {
        let one = "(component $one (core module $m (memory 1)) (core instance (instantiate $m)))";
        let bytes = wat::parse_str(format!("(component {one} (instance (instantiate $one)))")).expect("a component");
        (0..bytes.len()).for_each(|len| assert!(memories(&bytes[..len]) <= 1));
    }
}
