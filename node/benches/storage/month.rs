//! The month that is measured: about 90,000 sessions in 30 days, replayed by the program.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use naap_generator::Plan;

use crate::engine::Engine;

/// The generator's first day is 2026-01-01.
const HOURS: u32 = 30 * 24;
const SESSIONS: u64 = 90_000;
/// A day in the middle of the month, `[begin, end)`.
pub(crate) const DAY: [&str; 2] = ["2026-01-16 00:00:00", "2026-01-17 00:00:00"];
/// An hour of it.
pub(crate) const HOUR: [&str; 2] = ["2026-01-16 12:00:00", "2026-01-16 13:00:00"];
/// The organisation of replayed files.
pub(crate) const ORG: &str = "cloud_spe";

/// The data folder in `folder`, made if it is not there.
pub(crate) fn replayed(folder: &Path) -> PathBuf {
    let (data, done) = (folder.join("data"), folder.join("complete"));
    if done.exists() {
        // It may be of an earlier build.
        naap(&["schema", "apply", "--data-dir"], &[&data]);
        return data;
    }
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let events = folder.join("events.jsonl");
    let mut out = BufWriter::new(File::create(&events).expect("a file for the events"));
    let plan = Plan { seed: 25, sessions: SESSIONS, hours: HOURS, ..Plan::default() };
    let written = plan.write(&mut out, None::<&mut Vec<u8>>, &mut |_| ()).expect("events");
    out.flush().expect("room for the events");
    println!("generated {} events of {} sessions", written.totals.lines, written.totals.sessions);
    naap(&["replay", "--output", "json", "--data-dir"], &[&data, &events]);
    std::fs::remove_file(&events).expect("the events are no longer needed");
    File::create(done).expect("a mark that the month is complete");
    data
}

fn naap(args: &[&str], paths: &[&Path]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_naap"));
    command.args(args).args(paths).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(command.status().expect("naap starts").success(), "{command:?} failed");
}

/// How much there is.
pub(crate) fn report(engine: &Engine) {
    println!("\n{:<48} {:>10} {:>6} {:>10}", "table", "rows", "parts", "MB on disk");
    let sql =
        "SELECT table, sum(rows), count(), round(sum(bytes_on_disk) / 1e6, 1) FROM system.parts
        WHERE database = 'naap' AND active GROUP BY table ORDER BY sum(rows) DESC FORMAT TSVRaw";
    for line in engine.ask(sql).text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        println!("{:<48} {:>10} {:>6} {:>10}", cells[0], cells[1], cells[2], cells[3]);
    }
    let facts = "SELECT sum(rows) FROM system.parts
        WHERE database = 'naap' AND active AND startsWith(table, 'fact_')";
    println!("all facts: {} rows", engine.number(facts));
}
