//! Derives, from a courier interface, the interface of its handles. It reads no files: see `folder` for that.

mod types;

use wit_component::{OutputToString, WitPrinter};
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, InterfaceId, PackageId, Param, Resolve, Result_, Span, Stability,
    Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

use crate::packages;

/// What the name of a derived interface adds to the name of its base.
pub const HANDLES_SUFFIX: &str = "-handles";

/// How the methods of a derived interface are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Each method is an `async func`: the caller may have many calls in flight.
    #[default]
    Async,
    /// Each method is a `func` that returns a `future` of the result, for guests that can wait for one but can't import
    /// an `async func`.
    Future,
    /// Each method is a `func` that blocks the caller, for guests without `async`.
    Sync,
}

/// Why an interface has no handles.
#[derive(Debug, thiserror::Error)]
pub enum HandlesError {
    /// Only an interface of a package can be named by another one.
    #[error("derive handles of an interface that has no name")]
    Unnamed,
    /// The interface is derived itself.
    #[error("derive handles of `{interface}`, which are handles already")]
    AlreadyHandles {
        /// The interface's name.
        interface: String,
    },
    /// A type that can't leave the callee's memory.
    #[error("derive handles of `{interface}`: `{item}` has a {kind}, which no call can carry")]
    Refused {
        /// The interface's name.
        interface: String,
        /// The function or type that has it.
        item: String,
        /// What it is, such as `stream`.
        kind: &'static str,
    },
    /// A type has the name of something that the derived interface declares.
    #[error("derive handles of `{interface}`: its type `{name}` has a name that the handles need; rename the type")]
    NameTaken {
        /// The interface's name.
        interface: String,
        /// The type's name.
        name: String,
    },
    /// The folder has its own copy of `lp:courier`, without the type.
    #[error("derive handles of `{interface}`: the package `lp:courier` has no `types.call-error`")]
    NoCallError {
        /// The interface's name.
        interface: String,
    },
}

/// Writes the interface of the handles of `interface` as a WIT document of the same package.
///
/// For `interface producer` that is `interface producer-handles` with
/// * `resource producer`, whose methods have the names and parameters of the base's functions. Each returns
///   `result<T, call-error>`, T being the whole original return; a return that already is a `result<_, call-error>` stays
///   as it is, and a function that returns nothing becomes `result<_, call-error>`;
/// * `get: func(name: string) -> option<producer>`, one replica by its name, or the only target of a handle;
/// * `all: func(name: string) -> list<producer>`, the replicas of the handle of that name, or of every handle.
///
/// # Errors
/// If the interface can't be a courier interface, because it has resources, streams or futures, or if one of its types
/// has a name that the handles need.
pub fn handles_wit(resolve: &Resolve, interface: InterfaceId, style: Style) -> Result<String, HandlesError> {
    let mut derivation = Derivation::start(resolve.clone(), interface, style)?;
    for function in resolve.interfaces[interface].functions.values() {
        derivation.add_method(function)?;
    }
    derivation.add_lookups();
    Ok(derivation.print())
}

/// Derives the same, and writes it with the base interface and all that both need but `lp:courier`: for those who have a
/// component and no WIT.
///
/// # Errors
/// As [`handles_wit`].
pub fn handles_document(resolve: &Resolve, interface: InterfaceId, style: Style) -> Result<String, HandlesError> {
    let mut derivation = Derivation::start(resolve.clone(), interface, style)?;
    for function in resolve.interfaces[interface].functions.values() {
        derivation.add_method(function)?;
    }
    derivation.add_lookups();
    Ok(derivation.print_with(&used_by(resolve, interface)))
}

/// An interface and those whose types it uses, and so on, in the order in which they are to be read.
fn used_by(resolve: &Resolve, interface: InterfaceId) -> Vec<InterfaceId> {
    let mut found = vec![interface];
    let mut next = 0;
    while let Some(&interface) = found.get(next) {
        next += 1;
        for id in resolve.interfaces[interface].types.values() {
            let TypeDefKind::Type(Type::Id(used)) = resolve.types[*id].kind else { continue };
            match resolve.types[used].owner {
                TypeOwner::Interface(owner) if !found.contains(&owner) => found.push(owner),
                _ => {}
            }
        }
    }
    found
}

