//! Writes the handles of an interface as a WIT file: `cargo run -p lp-wit --example handles -- FOLDER INTERFACE`.

use std::error::Error;
use std::path::Path;

use lp_wit::{Folder, Style, handles_wit};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name] = arguments.as_slice() else {
        return Err("the arguments are a WIT folder and the name of an interface in it".into());
    };
    let folder = Folder::read(Path::new(path), Style::Async)?;
    let package = &folder.resolve.packages[folder.package];
    let interface =
        *package.interfaces.get(name).ok_or_else(|| format!("`{}` has no interface `{name}`", package.name))?;
    print!("{}", handles_wit(&folder.resolve, interface, Style::Async)?);
    Ok(())
}
