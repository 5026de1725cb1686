//! The driver: has every file counted by some mapper, then prints what the reducers have, as `uniq -c` would.

use std::error::Error;

use example::counting::{mapper_handles, reducer_handles};
use lp_guest::join_all;

lp_guest::node!({ world: "driver-node", path: "../../wit", node: Driver });

struct Driver;

impl Guest for Driver {
    async fn run() -> Result<(), ()> {
        lp_guest::report(count().await)
    }
}

async fn count() -> Result<(), Box<dyn Error>> {
    let mappers = mapper_handles::all("mappers");
    let files = std::env::args().skip(1).zip(mappers.iter().cycle());
    for words in join_all(files.map(|(file, mapper)| mapper.count(file))).await {
        words??;
    }
    let reducers = reducer_handles::all("reducers");
    let mut tallies = Vec::new();
    for totals in join_all(reducers.iter().map(|reducer| reducer.totals())).await {
        tallies.extend(totals?);
    }
    tallies.sort_by(|a, b| a.word.cmp(&b.word));
    for tally in tallies {
        println!("{:>7} {}", tally.count, tally.word);
    }
    Ok(())
}
