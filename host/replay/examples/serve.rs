//! Serves tables to the clients of Reverb, for tests and benchmarks: `serve PORT DIR TABLE…`, or `-` for no checkpoints.
//!
//! A table is `name=t sampler=prioritized:0.6 remover=fifo max_size=1000 max_times_sampled=0 limiter=1,1,-1e300,1e300
//! signature=HEX`, of which all but the name may be left out; the limiter has samples per insert, the size from which on there
//! are samples, and the bounds of the difference. It prints the port when it listens, and ends when its standard input does.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::num::{NonZeroI32, NonZeroUsize};
use std::path::PathBuf;

use lp_base::scheduler::Scheduler;
use lp_replay::checkpoint::{self, Checkpointer, Configuration};
use lp_replay::grpc::Server;
use lp_replay::service::Service;
use lp_replay::table::{Gauge, LimiterSpec, SelectorKind, Table, TableSpec};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

#[allow(dead_code, reason = "the benchmark has this file as a module")]
fn main() -> Fallible<()> {
    run(&std::env::args().skip(1).collect::<Vec<_>>())
}

/// Serves as the arguments say.
pub fn run(arguments: &[String]) -> Fallible<()> {
    let [port, folder, tables @ ..] = arguments else { return Err("usage: serve PORT DIR TABLE…".into()) };
    let specs = tables.iter().map(|text| table(text)).collect::<Fallible<Vec<_>>>()?;
    let threads = std::env::var("SERVE_THREADS").map_or(Ok(2), |threads| threads.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let folder = (folder != "-").then(|| PathBuf::from(folder));
    runtime.block_on(serve(port.parse()?, folder, specs))
}

async fn serve(port: u16, folder: Option<PathBuf>, specs: Vec<TableSpec>) -> Fallible<()> {
    let gauge = Gauge::default();
    let tables = match &folder {
        Some(folder) => load(folder, specs, &gauge)?,
        None => specs.into_iter().map(Table::new).collect::<Result<_, _>>()?,
    };
    let service = Service::new(tables, gauge, Scheduler::default())?;
    let keep = NonZeroUsize::MIN;
    let checkpointer = folder.map(|folder| Checkpointer::new(service.clone(), folder, keep));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("{}", listener.local_addr()?.port());
    let server = tokio::spawn(Server { service: service.clone(), checkpointer }.serve(listener));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    for wait in service.waits() {
        println!("{:?} of table {} waits for {:?}: {}", wait.wanted, wait.table, wait.time, wait.reason);
    }
    service.close();
    server.abort();
    Ok(())
}

fn load(folder: &std::path::Path, specs: Vec<TableSpec>, gauge: &Gauge) -> Fallible<Vec<Table>> {
    let (stored, refused) = checkpoint::last(folder, gauge)?;
    for refused in refused {
        eprintln!("refused {}: {}", refused.path.display(), refused.error);
    }
    let Some(stored) = stored else { return Ok(specs.into_iter().map(Table::new).collect::<Result<_, _>>()?) };
    eprintln!("loaded {}", stored.path.display());
    let restored = checkpoint::restore(specs, stored, Configuration::Stored)?;
    for difference in &restored.differences {
        eprintln!("differs: {difference:?}");
    }
    Ok(restored.tables)
}

fn table(text: &str) -> Fallible<TableSpec> {
    let mut spec = TableSpec {
        name: String::new(),
        sampler: SelectorKind::Uniform,
        remover: SelectorKind::Fifo,
        max_size: 1_000_000,
        max_times_sampled: None,
        limiter: LimiterSpec::min_size(1),
        signature: None,
    };
    for setting in text.split_whitespace() {
        let (key, value) = setting.split_once('=').ok_or("a setting is key=value")?;
        match key {
            "name" => value.clone_into(&mut spec.name),
            "sampler" => spec.sampler = kind(value)?,
            "remover" => spec.remover = kind(value)?,
            "max_size" => spec.max_size = value.parse()?,
            "max_times_sampled" => spec.max_times_sampled = NonZeroI32::new(value.parse()?),
            "limiter" => spec.limiter = limiter(value)?,
            "signature" => spec.signature = Some(hex(value)?.into()),
            _ => return Err(format!("there is no setting {key}").into()),
        }
    }
    Ok(spec)
}

fn kind(text: &str) -> Fallible<SelectorKind> {
    Ok(match text.split_once(':').unwrap_or((text, "")) {
        ("uniform", _) => SelectorKind::Uniform,
        ("prioritized", exponent) => SelectorKind::Prioritized { exponent: exponent.parse()? },
        ("fifo", _) => SelectorKind::Fifo,
        ("lifo", _) => SelectorKind::Lifo,
        ("min_heap", _) => SelectorKind::MinHeap,
        ("max_heap", _) => SelectorKind::MaxHeap,
        _ => return Err(format!("there is no selector {text}").into()),
    })
}

fn limiter(text: &str) -> Fallible<LimiterSpec> {
    let numbers = text.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [samples_per_insert, size, min_diff, max_diff] = numbers[..] else {
        return Err("a limiter is four numbers".into());
    };
    Ok(LimiterSpec { samples_per_insert, min_size_to_sample: size as i64, min_diff, max_diff })
}

fn hex(text: &str) -> Fallible<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(text.get(at..at + 2).ok_or("odd")?, 16)?)).collect()
}
