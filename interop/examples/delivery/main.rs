//! A table, written as Markdown, of how much of what programs send arrives at a backend.
//!
//! The programs trace with default settings: over the published Go client (`go`, and `go-queue` with
//! a queue as long as ours) and over the library as a `debug` and as a `release` build. They send to
//! real backends at several rates and in bursts. Each row has the number of spans that the program
//! made, the numbers that its client reports as sent and lost, the number that the backend stored,
//! and the number of datagrams that the kernel dropped at the agent's socket. `≠` marks a row in
//! which the client reports another number as sent than was stored. At the end the losses of all
//! clients stand side by side.
//!
//! Run: `cargo run --release -p tracehound-interop --example delivery`, which takes about
//! 45 minutes. `-- --quick` runs each rate for 2 s instead of 10. Each further word chooses the rows whose
//! name contains it, and `a,b` the rows that contain `a` or `b`: `-- --quick v1 600 go,release 1000/s`.
//! `-- --list` prints only the names.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
};

use tracehound_interop::{Backend, LoadProgram, Profile};

use cell::{Cell, Client};
use row::Row;
use summary::Summary;

mod cell;
mod row;
mod summary;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, words): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    let has = |option: &str| options.iter().any(|it| it == option);
    if let Some(other) = options
        .iter()
        .find(|it| !matches!(it.as_str(), "--quick" | "--list"))
    {
        return Err(format!("{other}: no such option").into());
    }
    let cells: Vec<Cell> = Cell::all(if has("--quick") { 2 } else { 10 })
        .into_iter()
        .filter(|cell| cell.is_chosen(&words))
        .collect();
    if has("--list") {
        for cell in &cells {
            println!("{}", cell.name());
        }
        return Ok(());
    }
    print(&cells)
}

fn print(cells: &[Cell]) -> Result<(), Box<dyn Error>> {
    let clients: BTreeSet<Client> = cells.iter().map(|cell| cell.client).collect();
    let programs = clients
        .into_iter()
        .map(|client| Ok((client, program(client)?)))
        .collect::<Result<BTreeMap<_, _>, Box<dyn Error>>>()?;
    println!("{}", Row::HEADER);
    let mut summary = Summary::default();
    let mut running = None;
    for (n, cell) in cells.iter().enumerate() {
        // A backend keeps all spans in memory, so each group of rows has its own.
        let jaeger = match running.take() {
            Some((group, jaeger)) if group == cell.group() => jaeger,
            ended => {
                drop(ended);
                Backend::start_for_load(cell.version)?
            }
        };
        let service = format!("load-{n}");
        let row = row(cell, &jaeger, &programs[&cell.client], &service)?;
        println!("{row}");
        summary.add(&row);
        running = Some((cell.group(), jaeger));
    }
    println!("\n{summary}");
    Ok(())
}

fn program(client: Client) -> Result<LoadProgram, Box<dyn Error>> {
    Ok(match client {
        Client::Go | Client::GoQueue => LoadProgram::go()?,
        Client::Debug => LoadProgram::tracehound(Profile::Debug)?,
        Client::Release => LoadProgram::tracehound(Profile::Release)?,
    })
}

/// Runs the programs of a cell at the same time.
fn row(
    cell: &Cell,
    jaeger: &Backend,
    program: &LoadProgram,
    service: &str,
) -> Result<Row, Box<dyn Error>> {
    let load = cell.load(service, jaeger.compact_addr());
    let before = jaeger.delivered_now(service)?;
    let report = program.run_beside(&load, cell.programs)?;
    let delivered = jaeger.delivered(service)? - before;
    Ok(Row {
        name: cell.name(),
        report,
        delivered,
    })
}
