//! `lp-host image`: a program as an image for containers.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lp_base::plan::LaunchType;
use lp_base::words::Digest;
use lp_build::Compile;
use lp_engine::image::{self, Base, Content, PROGRAM};
use serde_json::json;

use super::screen::{CliError, Screen, exit_code};
use super::{ProgramArgs, build};

/// Makes an image for containers of lp-host, a program and its components
///
/// The file is an OCI layout and an archive of `docker save` at once: `docker load`, `podman load`, `skopeo copy` and the
/// like take it. No daemon is asked. The same program, lp-host and base make the same file, byte for byte, wherever it is
/// made. A container of it runs the program by itself, as user 65532; what it writes goes to `/tmp`.
///
/// Without a base, the image has nothing else but the libraries that lp-host has loaded on this machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// An image to build on, in a tar: an OCI layout, or what `docker save` writes. It must have the C library of this machine,
    /// or a later one
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// What the image is called: `NAME` or `NAME:TAG`; the name of the program if it is not said
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Build the nodes' components first, as `lp-host build` does
    #[arg(long)]
    build: bool,
    /// How a container runs the nodes: `threads` or `processes`
    #[arg(long, value_name = "TYPE", default_value = "threads")]
    launch_type: LaunchType,
    /// How to say what was written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, on stderr
    Text,
    /// One JSON object on stdout
    Json,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("`{0}` can't be the name of an image")]
    BadName(String),
    #[error("`{}` can't be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` could not be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the component `{}` was changed while the image was made", path.display())]
    Changed { path: PathBuf },
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    if args.launch_type == LaunchType::Remote {
        let error = "one container is one machine: its launch type is `threads` or `processes`";
        return Err(CliError::new(exit_code::WRONG_USAGE, error).hint("leave out `--launch-type`"));
    }
    if args.build {
        build::build(&args.program.load()?, &[], Compile::No, screen)?;
    }
    let linked = args.program.link_elsewhere()?;
    screen.warnings(&linked.warnings);
    let reference = reference(args.name.as_deref(), &linked.program.name)?;
    let (mut plan, files) = lp_program::lower(&linked, args.launch_type);
    let dir = &linked.program.dir;
    plan.relocate(dir, Path::new(PROGRAM));
    // Some paths have their links followed already.
    plan.relocate(&fs::canonicalize(dir).unwrap_or_else(|_| dir.clone()), Path::new(PROGRAM));
    let digests = plan.nodes.iter().filter_map(|node| node.sha256());
    let components = digests.map(|digest| Ok((digest, component(digest, files.of(digest).map_err(wrong)?)?)));
    let content = Content {
        reference: &reference,
        host: read(&std::env::current_exe().map_err(not_written)?)?,
        mapped: &mapped().map_err(not_written)?,
        plan: serde_json::to_vec(&plan).map_err(wrong)?,
        components: components.collect::<Result<_, CliError>>()?,
    };
    let base = args.base.as_deref().map(Base::open).transpose().map_err(wrong)?;
    let written = write(&args.output, |file| image::write(content, base.as_ref(), file))?;
    match args.format {
        Format::Text => screen.note(&format!(
            "`{reference}` is in `{}`: {}, {:.1} MiB",
            args.output.display(),
            written.digest,
            written.bytes as f64 / f64::from(1 << 20)
        )),
        Format::Json => {
            let image = json!({
                "image": reference, "file": args.output, "digest": written.digest, "bytes": written.bytes,
            });
            screen.data(&format!("{image}\n"));
        }
    }
    Ok(0)
}

/// What the image is called, with a tag: as the program, in what letters an image may have, if nothing is said.
fn reference(asked: Option<&str>, program: &str) -> Result<String, CliError> {
    let name = asked.map_or_else(|| program.to_lowercase().replace('_', "-"), str::to_owned);
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name.as_str(), "latest"),
    };
    let is_part = |part: &str| {
        let ends = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| ends(byte) || b"._-:".contains(&byte);
        part.bytes().all(inner) && part.bytes().next().is_some_and(ends) && part.bytes().last().is_some_and(ends)
    };
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_good = path.split('/').all(is_part) && !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(is_tag);
    match is_good {
        true => Ok(format!("{path}:{tag}")),
        false => Err(CliError::new(exit_code::WRONG_USAGE, Error::BadName(name.clone()))
            .hint("write it in lower case, such as `--name registry.example.org/lab/pair:1`")),
    }
}

/// The component of that digest.
fn component(digest: Digest, path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = read(path)?;
    match Digest::of(&bytes) == digest {
        true => Ok(bytes),
        false => Err(wrong(Error::Changed { path: path.to_owned() }).hint("make it again")),
    }
}

/// The files that are mapped into this process.
fn mapped() -> io::Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let paths = maps.lines().filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])));
    let mut paths: Vec<_> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Writes a file that is there as a whole or not at all.
fn write<T>(
    path: &Path,
    content: impl FnOnce(BufWriter<&File>) -> Result<T, image::ImageError>,
) -> Result<T, CliError> {
    let failed = |source| not_written(Error::Write { path: path.to_owned(), source });
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".lp-host-image")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)
        .map_err(failed)?;
    let written = content(BufWriter::new(temporary.as_file())).map_err(wrong)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(written)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| wrong(Error::Read { path: path.to_owned(), source }))
}

fn wrong(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::new(exit_code::WRONG_USAGE, error)
}

fn not_written(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::new(exit_code::NOT_WRITTEN, error)
}
