//! `lp-host wit`: WIT that is derived from a user's own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use lp_component::component::Component;
use lp_program::program::Program;
use lp_wit::wit_parser::{InterfaceId, Resolve, WorldId, WorldItem};
use lp_wit::{Folder, HANDLES_SUFFIX, KeptHandles, Style, handles_document, handles_wit};
use wit_component::DecodedWasm;

use super::screen::{CliError, Screen, exit_code};

/// Writes WIT that is derived from yours
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Handles(HandlesArgs),
}

/// Prints the interface through which a node calls many nodes: `producer-handles` for `interface producer`
///
/// `lp-host build` and the Rust SDK derive it by themselves. Other toolchains need it as a file beside the WIT that it is
/// derived from, such as `lp-host wit handles wit --interface producer > wit/producer-handles.wit`. Who has no WIT takes it
/// from a component: `lp-host wit handles program.toml --node producer > wit/producer.wit`.
#[derive(Debug, clap::Args)]
struct HandlesArgs {
    /// A folder of WIT, or a file of it; or a component, or a program file with `--node`, whose interface is printed too
    wit: PathBuf,
    /// The node of the program whose component has the interface
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// How the methods wait: `async func`, a `future` of the result, or a `func` that blocks
    #[arg(long, value_enum, default_value_t = StyleName::Async)]
    style: StyleName,
    /// The interface; may be left out if there is one only
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Fail if this file is not what would be printed, instead of printing it
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StyleName {
    /// Many calls may be in flight: Rust, Python
    Async,
    /// The same, for languages that can't import an `async func`: JavaScript
    Future,
    /// One call at a time: C, C++, Zig
    Sync,
}

impl StyleName {
    fn style(self) -> Style {
        match self {
            StyleName::Async => Style::Async,
            StyleName::Future => Style::Future,
            StyleName::Sync => Style::Sync,
        }
    }
}

/// What a style is called on the command line.
fn style_name(style: Style) -> &'static str {
    match style {
        Style::Async => "async",
        Style::Future => "future",
        Style::Sync => "sync",
    }
}

/// The line that writes a kept interface of handles anew.
pub(super) fn mending_line(wit: &str, file: &str, kept: &KeptHandles) -> String {
    let (style, interface) = (style_name(kept.style), &kept.interface);
    format!("lp-host wit handles {wit} --style {style} --interface {interface} > {file}")
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let What::Handles(args) = &args.what;
    let text = derive(args)?;
    match &args.check {
        None => screen.shown_data(&text),
        Some(file) => check(file, &text, args)?,
    }
    Ok(0)
}

fn derive(args: &HandlesArgs) -> Result<String, CliError> {
    let wrong = |error: &dyn std::error::Error| CliError::new(exit_code::WRONG_PROGRAM, error.to_string());
    let style = args.style.style();
    if let Some(component) = component(args)? {
        let decoded = decoded(&component)?;
        let interface = chosen(&decoded.couriers(), args)?;
        return handles_document(&decoded.resolve, interface, style).map_err(|error| wrong(&error));
    }
    let folder = Folder::read_without_kept(&args.wit, style).map_err(|error| wrong(&error))?;
    let interfaces = &folder.resolve.packages[folder.package].interfaces;
    let interfaces: Vec<_> = interfaces.iter().map(|(name, id)| (name.clone(), *id)).collect();
    handles_wit(&folder.resolve, chosen(&interfaces, args)?, style).map_err(|error| wrong(&error))
}

