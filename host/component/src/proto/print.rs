//! Prints a file of a schema as .proto text, with the comments of its source information.
//!
//! It knows the part of the language that schemas of interfaces use: no options, extensions, maps, groups or ranges.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use prost_types::field_descriptor_proto::{Label, Type as FieldType};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
};

use super::messages::tag;

/// A file of a schema as .proto text, which `protoc` compiles to the same descriptor.
pub fn print(file: &FileDescriptorProto) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let comments = locations.map(|location| (location.path.clone(), location)).collect();
    let mut printer = Printer { file, comments, path: Vec::new(), scopes: Vec::new(), indent: 0, out: String::new() };
    printer.file();
    printer.out
}

struct Printer<'a> {
    file: &'a FileDescriptorProto,
    comments: HashMap<Vec<i32>, &'a Location>,
    /// The path of what is being printed.
    path: Vec<i32>,
    /// The messages around what is being printed, from the outermost to the innermost.
    scopes: Vec<Scope<'a>>,
    indent: usize,
    out: String,
}

/// A message that is being printed, and the names that it declares.
struct Scope<'a> {
    name: &'a str,
    declared: HashSet<&'a str>,
}

impl<'a> Scope<'a> {
    fn of(message: &'a DescriptorProto) -> Scope<'a> {
        let nested = message.nested_type.iter().map(DescriptorProto::name);
        let declared = nested.chain(message.enum_type.iter().map(EnumDescriptorProto::name)).collect();
        Scope { name: message.name(), declared }
    }
}

impl<'a> Printer<'a> {
    fn file(&mut self) {
        let file = self.file;
        self.path.push(tag::FILE_SYNTAX);
        self.commented_line(&format!("syntax = \"{}\";", file.syntax()));
        self.path.clear();
        if let Some(package) = &file.package {
            self.gap();
            self.line(&format!("package {package};"));
        }
        if !file.dependency.is_empty() {
            self.gap();
        }
        for path in &file.dependency {
            self.line(&format!("import \"{path}\";"));
        }
        self.each(tag::FILE_SERVICE, &file.service, |printer, service| {
            printer.gap();
            printer.block(&format!("service {}", service.name()), |printer| {
                printer.each(tag::SERVICE_METHOD, &service.method, Printer::method);
            });
        });
        self.each(tag::FILE_MESSAGE, &file.message_type, |printer, message| {
            printer.gap();
            printer.message(message);
        });
        self.each(tag::FILE_ENUM, &file.enum_type, |printer, enumeration| {
            printer.gap();
            printer.enumeration(enumeration);
        });
    }

    fn method(&mut self, method: &'a MethodDescriptorProto) {
        let (input, output) = (self.reference(method.input_type()), self.reference(method.output_type()));
        self.commented_line(&format!("rpc {}({input}) returns ({output});", method.name()));
    }

    fn message(&mut self, message: &'a DescriptorProto) {
        let head = format!("message {}", message.name());
        if message.field.is_empty() {
            return self.commented_line(&format!("{head} {{}}"));
        }
        self.block(&head, |printer| {
            printer.scopes.push(Scope::of(message));
            printer.each(tag::MESSAGE_NESTED, &message.nested_type, |printer, nested| {
                printer.message(nested);
                printer.gap();
            });
            printer.each(tag::MESSAGE_ENUM, &message.enum_type, |printer, nested| {
                printer.enumeration(nested);
                printer.gap();
            });
            let fields = |printer: &mut Self| printer.each(tag::MESSAGE_FIELD, &message.field, Printer::field);
            // A `oneof` of a schema is all that its message has. The others are the synthetic ones of `optional`.
            match message.oneof_decl.first().filter(|oneof| !oneof.name().starts_with('_')) {
                Some(oneof) => printer.block(&format!("oneof {}", oneof.name()), fields),
                None => fields(printer),
            }
            printer.scopes.pop();
        });
    }

    fn field(&mut self, field: &'a FieldDescriptorProto) {
        let label = match field.label() {
            Label::Repeated => "repeated ",
            _ if field.proto3_optional() => "optional ",
            _ => "",
        };
        let ty = match field.r#type() {
            FieldType::Message | FieldType::Enum => self.reference(field.type_name()),
            scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_ascii_lowercase(),
        };
        self.commented_line(&format!("{label}{ty} {} = {};", field.name(), field.number()));
    }

    fn enumeration(&mut self, enumeration: &'a EnumDescriptorProto) {
        self.block(&format!("enum {}", enumeration.name()), |printer| {
            for value in &enumeration.value {
                printer.line(&format!("{} = {};", value.name(), value.number()));
            }
        });
    }

    /// The shortest text that names `full_name` here. `protoc` looks for the first part of a name in the innermost
    /// message first, then outwards. A name of another package is written in full with a dot in front, because a
    /// package such as `my.google.v1` would hide `google`.
    fn reference(&self, full_name: &str) -> String {
        let prefix = self.file.package.iter().fold(".".to_owned(), |_, package| format!(".{package}."));
        let Some(local) = full_name.strip_prefix(&prefix).filter(|local| is_below(local)) else {
            return full_name.to_owned();
        };
        let parts: Vec<_> = local.split('.').collect();
        for depth in (0..=self.scopes.len()).rev() {
            let scope: Vec<_> = self.scopes[..depth].iter().map(|scope| scope.name).collect();
            let Some(rest) = parts.strip_prefix(&scope[..]).filter(|rest| !rest.is_empty()) else { continue };
            if !self.scopes[depth..].iter().any(|scope| scope.declared.contains(rest[0])) {
                return rest.join(".");
            }
        }
        full_name.to_owned()
    }

    /// Prints each of the parts of a descriptor with what is said about it before.
    fn each<T>(&mut self, tag: i32, parts: &'a [T], mut print: impl FnMut(&mut Self, &'a T)) {
        for (index, part) in (0..).zip(parts) {
            self.path.extend([tag, index]);
            print(self, part);
            self.path.truncate(self.path.len() - 2);
        }
    }

    /// What is at the current path, from brace to brace.
    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.commented_line(&format!("{head} {{"));
        self.indent += 1;
        body(self);
        self.indent -= 1;
        self.line("}");
    }

    /// A line with the comments on the current path, of which the lines within it get no more.
    fn commented_line(&mut self, text: &str) {
        let Some(location) = self.comments.remove(&self.path) else { return self.line(text) };
        if let Some(comment) = &location.leading_comments {
            self.line(&format!("// {comment}"));
        }
        match &location.trailing_comments {
            Some(comment) => self.line(&format!("{text}  // {comment}")),
            None => self.line(text),
        }
    }

    fn line(&mut self, text: &str) {
        writeln!(self.out, "{:width$}{text}", "", width = 2 * self.indent).expect("writing to a string can't fail");
    }

    fn gap(&mut self) {
        self.out.push('\n');
    }
}

/// Whether a name that starts with the name of a package is in that package, and not in one below it: definitions are
/// in capitals, packages are not.
fn is_below(local: &str) -> bool {
    local.starts_with(|first: char| first.is_ascii_uppercase())
}
