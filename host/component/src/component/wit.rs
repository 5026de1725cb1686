//! Prints an interface of a component as WIT, with its types by their names.
//!
//! The decoder of `wit-component` is not used for this: it asserts, and so panics, on some valid components that WIT
//! can't represent, and it merges an interface that a component both imports and exports into one.

use std::collections::HashMap;
use std::fmt::Write;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceType,
};
use wasmparser::types::TypesRef;

use super::instance::{Members, last_segment, members};
use super::text::{Names, TextBudget, Writer, spelled};

/// The longest way from a name of a type to its definition that is followed.
const ALIASES_MAX: usize = 1000;

/// The interface and the name in it under which each named type of a component was first seen.
#[derive(Default)]
pub(super) struct Owners {
    names: HashMap<ComponentAnyTypeId, (String, String)>,
    /// The type that each stands for in the interface that names it: that of another interface if it uses that.
    uses: HashMap<ComponentAnyTypeId, ComponentAnyTypeId>,
}

impl Owners {
    pub fn record(&mut self, interface: &str, instance: &ComponentInstanceType) {
        for (name, item) in &instance.exports {
            if let ComponentEntityType::Type { created, referenced } = item.ty {
                self.names.entry(created).or_insert_with(|| (interface.to_owned(), name.clone()));
                self.uses.entry(created).or_insert(referenced);
            }
        }
    }

    /// The interface that defines a type, and its name there, which another interface that uses it may have changed.
    pub fn definition(&self, id: ComponentAnyTypeId, types: TypesRef<'_>) -> Option<(&str, &str)> {
        let next = |id: &ComponentAnyTypeId| self.uses.get(id).copied().or_else(|| types.peel_alias(*id));
        let ids = std::iter::successors(Some(id), next).take(ALIASES_MAX);
        let (interface, name) = ids.filter_map(|id| self.names.get(&id)).last()?;
        Some((interface, name))
    }
}

/// The interface of this name as WIT.
pub(super) fn print(
    name: &str,
    instance: &ComponentInstanceType,
    types: TypesRef<'_>,
    owners: &Owners,
    budget: &TextBudget,
) -> String {
    let members = members(instance);
    let mut names = Names::default();
    names.resources.extend(members.resources.iter().map(|(name, id)| (*id, spelled(name).into_owned())));
    for (type_name, item) in &instance.exports {
        if let ComponentEntityType::Type { created, .. } = item.ty {
            names.types.insert(created, spelled(type_name).into_owned());
        }
    }
    let printer = Printer { name, types, owners, budget, resources: of_resources(&members) };
    let mut out = format!("interface {} {{\n", spelled(last_segment(name)));
    for (type_name, item) in &instance.exports {
        if let ComponentEntityType::Type { referenced, .. } = item.ty {
            printer.declaration(&mut out, &spelled(type_name), referenced, &names);
        }
    }
    for (name, id) in members.funcs.iter().filter(|(name, _)| !name.starts_with('[')) {
        line(&mut out, &format!("  {}: {}", spelled(name), printer.func(*id, 0, &names)));
    }
    out.push('}');
    out
}

struct Printer<'a> {
    name: &'a str,
    types: TypesRef<'a>,
    owners: &'a Owners,
    budget: &'a TextBudget,
    /// The functions of each resource, by its name as WIT spells it.
    resources: HashMap<String, Vec<OfResource<'a>>>,
}

/// A constructor, method or static function of a resource.
struct OfResource<'a> {
    kind: &'a str,
    name: &'a str,
    id: ComponentFuncTypeId,
}

/// The functions of all resources of an interface, in one pass: there may be thousands of both.
fn of_resources(members: &Members) -> HashMap<String, Vec<OfResource<'_>>> {
    let mut resources: HashMap<String, Vec<_>> = HashMap::new();
    for (full_name, id) in &members.funcs {
        let Some((kind, rest)) = full_name.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { continue };
        let (resource, name) = rest.split_once('.').unwrap_or((rest, ""));
        resources.entry(spelled(resource).into_owned()).or_default().push(OfResource { kind, name, id: *id });
    }
    resources
}

impl Printer<'_> {
    /// A named type: where it comes from if that is elsewhere, else its definition.
    fn declaration(&self, out: &mut String, name: &str, referenced: ComponentAnyTypeId, names: &Names) {
        let mut origin = Some(referenced);
        while let Some(id) = origin {
            if let Some(original) = names.types.get(&id).filter(|original| *original != name) {
                return line(out, &format!("  type {name} = {original};"));
            }
            if let Some((interface, original)) = self.owners.names.get(&id).filter(|(owner, _)| owner != self.name) {
                let renamed = if original == name { String::new() } else { format!(" as {name}") };
                return line(out, &format!("  use {interface}.{{{original}{renamed}}};"));
            }
            origin = self.types.peel_alias(id);
        }
        match referenced {
            ComponentAnyTypeId::Defined(id) => self.definition(out, name, &self.types[id], names),
            _ => self.resource(out, name, names),
        }
    }

    fn definition(&self, out: &mut String, name: &str, ty: &ComponentDefinedType, names: &Names) {
        use ComponentDefinedType::{Enum, Flags, Record, Variant};
        let mut writer = Writer::new(self.types, names, self.budget);
        writer.definition(ty);
        let (text, _) = writer.finish();
        match (ty, text.split_once(' ')) {
            // WIT names these between the keyword and the body.
            (Record(_) | Variant(_) | Flags(_) | Enum(_), Some((keyword, body))) => {
                line(out, &format!("  {keyword} {name} {body}"));
            }
            _ => line(out, &format!("  type {name} = {text};")),
        }
    }

    fn resource(&self, out: &mut String, name: &str, names: &Names) {
        line(out, &format!("  resource {name} {{"));
        for OfResource { kind, name, id } in self.resources.get(name).into_iter().flatten() {
            let func = spelled(name);
            match *kind {
                "constructor" => line(out, &format!("    constructor{};", self.params(*id, names))),
                "static" => line(out, &format!("    {func}: static {}", self.func(*id, 0, names))),
                _ => line(out, &format!("    {func}: {}", self.func(*id, 1, names))),
            }
        }
        line(out, "  }");
    }

    fn params(&self, id: ComponentFuncTypeId, names: &Names) -> String {
        let mut writer = Writer::new(self.types, names, self.budget);
        writer.params(&self.types[id], 0);
        writer.finish().0
    }

    fn func(&self, id: ComponentFuncTypeId, receivers: usize, names: &Names) -> String {
        let func = &self.types[id];
        let mut writer = Writer::new(self.types, names, self.budget);
        writer.out.push_str(if func.async_ { "async func" } else { "func" });
        writer.params(func, receivers);
        if let Some(result) = &func.result {
            writer.out.push_str(" -> ");
            writer.value(result);
        }
        writer.out.push(';');
        writer.finish().0
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a string can't fail");
}