/// The component that is meant, unless it is WIT.
fn component(args: &HandlesArgs) -> Result<Option<PathBuf>, CliError> {
    if args.wit.extension().is_none_or(|extension| extension != "toml") {
        let mut magic = [0; 4];
        let read = File::open(&args.wit).and_then(|mut file| file.read_exact(&mut magic));
        return Ok((read.is_ok() && &magic == b"\0asm").then(|| args.wit.clone()));
    }
    let program = Program::load(&args.wit, &[])?;
    let node = program.nodes.iter().find(|node| args.node.as_ref() == Some(&node.name));
    if let Some(node) = node.filter(|node| node.replay.is_some()) {
        let message = format!("`{}` is a replay node, whose interfaces any WIT folder may name", node.name);
        let hint = "import `lp:replay/writer-handles@0.1.0` and such: a build supplies them";
        return Err(CliError::new(exit_code::WRONG_USAGE, message).hint(hint));
    }
    let node = node.map(|node| node.component.clone()).ok_or_else(|| {
        let names: Vec<_> = program.nodes.iter().map(|node| format!("`{}`", node.name)).collect();
        let message = format!("the nodes of `{}` are {}", program.name, names.join(", "));
        CliError::new(exit_code::WRONG_USAGE, message).hint("choose one of them by `--node`")
    })?;
    Ok(Some(node))
}

/// The WIT of a component.
struct Decoded {
    resolve: Resolve,
    world: WorldId,
}

/// Reads a component's WIT. That it is a component, and one that can be a node, is made sure of first.
fn decoded(path: &Path) -> Result<Decoded, CliError> {
    let wrong = |error: String| CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` {error}", path.display()));
    let bytes = Component::read_bytes(path).map_err(|error| wrong(error.to_string()))?;
    Component::parse(path, &bytes).map_err(|error| wrong(error.to_string()))?;
    match wit_component::decode(&bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok(Decoded { resolve, world }),
        Ok(DecodedWasm::WitPackage(..)) => Err(wrong("is a WIT package".to_owned())),
        Err(error) => Err(wrong(format!("has types that WIT can't say: {error:#}"))),
    }
}

impl Decoded {
    /// The interfaces that others can call.
    fn couriers(&self) -> Vec<(String, InterfaceId)> {
        let exports = self.resolve.worlds[self.world].exports.values();
        let interfaces = exports.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(*id),
            _ => None,
        });
        let is_courier = |id: &InterfaceId| {
            let package = self.resolve.interfaces[*id].package.map(|id| &self.resolve.packages[id].name);
            package.is_some_and(|name| name.namespace != "wasi" && name.namespace != "lp")
        };
        let named = |id| Some((self.resolve.interfaces[id].name.clone()?, id));
        interfaces.filter(is_courier).filter_map(named).collect()
    }
}

/// The interface that was asked for, or the only one.
fn chosen(interfaces: &[(String, InterfaceId)], args: &HandlesArgs) -> Result<InterfaceId, CliError> {
    let bases: Vec<_> = interfaces.iter().filter(|(name, _)| !name.ends_with(HANDLES_SUFFIX)).collect();
    let found = match (&args.interface, &bases[..]) {
        (Some(wanted), _) => bases.iter().find(|(name, _)| name == wanted).copied(),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    found.map(|(_, id)| *id).ok_or_else(|| {
        let listed = bases.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let what = args.wit.display();
        if bases.is_empty() {
            return CliError::new(exit_code::WRONG_USAGE, format!("`{what}` has no interface that nodes could call"));
        }
        let message = format!("`{what}` has the interfaces {listed}");
        CliError::new(exit_code::WRONG_USAGE, message).hint("choose one of them by `--interface`")
    })
}

fn check(file: &Path, text: &str, args: &HandlesArgs) -> Result<(), CliError> {
    if std::fs::read_to_string(file).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let node = args.node.as_ref().map_or(String::new(), |name| format!(" --node {name}"));
    let interface = args.interface.as_ref().map_or(String::new(), |name| format!(" --interface {name}"));
    let line = format!(
        "lp-host wit handles {}{node} --style {}{interface} > {}",
        args.wit.display(),
        style_name(args.style.style()),
        file.display()
    );
    let failure = CliError::new(exit_code::WRONG_PROGRAM, format!("`{}` is stale", file.display()));
    Err(failure.hint(format!("rewrite it: {line}")))
}
