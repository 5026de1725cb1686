//! What Python knows of a node's world: the functions that pass lists of numbers, and where the node's source is.

use std::path::Path;
use std::{fs, io};

use heck::{ToSnakeCase, ToUpperCamelCase};
use lp_wit::wit_parser::{Function, Interface, Resolve, Type, TypeDefKind, TypeId, WorldItem, WorldKey};
use lp_wit::{Folder, NODE_WORLD};

/// The modules that the recipe names itself, and that have no lists of numbers.
const HOSTS: [&str; 3] = ["lp:node/program", "wasi:config/store", "wasi:logging/logging"];

/// Python's keywords, after which componentize-py puts an underscore.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Writes `lp_wit.py` into `dir`: for each imported module and each exported class, its functions with lists of numbers.
pub(crate) fn write_types(wit: &Folder, dir: &Path) -> io::Result<()> {
    let resolve = &wit.resolve;
    let world = &resolve.worlds[resolve.packages[wit.package].worlds[NODE_WORLD]];
    let mut text = "import lp_types as t\nfrom lp_types import Signature\n\nIMPORTS = {\n".to_owned();
    for (key, item) in &world.imports {
        let full = resolve.name_world_key(key);
        if !HOSTS.iter().any(|host| full.starts_with(host)) {
            text.push_str(&entry(resolve, key, item, snake));
        }
    }
    text.push_str("}\nEXPORTS = {\n");
    for (key, item) in &world.exports {
        text.push_str(&entry(resolve, key, item, |name| escaped(name.to_upper_camel_case())));
    }
    fs::write(dir.join("lp_wit.py"), text + "}\n")
}

/// The functions of one interface, or nothing if none passes such a list.
fn entry(resolve: &Resolve, key: &WorldKey, item: &WorldItem, named: impl Fn(&str) -> String) -> String {
    let WorldItem::Interface { id, .. } = item else { return String::new() };
    let interface = &resolve.interfaces[*id];
    let name = match key {
        WorldKey::Name(name) => name,
        WorldKey::Interface(_) => interface.name.as_ref().expect("an interface of a world has a name"),
    };
    let functions = functions(resolve, interface);
    if functions.is_empty() { functions } else { format!("    {}: {{\n{functions}    }},\n", quoted(&named(name))) }
}

fn functions(resolve: &Resolve, interface: &Interface) -> String {
    let types = Types { resolve };
    let lines = interface.functions.values().filter_map(|function| {
        let signature = types.signature(function)?;
        let path = match function.name.strip_prefix('[').and_then(|name| name.split_once(']')) {
            // A constructor takes no lists of numbers here: its class is made by the bindings.
            Some((_, name)) => {
                let (resource, method) = name.split_once('.')?;
                format!("{}.{}", escaped(resource.to_upper_camel_case()), snake(method))
            }
            None => snake(&function.name),
        };
        Some(format!("        {}: {signature},\n", quoted(&path)))
    });
    lines.collect()
}

struct Types<'r> {
    resolve: &'r Resolve,
}

impl Types<'_> {
    fn signature(&self, function: &Function) -> Option<String> {
        let receivers = usize::from(function.name.starts_with("[method]"));
        let params: Vec<_> =
            function.params.iter().skip(receivers).map(|param| (snake(&param.name), self.of(&param.ty))).collect();
        let (ok, err) = match function.result.map(|result| self.unaliased(result)) {
            Some(Type::Id(id)) if let TypeDefKind::Result(result) = &self.resolve.types[id].kind => {
                (self.maybe(result.ok.as_ref()), self.maybe(result.err.as_ref()))
            }
            Some(result) => (self.of(&result), None),
            None => (None, None),
        };
        if params.iter().all(|(_, ty)| ty.is_none()) && ok.is_none() && err.is_none() {
            return None;
        }
        let params: String =
            params.into_iter().map(|(name, ty)| format!("({}, {}), ", quoted(&name), or_none(ty))).collect();
        let name = function.name.rsplit(']').next().unwrap_or(&function.name);
        Some(format!("Signature({}, [{params}], {}, {})", quoted(name), or_none(ok), or_none(err)))
    }

    fn unaliased(&self, ty: Type) -> Type {
        match ty {
            Type::Id(id) if let TypeDefKind::Type(ty) = self.resolve.types[id].kind => self.unaliased(ty),
            ty => ty,
        }
    }

    fn maybe(&self, ty: Option<&Type>) -> Option<String> {
        ty.and_then(|ty| self.of(ty))
    }

    /// The code of a type, if its values may have a list of numbers.
    fn of(&self, ty: &Type) -> Option<String> {
        match self.unaliased(*ty) {
            Type::Id(id) => self.defined(id),
            _ => None,
        }
    }

    fn defined(&self, id: TypeId) -> Option<String> {
        let ty = &self.resolve.types[id];
        let class = || escaped(ty.name.as_deref().unwrap_or_default().to_upper_camel_case());
        match &ty.kind {
            TypeDefKind::List(item) => match letter(self.unaliased(*item)) {
                Some(letter) => Some(format!("t.numbers({})", quoted(letter))),
                None => Some(format!("t.list_of({})", self.of(item)?)),
            },
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().filter_map(|field| Some((snake(&field.name), self.of(&field.ty)?)));
                dictionary("record", fields)
            }
            TypeDefKind::Variant(variant) => {
                let case = |name: &str| format!("{}_{}", class(), escaped(name.to_upper_camel_case()));
                let cases = variant.cases.iter();
                dictionary(
                    "variant",
                    cases.filter_map(|found| Some((case(&found.name), self.maybe(found.ty.as_ref())?))),
                )
            }
            TypeDefKind::Tuple(tuple) => {
                let items: Vec<_> = tuple.types.iter().map(|ty| self.of(ty)).collect();
                items
                    .iter()
                    .any(Option::is_some)
                    .then(|| format!("t.tuple_of({})", items.into_iter().map(or_none).collect::<Vec<_>>().join(", ")))
            }
            TypeDefKind::Option(inner) => Some(format!("t.option({})", self.of(inner)?)),
            TypeDefKind::Result(result) => {
                let [ok, err] = [&result.ok, &result.err].map(|ty| self.maybe(ty.as_ref()));
                (ok.is_some() || err.is_some()).then(|| format!("t.result({}, {})", or_none(ok), or_none(err)))
            }
            _ => None,
        }
    }
}

/// The letter that Python's `array` has for numbers of more than a byte.
fn letter(ty: Type) -> Option<&'static str> {
    Some(match ty {
        Type::U16 => "H",
        Type::S16 => "h",
        Type::U32 => "I",
        Type::S32 => "i",
        Type::U64 => "Q",
        Type::S64 => "q",
        Type::F32 => "f",
        Type::F64 => "d",
        _ => return None,
    })
}

fn dictionary(kind: &str, fields: impl Iterator<Item = (String, String)>) -> Option<String> {
    let fields: Vec<_> = fields.map(|(name, code)| format!("{}: {code}", quoted(&name))).collect();
    (!fields.is_empty()).then(|| format!("t.{kind}({{{}}})", fields.join(", ")))
}

fn or_none(code: Option<String>) -> String {
    code.unwrap_or_else(|| "None".to_owned())
}

fn snake(name: &str) -> String {
    escaped(name.to_snake_case())
}

/// A name as componentize-py has it.
fn escaped(name: String) -> String {
    if KEYWORDS.contains(&name.as_str()) { name + "_" } else { name }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
