//! Puts the services and messages of interfaces into files, and the files into a set.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto, SourceCodeInfo,
};

use super::SchemaError;
use super::messages::{Commented, Definition, Member, Messages, leading, put, tag};
use super::names::{EMPTY_PATH, Item, Place, TopNames, method_name};
use crate::component::{Interface, Method, MethodTypes, Type, TypeName};

/// The schema of courier interfaces: one file for each, and for each interface whose types they use, every file after
/// those that it imports.
///
/// Interfaces that several components export may be given several times.
pub fn schema<'i>(interfaces: impl IntoIterator<Item = &'i Interface>) -> Result<FileDescriptorSet, SchemaError> {
    let mut found = Found::default();
    let interfaces: Vec<_> = interfaces.into_iter().collect();
    for interface in &interfaces {
        found.interface(interface)?;
    }
    let mut files = Files { top: TopNames::assign(&found.items), files: BTreeMap::new() };
    for interface in &interfaces {
        files.interface(interface)?;
    }
    for (name, ty) in &found.types {
        files.named_type(name, ty)?;
    }
    Ok(FileDescriptorSet { file: files.finish() })
}

/// Everything that has a name at the top of a file.
#[derive(Default)]
struct Found<'i> {
    items: BTreeSet<(Place, Item)>,
    types: Vec<(&'i TypeName, &'i Type)>,
    /// Types are shared, and walked once.
    walked: HashSet<*const Type>,
}

impl<'i> Found<'i> {
    fn interface(&mut self, interface: &'i Interface) -> Result<(), SchemaError> {
        let place = Place::of(&interface.name);
        self.items.insert((place.clone(), Item::Service));
        for method in &interface.methods {
            let types = carried(interface, method)?;
            self.items.insert((place.clone(), Item::Request(method.name.clone())));
            self.items.insert((place.clone(), Item::Response(method.name.clone())));
            self.members(Member::of_params(&types.params));
            let result = Member::of_result(&method.name, types.result.as_deref());
            let lifted = result.iter().filter_map(|member| member.top_item());
            self.items.extend(lifted.map(|item| (place.clone(), item.clone())));
            self.members(result);
        }
        Ok(())
    }

    fn members(&mut self, members: Vec<Member<'i>>) {
        for ty in members.iter().filter_map(Member::refers_to) {
            if !self.walked.insert(ty) {
                continue;
            }
            if let Some(name) = &ty.name {
                self.items.insert((Place::of(&name.interface), Item::Type(name.name.clone())));
                self.types.push((name, ty));
            }
            self.members(Member::of_type(ty));
        }
    }
}

fn carried<'i>(interface: &Interface, method: &'i Method) -> Result<&'i MethodTypes, SchemaError> {
    let refused = |reason: &str| SchemaError::Refused {
        interface: interface.name.clone(),
        method: method.name.clone(),
        reason: reason.to_owned(),
    };
    match (&method.refused, &method.types) {
        (None, Some(types)) => Ok(types),
        (reason, _) => Err(refused(reason.as_deref().unwrap_or("it passes something that is no value"))),
    }
}

/// The files so far, by their paths.
struct Files {
    top: TopNames,
    files: BTreeMap<String, File>,
}

/// A file that is being filled.
struct File {
    place: Place,
    interface: String,
    imports: BTreeSet<String>,
    service: Option<Commented<ServiceDescriptorProto>>,
    definitions: Vec<Definition>,
    /// The index of each definition, by its name.
    index: BTreeMap<String, usize>,
}

impl File {
    fn new(place: Place, interface: &str) -> File {
        let interface = interface.to_owned();
        File {
            place,
            interface,
            imports: BTreeSet::new(),
            service: None,
            definitions: Vec::new(),
            index: BTreeMap::new(),
        }
    }

    /// Adds a definition, unless it is there already.
    fn define(&mut self, interface: &str, definition: Definition) -> Result<(), SchemaError> {
        let name = definition.name().to_owned();
        match self.index.get(&name) {
            None => {
                self.index.insert(name, self.definitions.len());
                self.definitions.push(definition);
                Ok(())
            }
            Some(&index) if self.definitions[index] == definition => Ok(()),
            Some(_) => Err(self.differs(interface, &name)),
        }
    }

    fn differs(&self, interface: &str, name: &str) -> SchemaError {
        SchemaError::Differs { interface: interface.to_owned(), name: self.place.full_name(name) }
    }
}

impl Definition {
    fn name(&self) -> &str {
        match self {
            Definition::Message(made) => made.descriptor.name(),
            Definition::Enum(made) => made.descriptor.name(),
        }
    }
}