/// The base interface, and the derived one as it grows in a copy of the base's [`Resolve`].
struct Derivation {
    resolve: Resolve,
    style: Style,
    base_name: String,
    package: PackageId,
    handles: InterfaceId,
    resource: TypeId,
    call_error: TypeId,
}

impl Derivation {
    fn start(mut resolve: Resolve, base: InterfaceId, style: Style) -> Result<Self, HandlesError> {
        let interface = &resolve.interfaces[base];
        let (Some(base_name), Some(package)) = (interface.name.clone(), interface.package) else {
            return Err(HandlesError::Unnamed);
        };
        if base_name.ends_with(HANDLES_SUFFIX) {
            return Err(HandlesError::AlreadyHandles { interface: base_name });
        }
        let Some(lp_call_error) = lp_call_error(&mut resolve) else {
            return Err(HandlesError::NoCallError { interface: base_name });
        };
        let handles = resolve.interfaces.alloc(Interface {
            name: Some(format!("{base_name}{HANDLES_SUFFIX}")),
            types: Default::default(),
            functions: Default::default(),
            docs: docs(format!("Handles of the nodes that export `{base_name}`.")),
            stability: Stability::Unknown,
            package: Some(package),
            span: Span::default(),
            clone_of: None,
        });
        let owner = TypeOwner::Interface(handles);
        let call_error = TypeDefKind::Type(Type::Id(lp_call_error));
        let call_error = resolve.types.alloc(type_def(Some("call-error"), call_error, owner));
        let mut resource = type_def(Some(&base_name), TypeDefKind::Resource, owner);
        resource.docs = docs("One replica of a node, to call.".to_owned());
        let resource = resolve.types.alloc(resource);
        let types = &mut resolve.interfaces[handles].types;
        types.insert("call-error".to_owned(), call_error);
        types.insert(base_name.clone(), resource);
        Ok(Self { resolve, style, base_name, package, handles, resource, call_error })
    }

    fn add_method(&mut self, base: &Function) -> Result<(), HandlesError> {
        self.use_types(base)?;
        let this = self.anonymous(TypeDefKind::Handle(Handle::Borrow(self.resource)));
        let mut params = vec![param("self", this)];
        params.extend(base.params.iter().cloned());
        let kind = match self.style {
            Style::Async => FunctionKind::AsyncMethod(self.resource),
            Style::Future | Style::Sync => FunctionKind::Method(self.resource),
        };
        let result = match base.result {
            Some(ty) if types::returns_call_error(&self.resolve, ty) => ty,
            ok => self.anonymous(TypeDefKind::Result(Result_ { ok, err: Some(Type::Id(self.call_error)) })),
        };
        let result = match self.style {
            Style::Future => self.anonymous(TypeDefKind::Future(Some(result))),
            Style::Async | Style::Sync => result,
        };
        self.add_function(Function {
            name: format!("[method]{}.{}", self.base_name, base.name),
            kind,
            params,
            result: Some(result),
            docs: base.docs.clone(),
            stability: base.stability.clone(),
            span: Span::default(),
            external_id: None,
        });
        Ok(())
    }

    fn add_lookups(&mut self) {
        let one = self.anonymous(TypeDefKind::Handle(Handle::Own(self.resource)));
        let option = self.anonymous(TypeDefKind::Option(one));
        let list = self.anonymous(TypeDefKind::List(one));
        let get =
            "One replica: by its own name, such as `producer/1`, or by the name of a handle with a single target.";
        let all = "The replicas of the handle that program.toml gives this name; of every handle if the name is empty.";
        for (name, result, text) in [("get", option, get), ("all", list, all)] {
            self.add_function(Function {
                name: name.to_owned(),
                kind: FunctionKind::Freestanding,
                params: vec![param("name", Type::String)],
                result: Some(result),
                docs: docs(text.to_owned()),
                stability: Stability::Unknown,
                span: Span::default(),
                external_id: None,
            });
        }
    }

    /// Prints the package with the derived interface alone, since the other documents of the package hold the rest.
    fn print(mut self) -> String {
        let package = &mut self.resolve.packages[self.package];
        package.docs = Docs::default();
        package.interfaces = [(format!("{}{HANDLES_SUFFIX}", self.base_name), self.handles)].into_iter().collect();
        package.worlds.clear();
        let mut printer = WitPrinter::<OutputToString>::default();
        printer
            .print(&self.resolve, self.package, &[])
            .expect("every type of the derived interface is anonymous or has a name");
        printer.output.to_string()
    }

