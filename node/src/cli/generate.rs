//! `naap generate`: a deterministic synthetic network.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use naap_generator::{Plan, Profile, Summary};
use serde_json::json;

use super::{Failure, GenerateArgs, Global, Output};

/// Runs the command. Events go to standard output unless a file is named, so the summary goes to
/// standard error.
pub(super) fn run(args: &GenerateArgs, global: &Global) -> Result<(), Failure> {
    let plan = Plan {
        seed: args.seed,
        sessions: args.sessions,
        orchestrators: usize::try_from(args.orchestrators).unwrap_or(usize::MAX),
        hours: u32::try_from(args.hours).unwrap_or(u32::MAX),
        profile: Profile { transport: args.transport, ..Profile::default() },
    };
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("generating {spinner} {human_pos} events") {
        bar.set_style(style);
    }
    let mut truth = args.truth.as_deref().map(create).transpose()?;
    let mut progress = |lines| bar.set_position(lines);
    let mut out: Box<dyn Write> = if let Some(path) = &args.out {
        Box::new(create(path)?)
    } else {
        Box::new(BufWriter::with_capacity(1 << 20, std::io::stdout().lock()))
    };
    let written = plan.write(&mut out, truth.as_mut(), &mut progress);
    let written = written.and_then(|summary| out.flush().map(|()| summary));
    bar.finish_and_clear();
    let flushed = truth.as_mut().map_or(Ok(()), Write::flush);
    match written.and_then(|summary| flushed.map(|()| summary)) {
        Ok(summary) => {
            tell(&summary, global.output);
            Ok(())
        }
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::environment(format!("can not generate: {error}"))),
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = File::create(path).map_err(|error| {
        Failure::environment(format!(
            "can not write {}: {error}; choose a file in a folder this user can write to",
            path.display()
        ))
    })?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

fn tell(summary: &Summary, output: Output) {
    let totals = &summary.totals;
    let text = match output {
        Output::Json => json!({
            "lines": totals.lines,
            "bytes": summary.bytes,
            "sessions": totals.sessions,
            "accepted": totals.accepted(),
            "duplicates": totals.duplicates(),
        })
        .to_string(),
        Output::Text => format!(
            "{} events of {} sessions, {:.1} MB; {} duplicates, {} rejects, {} to ignore",
            totals.lines,
            totals.sessions,
            summary.bytes as f64 / 1e6,
            totals.duplicates(),
            totals.dead_letters.values().sum::<u64>(),
            totals.ignored.values().sum::<u64>(),
        ),
    };
    // A closed stderr takes the summary, not the result.
    let _ = writeln!(std::io::stderr(), "{text}");
}