impl Files {
    fn interface(&mut self, interface: &Interface) -> Result<(), SchemaError> {
        let place = Place::of(&interface.name);
        let file = self.files.entry(place.path.clone()).or_insert_with(|| File::new(place.clone(), &interface.name));
        let mut messages =
            Messages { place: &place, top: &mut self.top, imports: &mut file.imports, lifted: Vec::new() };
        let mut service = Commented {
            descriptor: ServiceDescriptorProto { name: Some(place.service.clone()), ..Default::default() },
            comments: Vec::new(),
        };
        let mut definitions = Vec::new();
        let mut names = HashSet::new();
        for method in &interface.methods {
            let types = carried(interface, method)?;
            let mut message = |item: Item, members| {
                let name = messages.top.name(&place, item).to_owned();
                let full_name = place.full_name(&name);
                let made = messages.message(&name, &full_name, members, None);
                definitions.push(Definition::Message(made));
                definitions.append(&mut messages.lifted);
                Some(format!(".{full_name}"))
            };
            let made = MethodDescriptorProto {
                name: Some(method_name(&method.name)),
                input_type: message(Item::Request(method.name.clone()), Member::of_params(&types.params)),
                output_type: message(
                    Item::Response(method.name.clone()),
                    Member::of_result(&method.name, types.result.as_deref()),
                ),
                ..MethodDescriptorProto::default()
            };
            if !names.insert(made.name().to_owned()) {
                let (interface, method) = (interface.name.clone(), made.name().to_owned());
                return Err(SchemaError::SameMethod { interface, method });
            }
            let word = if method.is_async { "async func" } else { "func" };
            let comment = leading(Vec::new(), format!("{}: {word}{types}", method.name));
            let made = Commented { descriptor: made, comments: vec![comment] };
            put(made, tag::SERVICE_METHOD, &mut service.descriptor.method, &mut service.comments);
        }
        if file.service.as_ref().is_some_and(|other| other.descriptor != service.descriptor) {
            return Err(file.differs(&interface.name, &place.service));
        }
        file.service.get_or_insert(service);
        definitions.into_iter().try_for_each(|definition| file.define(&interface.name, definition))
    }

    fn named_type(&mut self, name: &TypeName, ty: &Type) -> Result<(), SchemaError> {
        let place = Place::of(&name.interface);
        let file = self.files.entry(place.path.clone()).or_insert_with(|| File::new(place.clone(), &name.interface));
        let own_name = self.top.name(&place, Item::Type(name.name.clone())).to_owned();
        let mut messages =
            Messages { place: &place, top: &mut self.top, imports: &mut file.imports, lifted: Vec::new() };
        let definition = messages.definition(&own_name, ty);
        file.define(&name.interface, definition)
    }

    /// The descriptors of the files, each after those that it imports. Interfaces can't use each other's types in a
    /// circle.
    fn finish(self) -> Vec<FileDescriptorProto> {
        let files: Vec<_> = self.files.into_values().map(File::finish).collect();
        let uses_empty = files.iter().any(|file| file.dependency.iter().any(|path| path == EMPTY_PATH));
        let mut done: Vec<_> = uses_empty.then(empty_file).into_iter().collect();
        let order = importers_last(&files);
        let mut files: Vec<_> = files.into_iter().map(Some).collect();
        done.extend(order.into_iter().filter_map(|index| files[index].take()));
        done
    }
}

impl File {
    fn finish(mut self) -> FileDescriptorProto {
        self.imports.remove(&self.place.path);
        let head = format!("The interface {} as a typed gRPC service.", self.interface);
        let head = if self.service.is_some() { head } else { format!("Types of the interface {}.", self.interface) };
        let mut comments: Vec<Location> = vec![leading(vec![tag::FILE_SYNTAX], head)];
        let (mut services, mut messages, mut enums) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(service) = self.service {
            put(service, tag::FILE_SERVICE, &mut services, &mut comments);
        }
        for definition in self.definitions {
            match definition {
                Definition::Message(made) => put(made, tag::FILE_MESSAGE, &mut messages, &mut comments),
                Definition::Enum(made) => put(made, tag::FILE_ENUM, &mut enums, &mut comments),
            }
        }
        FileDescriptorProto {
            name: Some(self.place.path),
            package: Some(self.place.package).filter(|package| !package.is_empty()),
            dependency: self.imports.into_iter().collect(),
            message_type: messages,
            enum_type: enums,
            service: services,
            source_code_info: Some(SourceCodeInfo { location: comments }),
            syntax: Some("proto3".to_owned()),
            ..FileDescriptorProto::default()
        }
    }
}

/// The indices of the files, each after those that it imports, and otherwise in their order.
fn importers_last(files: &[FileDescriptorProto]) -> Vec<usize> {
    let indices: HashMap<&str, usize> = files.iter().map(FileDescriptorProto::name).zip(0..).collect();
    // How many imports each file still waits for, and who waits for each.
    let mut waits = vec![0_usize; files.len()];
    let mut importers: Vec<Vec<usize>> = vec![Vec::new(); files.len()];
    for (importer, file) in files.iter().enumerate() {
        for imported in file.dependency.iter().filter_map(|path| indices.get(path.as_str())) {
            waits[importer] += 1;
            importers[*imported].push(importer);
        }
    }
    let mut ready: BTreeSet<usize> = (0..files.len()).filter(|index| waits[*index] == 0).collect();
    let mut order = Vec::with_capacity(files.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for &importer in &importers[next] {
            waits[importer] -= 1;
            if waits[importer] == 0 {
                ready.insert(importer);
            }
        }
    }
    order
}

fn empty_file() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(EMPTY_PATH.to_owned()),
        package: Some("google.protobuf".to_owned()),
        message_type: vec![DescriptorProto { name: Some("Empty".to_owned()), ..DescriptorProto::default() }],
        enum_type: Vec::<EnumDescriptorProto>::new(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}
