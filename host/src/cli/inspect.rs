//! `lp-host inspect`: what one component file offers and needs.

use std::path::PathBuf;

use clap::ValueEnum;
use lp_base::shown;
use lp_component::component::{Component, HostInterface, Import, ImportKind, Interface};
use serde_json::{Value, json};

use super::screen::{CliError, Screen, exit_code, size};

/// Shows what a component exports and imports
///
/// Lists the entry point, the interfaces that other nodes can call, as WIT, and every import with who serves it: the host,
/// or a node that program.toml gives a handle of. Exits with 3 if the file is no component.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component, such as `target/wasm32-wasip2/release/producer.wasm`
    file: PathBuf,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let component = Component::read(&args.file)
        .map_err(|error| CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` {error}", args.file.display())))?;
    match args.format {
        Format::Text => screen.shown_data(&text(&component)),
        Format::Json => screen.data(&format!("{:#}\n", to_json(&component))),
    }
    Ok(0)
}

/// Who serves an import.
enum Server {
    Host(&'static HostInterface),
    /// It only names types.
    Nobody,
    /// A node that exports this interface; `None` for a plain name, which any interface with the functions serves.
    Node {
        interface: Option<String>,
        style: &'static str,
    },
    /// Nothing can, for this reason; then what to do instead, if there is more to say.
    Nothing(String, Option<String>),
}

fn server(import: &Import) -> Server {
    if let ImportKind::Courier(interface) | ImportKind::Handles { interface, .. } = &import.kind
        && let Some((method, reason)) = refused(interface)
    {
        return Server::Nothing(format!("calls can't carry its `{method}`: {reason}"), None);
    }
    match &import.kind {
        ImportKind::Types => Server::Nobody,
        ImportKind::Host(interface) => Server::Host(interface),
        ImportKind::Unserved(unserved) => Server::Nothing(unserved.reason.to_owned(), Some(unserved.help.clone())),
        ImportKind::Courier(_) => {
            Server::Node { interface: import.name.contains(':').then(|| import.name.clone()), style: "plain" }
        }
        ImportKind::Handles { base, .. } => Server::Node { interface: Some(base.clone()), style: "handles" },
        ImportKind::Unsupported(reason) => Server::Nothing(reason.clone(), None),
    }
}

/// The first method that calls can't carry, and why.
fn refused(interface: &Interface) -> Option<(&str, &str)> {
    let mut methods = interface.methods.iter();
    methods.find_map(|method| Some((method.name.as_str(), method.refused.as_deref()?)))
}

/// Each name is shown in one line: a component may have any in it, but begins no line of this text.
fn text(component: &Component) -> String {
    let language = shown::line(component.language.as_deref().unwrap_or("language not recorded"));
    let kind = if component.uses_async { "async" } else { "not async" };
    let path = component.path.display().to_string();
    let mut out = format!("{}: {}, {language}, {kind}\n", shown::line(&path), size(component.bytes_len));
    out.push_str(&format!("sha256: {}\n", component.sha256));
    out.push_str("\nruns: ");
    match component.run {
        Some(run) => out.push_str(&run.to_string()),
        None if component.couriers.is_empty() => out.push_str("nothing, and serves no calls: it can't be a node"),
        None => out.push_str("nothing; it only serves calls"),
    }
    out.push('\n');
    for courier in &component.couriers {
        out.push_str(&format!("\nserves: {}\n{}\n", shown::line(&courier.name), indented(&courier.wit)));
        for method in &courier.methods {
            if let Some(reason) = &method.refused {
                let line = format!("calls can't carry `{}`: {reason}", method.name);
                out.push_str(&format!("  {}\n", shown::line(&line)));
            }
        }
    }
    for (title, lines) in imports(component) {
        if !lines.is_empty() {
            out.push_str(&format!("\n{title}\n"));
        }
        for line in lines {
            out.push_str(&format!("  {}\n", shown::line(&line)));
        }
    }
    out
}

/// The imports, by who serves them.
fn imports(component: &Component) -> [(&'static str, Vec<String>); 3] {
    let (mut nodes, mut host, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    for import in &component.imports {
        let name = &import.name;
        match server(import) {
            Server::Host(interface) => host.push(format!("{name}: {}", purpose(interface))),
            Server::Nobody => {}
            Server::Node { interface: Some(interface), style: "plain" } => {
                nodes.push(format!("{name}: a handle of a node that serves {interface}"));
            }
            Server::Node { interface: Some(interface), .. } => {
                nodes.push(format!("{name}: handles of nodes that serve {interface}"));
            }
            Server::Node { interface: None, .. } => {
                nodes.push(format!("{name}: a handle named `{name}` of a node that serves these functions"));
            }
            Server::Nothing(reason, None) => nothing.push(format!("{name}: {reason}")),
            Server::Nothing(reason, Some(help)) => nothing.push(format!("{name}: {reason}; {help}")),
        }
    }
    [("needs of other nodes:", nodes), ("needs of the host:", host), ("can't be served:", nothing)]
}

/// What a component does with an interface of the host, and the keys of program.toml that govern it.
fn purpose(interface: &HostInterface) -> String {
    match interface.keys {
        [] => interface.purpose.to_owned(),
        keys => format!("{} (see `{}`)", interface.purpose, keys.join("`, `")),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn to_json(component: &Component) -> Value {
    json!({
        "path": component.path.display().to_string(),
        "bytes": component.bytes_len,
        "sha256": component.sha256,
        "language": component.language,
        "async": component.uses_async,
        "run": component.run.map(|run| run.to_string()),
        "exports": component.exports,
        "couriers": component.couriers.iter().map(courier_to_json).collect::<Vec<_>>(),
        "imports": component.imports.iter().map(import_to_json).collect::<Vec<_>>(),
    })
}

fn courier_to_json(courier: &Interface) -> Value {
    let methods = courier.methods.iter().map(|method| {
        json!({
            "name": method.name,
            "async": method.is_async,
            "type": method.signature,
            "refused": method.refused,
        })
    });
    json!({ "interface": courier.name, "wit": courier.wit, "methods": methods.collect::<Vec<_>>() })
}

fn import_to_json(import: &Import) -> Value {
    let name = &import.name;
    match server(import) {
        Server::Host(interface) => {
            json!({ "name": name, "served-by": "host", "purpose": interface.purpose, "keys": interface.keys })
        }
        Server::Nobody => json!({ "name": name, "served-by": "types" }),
        Server::Node { interface, style } => {
            json!({ "name": name, "served-by": "node", "interface": interface, "style": style })
        }
        Server::Nothing(reason, help) => json!({ "name": name, "served-by": null, "reason": reason, "help": help }),
    }
}
