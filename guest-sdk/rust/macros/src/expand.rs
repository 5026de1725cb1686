//! From the options of `node!` and the user's WIT to `wit_bindgen::generate!` and `export!`.

use std::path::Path;

use heck::ToUpperCamelCase;
use lp_wit::Folder;
use lp_wit::wit_parser::{WorldId, WorldItem, WorldKey};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Ident, LitStr, Result};
use wit_bindgen_core::name_package_module;
use wit_bindgen_rust::to_rust_ident;

use crate::options::Options;

/// The interface whose Rust types `lp_guest` has, so that they are the same in every node.
const SHARED_TYPES: &str = "lp:courier/types@0.1.0";

/// Writes the code of a node.
pub fn expand(options: &Options) -> Result<TokenStream> {
    let folder = read_folder(options)?;
    let world = select_world(options, &folder)?;
    let text = folder.text();
    let name = &folder.resolve.worlds[world].name;
    let with = shared_types(&folder, world);
    let (user_with, passed_on) = (&options.with, &options.passed_on);
    // The empty `path` keeps the folder `wit`, which lacks what was supplied here, from being read again.
    let bindings = quote! {
        ::lp_guest::wit_bindgen::generate!({
            inline: #text,
            path: [],
            world: #name,
            generate_all,
            runtime_path: "::lp_guest::wit_bindgen::rt",
            with: { #with #user_with },
            #passed_on
        });
    };
    let rebuild = rebuild_triggers(&folder)?;
    let export = export(options, &folder, world)?;
    // The linker takes only those objects of `lp_guest` that something refers to, and without this one the component
    // would not say where its imports come from.
    let link = quote! {
        #[used]
        static LINK_LP_GUEST: fn() = ::lp_guest::__link_custom_section_describing_imports;
    };
    Ok(quote!(#bindings #rebuild #export #link))
}

fn read_folder(options: &Options) -> Result<Folder> {
    let crate_dir = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells every crate its folder");
    let path = options.path.as_ref().map_or_else(|| "wit".to_owned(), LitStr::value);
    let path = Path::new(&crate_dir).join(path);
    // A shorter path makes shorter messages; one that does not exist is reported by the reader.
    let path = path.canonicalize().unwrap_or(path);
    Folder::read(&path, options.handles).map_err(|error| Error::new(span_of(options.path.as_ref()), error))
}

fn select_world(options: &Options, folder: &Folder) -> Result<WorldId> {
    let name = options.world.as_ref().map(LitStr::value);
    let selected = folder.resolve.select_world(&[folder.package], name.as_deref());
    selected.map_err(|error| Error::new(span_of(options.world.as_ref()), format!("{error:#}")))
}

fn span_of(option: Option<&LitStr>) -> Span {
    option.map_or_else(Span::call_site, LitStr::span)
}

/// The `with` entries of the interfaces that `lp_guest` has types for. One that the world lacks would be an error.
fn shared_types(folder: &Folder, world: WorldId) -> TokenStream {
    let world = &folder.resolve.worlds[world];
    let mut keys = world.imports.keys().map(|key| folder.resolve.name_world_key(key));
    if keys.any(|key| key == SHARED_TYPES) { quote!(#SHARED_TYPES: ::lp_guest::courier,) } else { TokenStream::new() }
}

/// Makes the crate stale when a file of the folder changes.
fn rebuild_triggers(folder: &Folder) -> Result<TokenStream> {
    let mut triggers = TokenStream::new();
    for file in &folder.files {
        let Some(file) = file.to_str() else {
            let message = format!("the path `{}` is not UTF-8", file.display());
            return Err(Error::new(Span::call_site(), message));
        };
        triggers.extend(quote!(
            const _: &[u8] = include_bytes!(#file);
        ));
    }
    Ok(triggers)
}

/// Exports the node's type, and brings the traits that it implements into scope.
fn export(options: &Options, folder: &Folder, world: WorldId) -> Result<TokenStream> {
    let exports = &folder.resolve.worlds[world].exports;
    let name = &folder.resolve.worlds[world].name;
    match &options.node {
        None if exports.is_empty() => Ok(TokenStream::new()),
        None => {
            let message = format!("the world `{name}` has exports: name the type that implements them, `node: Type`");
            Err(Error::new(Span::call_site(), message))
        }
        Some(node) if exports.is_empty() => {
            Err(Error::new(node.span(), format!("the world `{name}` exports nothing that a node could implement")))
        }
        Some(node) => {
            let traits = traits(folder, world);
            Ok(quote!(#traits export!(#node);))
        }
    }
}

fn traits(folder: &Folder, world: WorldId) -> TokenStream {
    let exports = &folder.resolve.worlds[world].exports;
    let interfaces: Vec<_> = exports
        .iter()
        .filter_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } if !folder.resolve.interfaces[*id].functions.is_empty() => Some(key),
            _ => None,
        })
        .collect();
    // Functions that a world exports itself make a `Guest` of their own.
    let only = interfaces.len() == 1 && !exports.values().any(|item| matches!(item, WorldItem::Function(_)));
    let uses = interfaces.into_iter().map(|key| {
        let (module, name) = module_of(folder, key);
        let alias = if only { format_ident!("Guest") } else { format_ident!("{}Guest", name.to_upper_camel_case()) };
        quote! {
            #[allow(unused_imports, reason = "the trait may be named by its path instead")]
            use exports::#(#module)::*::Guest as #alias;
        }
    });
    uses.collect()
}

/// The path of an exported interface's module below `exports`, and the interface's name.
fn module_of(folder: &Folder, key: &WorldKey) -> (Vec<Ident>, String) {
    match key {
        WorldKey::Name(name) => (vec![ident(name)], name.clone()),
        WorldKey::Interface(id) => {
            let interface = &folder.resolve.interfaces[*id];
            let name = interface.name.clone().expect("an interface exported by its id has a name");
            let package = interface.package.expect("an interface with a name is in a package");
            let namespace = ident(&folder.resolve.packages[package].name.namespace);
            let package = format_ident!("{}", name_package_module(&folder.resolve, package));
            (vec![namespace, package, ident(&name)], name)
        }
    }
}

fn ident(name: &str) -> Ident {
    format_ident!("{}", to_rust_ident(name))
}
