//! Turns the validated types of a component into [`Interface`]s, and sorts its imports by who serves them.

use std::sync::Arc;

use lp_base::interfaces;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentFuncTypeId,
    ComponentInstanceType, ComponentValType,
};
use wasmparser::names::{ComponentName, ComponentNameKind};
use wasmparser::types::TypesRef;

use super::instance::{OF_RESOURCE, members};
use super::replay::is_of_replay;
use super::scan::Scan;
use super::text::{Names, TextBudget, Writer};
use super::types::Trees;
use super::wit::{self, Owners};
use super::{ImportKind, Interface, Method, handles};

/// A function type in the parts that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// The parameters with parentheses, such as `(n: u64)`.
    pub params: String,
    /// The result, if the function returns one.
    pub result: Option<String>,
}

impl Signature {
    fn text(&self) -> String {
        match &self.result {
            Some(result) => format!("func{} -> {result}", self.params),
            None => format!("func{}", self.params),
        }
    }
}

/// The types of a component, with the names under which its interfaces know them.
pub(super) struct Shapes<'a> {
    types: TypesRef<'a>,
    owners: Owners,
    budget: TextBudget,
}

impl<'a> Shapes<'a> {
    pub fn new(scan: &'a Scan) -> Shapes<'a> {
        let types = scan.types.as_ref();
        let mut owners = Owners::default();
        let imports = scan.imports.iter().filter_map(|name| Some((name, types.component_item_for_import(name)?)));
        let exports = scan.exports.iter().filter_map(|name| Some((name, types.component_item_for_export(name)?)));
        for (name, item) in imports.chain(exports) {
            if let ComponentEntityType::Instance(id) = item.ty {
                owners.record(name, &types[id]);
            }
        }
        Shapes { types, owners, budget: TextBudget::default() }
    }

    /// The courier interface that the export of this name is, if it is one.
    pub fn courier(&self, name: &str) -> Option<Interface> {
        if is_of_host(name) && !is_tests(name) {
            return None;
        }
        let ComponentEntityType::Instance(id) = self.types.component_item_for_export(name)?.ty else { return None };
        let interface = self.interface(name, &self.types[id], Side::Export);
        (!interface.methods.is_empty() && !is_of_toolchain(&interface)).then_some(interface)
    }

    pub fn import_kind(&self, name: &str) -> ImportKind {
        let item = self.types.component_item_for_import(name).expect("the name was read from the import section");
        let instance = match item.ty {
            ComponentEntityType::Instance(id) => &self.types[id],
            ComponentEntityType::Type { created: ComponentAnyTypeId::Defined(_), .. } => return ImportKind::Types,
            ComponentEntityType::Func(_) => {
                return unsupported("is a function of the world; declare it in an interface and import that");
            }
            _ => return unsupported("is neither an interface nor a type"),
        };
        match ComponentName::new(name, 0).as_ref().map(ComponentName::kind) {
            Ok(ComponentNameKind::Label(_)) => {}
            Ok(ComponentNameKind::Interface(_)) => {}
            _ => return unsupported("names a file or an address instead of an interface"),
        }
        let found = is_of_host(name).then(|| interfaces::find(name));
        if let Some(Ok((interface, _))) = found {
            return ImportKind::Host(interface);
        }
        let members = members(instance);
        if members.funcs.is_empty() && members.resources.is_empty() {
            return ImportKind::Types;
        }
        if let Some(Err(unserved)) = found {
            return ImportKind::Unserved(unserved);
        }
        if let Some(base) = handles::base_name(name, &members) {
            return self.handles(name, base, instance);
        }
        ImportKind::Courier(Arc::new(self.interface(name, instance, Side::Import)))
    }

    fn handles(&self, name: &str, base: String, instance: &ComponentInstanceType) -> ImportKind {
        let Interface { methods, wit, .. } = self.interface(name, instance, Side::Import);
        match handles::methods(&base, methods) {
            Ok(methods) => {
                let interface = Interface { name: name.to_owned(), methods, wit };
                ImportKind::Handles { base, interface: Arc::new(interface) }
            }
            Err(reason) => ImportKind::Unsupported(reason),
        }
    }

    fn interface(&self, name: &str, instance: &ComponentInstanceType, side: Side) -> Interface {
        let members = members(instance);
        let resources = members.resources.iter().map(|(name, id)| (*id, name.clone())).collect();
        let names = Names { resources, ..Names::default() };
        let mut trees = Trees::new(self.types, &self.owners);
        let methods = members.funcs.iter().map(|(name, id)| self.method(name, *id, &names, &mut trees, side)).collect();
        let wit = wit::print(name, instance, self.types, &self.owners, &self.budget);
        Interface { name: name.to_owned(), methods, wit }
    }

    /// What the future gives that a plain function returns, if it does.
    fn future_of(&self, func: &ComponentFuncType) -> Option<Option<ComponentValType>> {
        let Some(ComponentValType::Type(id)) = func.result else { return None };
        match &self.types[id] {
            ComponentDefinedType::Future { ty, .. } if !func.async_ => Some(*ty),
            _ => None,
        }
    }

    fn method(&self, name: &str, id: ComponentFuncTypeId, names: &Names, trees: &mut Trees<'_>, side: Side) -> Method {
        let func = &self.types[id];
        let future = match side {
            Side::Import => self.future_of(func),
            Side::Export => None,
        };
        let result_type = future.unwrap_or(func.result);
        // The `self` of a method is the handle that the host itself gave out, so it is no part of what a call carries.
        let receivers = usize::from(name.starts_with("[method]"));
        let mut writer = Writer::new(self.types, names, &self.budget);
        writer.params(func, receivers);
        let (params, params_refused) = writer.finish();
        let mut writer = Writer::new(self.types, names, &self.budget);
        if let Some(ty) = &result_type {
            writer.value(ty);
        }
        let (result, result_refused) = writer.finish();
        let of_resource = name.starts_with('[').then(|| OF_RESOURCE.to_owned());
        let shape = Signature { params, result: result_type.map(|_| result) };
        // A type that is too long to be written out is too long to be walked, too.
        let written = params_refused.is_none() && result_refused.is_none();
        Method {
            name: name.to_owned(),
            is_async: func.async_,
            signature: shape.text(),
            types: written.then(|| trees.method(func, receivers, result_type)).flatten(),
            refused: of_resource.or(params_refused).or(result_refused),
            shape,
        }
    }
}

/// Who has an interface: its caller, whose way to wait is no part of the type, or its callee.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Import,
    Export,
}

/// Whether an interface is of a package that only the host serves. Those of a replay node could be any node's.
fn is_of_host(name: &str) -> bool {
    (name.starts_with("wasi:") || name.starts_with("lp:")) && !is_of_replay(name)
}

/// Whether an exported interface is the one by which `lp-host test` finds and runs the tests of a node.
fn is_tests(name: &str) -> bool {
    interfaces::serves(name, interfaces::TESTS)
}

/// Exported interfaces that a toolchain adds for its own use: the name, the only function, and how its type begins. What the
/// toolchain calls while it builds the component would fail the node at run time, so nobody else may call it.
const OF_TOOLCHAINS: &[(&str, &str, &str)] = &[
    // componentize-py
    ("exports", "init", "func(app-name: string, symbols: "),
];

fn is_of_toolchain(interface: &Interface) -> bool {
    let [only] = interface.methods.as_slice() else { return false };
    OF_TOOLCHAINS.iter().any(|&(name, method, signature)| {
        interface.name == name && only.name == method && only.signature.starts_with(signature)
    })
}

fn unsupported(reason: &str) -> ImportKind {
    ImportKind::Unsupported(reason.to_owned())
}