    /// Prints these interfaces and the derived one, those of other packages after those of its own.
    fn print_with(mut self, interfaces: &[InterfaceId]) -> String {
        let name = format!("{}{HANDLES_SUFFIX}", self.base_name);
        let mut others = Vec::new();
        for (id, package) in self.resolve.packages.iter_mut() {
            package.worlds.clear();
            package.interfaces.retain(|_, interface| interfaces.contains(interface));
            if id == self.package {
                package.interfaces.insert(name.clone(), self.handles);
            } else if !package.interfaces.is_empty() && !types::is_courier(&package.name) {
                others.push(id);
            }
        }
        let mut printer = WitPrinter::<OutputToString>::default();
        printer.print(&self.resolve, self.package, &others).expect("every type is anonymous or has a name");
        printer.output.to_string()
    }

    /// Adds a `use` for every named type in a function's signature, and refuses what no call can carry.
    fn use_types(&mut self, function: &Function) -> Result<(), HandlesError> {
        for ty in function.params.iter().map(|param| param.ty).chain(function.result) {
            if let Some(kind) = types::refused(&self.resolve, ty) {
                let (interface, item) = (self.base_name.clone(), function.name.clone());
                return Err(HandlesError::Refused { interface, item, kind });
            }
            for id in types::named(&self.resolve, ty) {
                self.use_type(id)?;
            }
        }
        Ok(())
    }

    fn use_type(&mut self, id: TypeId) -> Result<(), HandlesError> {
        let name = self.resolve.types[id].name.clone().expect("only named types are used");
        if name == "call-error" && types::is_call_error(&self.resolve, id) {
            return Ok(());
        }
        if [self.base_name.as_str(), "call-error", "get", "all"].contains(&name.as_str()) {
            return Err(HandlesError::NameTaken { interface: self.base_name.clone(), name });
        }
        // From where it is defined and not from the base, which uses it itself: a guest that has the handles alone would import
        // the base by that, of which a node of several replicas has no plain one.
        let mut defined = id;
        while let TypeDefKind::Type(Type::Id(next)) = self.resolve.types[defined].kind
            && matches!(self.resolve.types[defined].owner, TypeOwner::Interface(_))
            && self.resolve.types[next].owner != self.resolve.types[defined].owner
        {
            defined = next;
        }
        let owner = TypeOwner::Interface(self.handles);
        let alias = type_def(Some(&name), TypeDefKind::Type(Type::Id(defined)), owner);
        let alias = self.resolve.types.alloc(alias);
        self.resolve.interfaces[self.handles].types.insert(name, alias);
        Ok(())
    }

    fn add_function(&mut self, function: Function) {
        self.resolve.interfaces[self.handles].functions.insert(function.name.clone(), function);
    }

    fn anonymous(&mut self, kind: TypeDefKind) -> Type {
        Type::Id(self.resolve.types.alloc(type_def(None, kind, TypeOwner::None)))
    }
}

/// Finds `call-error`, after supplying its package if the resolve has none.
fn lp_call_error(resolve: &mut Resolve) -> Option<TypeId> {
    let known = resolve.packages.iter().find(|(_, package)| types::is_courier(&package.name)).map(|(id, _)| id);
    let package = known.unwrap_or_else(|| {
        let text = packages::find(packages::COURIER).expect("the package is in the table").text;
        resolve.push_source(packages::COURIER, text).expect("the supplied text is valid")
    });
    let interface = *resolve.packages[package].interfaces.get("types")?;
    resolve.interfaces[interface].types.get("call-error").copied()
}

fn type_def(name: Option<&str>, kind: TypeDefKind, owner: TypeOwner) -> TypeDef {
    TypeDef {
        name: name.map(str::to_owned),
        kind,
        owner,
        docs: Docs::default(),
        stability: Stability::Unknown,
        span: Span::default(),
        external_id: None,
    }
}

fn param(name: &str, ty: Type) -> Param {
    Param { name: name.to_owned(), ty, span: Span::default() }
}

fn docs(text: String) -> Docs {
    Docs { contents: Some(text) }
}
