//! Types and signatures of WIT as the code of `types.js` in the JavaScript SDK, which makes them.

use std::collections::HashMap;

use heck::{ToLowerCamelCase, ToUpperCamelCase};
use lp_wit::wit_parser::{Function, Interface, Resolve, Type, TypeDefKind, TypeId};

/// The types that code refers to, each declared once, after those that it has parts of.
pub(super) struct Types<'r> {
    resolve: &'r Resolve,
    declared: HashMap<TypeId, String>,
    declarations: String,
}

impl<'r> Types<'r> {
    pub(super) fn new(resolve: &'r Resolve) -> Self {
        Types { resolve, declared: HashMap::new(), declarations: String::new() }
    }

    pub(super) fn declarations(&self) -> &str {
        &self.declarations
    }

    /// The functions and classes of an interface.
    pub(super) fn interface(&mut self, interface: &Interface) -> String {
        let mut functions = String::new();
        let mut classes: Vec<(String, [String; 2], Option<String>)> = Vec::new();
        for function in interface.functions.values() {
            let code = self.function(function);
            let Some((resource, method)) = resource_and_method(&function.name) else {
                functions.push_str(&format!("{}: {code}, ", quoted(&function.name.to_lower_camel_case())));
                continue;
            };
            let class = resource.to_upper_camel_case();
            let at = classes.iter().position(|(name, ..)| *name == class).unwrap_or_else(|| {
                classes.push((class, Default::default(), None));
                classes.len() - 1
            });
            let (_, [methods, statics], constructor) = &mut classes[at];
            match method {
                None => *constructor = Some(code),
                Some(method) => {
                    let of = if function.name.contains("[static]") { statics } else { methods };
                    of.push_str(&format!("{}: {code}, ", quoted(&method.to_lower_camel_case())));
                }
            }
        }
        let classes: String = classes
            .into_iter()
            .map(|(name, [methods, statics], constructor)| {
                let constructor = constructor.as_deref().unwrap_or("null");
                let name = quoted(&name);
                format!("{name}: {{ constructor: {constructor}, methods: {{ {methods}}}, statics: {{ {statics}}} }}, ")
            })
            .collect();
        format!("{{ functions: {{ {functions}}}, classes: {{ {classes}}} }}")
    }

    /// A function's signature, without the `self` of a method.
    pub(super) fn function(&mut self, function: &Function) -> String {
        let is_method = function.name.contains("[method]");
        let params: String = function
            .params
            .iter()
            .skip(usize::from(is_method))
            .map(|param| format!("[{}, {}], ", quoted(&param.name), self.code(&param.ty)))
            .collect();
        let mut returns = String::new();
        match function.result.map(|result| self.unaliased(result)) {
            None => {}
            Some(Type::Id(id)) if let TypeDefKind::Result(result) = &self.resolve.types[id].kind => {
                let [ok, err] = [result.ok, result.err].map(|ty| self.optional(ty.as_ref()));
                returns.push_str(&format!("ok: {ok}, err: {err}, isResult: true, "));
            }
            Some(result) => returns.push_str(&format!("ok: {}, ", self.code(&result))),
        }
        if function.kind.is_async() {
            returns.push_str("isAsync: true, ");
        }
        let name = resource_and_method(&function.name)
            .map_or(function.name.as_str(), |(resource, method)| method.unwrap_or(resource));
        format!("t.fn({}, [{params}], {{ {returns}}})", quoted(name))
    }

    fn unaliased(&self, ty: Type) -> Type {
        match ty {
            Type::Id(id) if let TypeDefKind::Type(ty) = self.resolve.types[id].kind => self.unaliased(ty),
            ty => ty,
        }
    }

    fn optional(&mut self, ty: Option<&Type>) -> String {
        ty.map_or("null".to_owned(), |ty| self.code(ty))
    }

    fn code(&mut self, ty: &Type) -> String {
        let name = match self.unaliased(*ty) {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::S8 => "s8",
            Type::U16 => "u16",
            Type::S16 => "s16",
            Type::U32 => "u32",
            Type::S32 => "s32",
            Type::U64 => "u64",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "opaque",
            Type::Id(id) => return self.defined(id),
        };
        format!("t.{name}")
    }

    fn defined(&mut self, id: TypeId) -> String {
        if let Some(name) = self.declared.get(&id) {
            return name.clone();
        }
        let code = self.definition(id);
        let name = format!("t{}", self.declared.len());
        self.declarations.push_str(&format!("const {name} = {code};\n"));
        self.declared.insert(id, name.clone());
        name
    }

    fn definition(&mut self, id: TypeId) -> String {
        let resolve = self.resolve;
        let ty = &resolve.types[id];
        let name = quoted(ty.name.as_deref().unwrap_or_default());
        let camel = |name: &str| quoted(&name.to_lower_camel_case());
        match &ty.kind {
            TypeDefKind::Record(record) => {
                let fields =
                    record.fields.iter().map(|field| format!("{}: {}", camel(&field.name), self.code(&field.ty)));
                let fields = fields.collect::<Vec<_>>().join(", ");
                format!("t.record({name}, {{ {fields} }})")
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter().map(|flag| camel(&flag.name)).collect::<Vec<_>>().join(", ");
                format!("t.flags({name}, [{names}])")
            }
            TypeDefKind::Tuple(tuple) => {
                let items = tuple.types.iter().map(|ty| self.code(ty)).collect::<Vec<_>>().join(", ");
                format!("t.tuple({items})")
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant
                    .cases
                    .iter()
                    .map(|case| format!("{}: {}", quoted(&case.name), self.optional(case.ty.as_ref())));
                let cases = cases.collect::<Vec<_>>().join(", ");
                format!("t.variant({name}, {{ {cases} }})")
            }
            TypeDefKind::Enum(enumeration) => {
                let cases = enumeration.cases.iter().map(|case| quoted(&case.name)).collect::<Vec<_>>().join(", ");
                format!("t.enumeration({name}, [{cases}])")
            }
            TypeDefKind::Option(inner) => {
                let is_nested = matches!(self.unaliased(*inner), Type::Id(id)
                    if matches!(resolve.types[id].kind, TypeDefKind::Option(_)));
                format!("t.option({}, {is_nested})", self.code(inner))
            }
            TypeDefKind::Result(result) => {
                format!("t.result({}, {})", self.optional(result.ok.as_ref()), self.optional(result.err.as_ref()))
            }
            TypeDefKind::List(item) => format!("t.list({})", self.code(item)),
            TypeDefKind::Future(item) => format!("t.future({})", self.optional(item.as_ref())),
            _ => "t.opaque".to_owned(),
        }
    }
}

/// The resource of a function's name such as `[method]replica.call`, and its own name, which a constructor has none of.
pub(super) fn resource_and_method(name: &str) -> Option<(&str, Option<&str>)> {
    let (_, rest) = name.strip_prefix('[')?.split_once(']')?;
    Some(rest.split_once('.').map_or((rest, None), |(resource, method)| (resource, Some(method))))
}

/// A text as JavaScript writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
