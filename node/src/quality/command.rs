//! `naap verify`.

use naap_actors::ports::Clock;
use serde_json::{Value, json};

use super::gates::{Gate, Gates};
use super::run::{Outcome, Reader, Rules, Scope, Verdict, chosen, run as run_checks};
use super::{Check, checks, report, selftest};
use crate::cli::{Failure, Global, Output, VerifyArgs, emit, environment, open};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::store::Store;

/// Runs the command.
///
/// # Errors
/// Exit code 1 when a check does not hold, 2 when it can not be run.
pub fn run(args: &VerifyArgs, global: &Global) -> Result<(), Failure> {
    if args.list {
        return emit(&match global.output {
            Output::Text => report::list(),
            Output::Json => format!("{:#}\n", report::list_json()),
        });
    }
    let config = global.load(Vec::new())?.config;
    let gates = Gates::load(args.gates.as_deref(), SystemClock.now());
    let gates = gates.map_err(environment)?;
    let wanted: Vec<&'static Check> =
        args.check.iter().map(|id| find(id)).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Runtime::new().map_err(environment)?;
    if args.self_test {
        let tested = runtime.block_on(selftest::self_test(&config, &gates, &wanted))?;
        return tell_tested(&tested, global.output);
    }
    let gate = gates.gate(&args.gate).map_err(environment)?;
    let scope = scope(args, gate, &config)?;
    let checks = chosen(gate, &wanted);
    let outcomes = runtime.block_on(async {
        let named = args.store.given()?;
        let store = open(&named, &config, false).await?;
        reached(&store, named.url.as_deref()).await?;
        let outcomes = run_checks(&Reader::of(&store), &scope, (&gates, gate), &checks).await;
        store.close().await.map_err(environment)?;
        Ok::<_, Failure>(outcomes)
    })?;
    tell(&outcomes, &scope, args, global.output)
}

/// A store that does not answer says so once, and not as a failure of each check.
async fn reached(store: &Store, url: Option<&str>) -> Result<(), Failure> {
    let place = url.unwrap_or("the store");
    let answer = store.rows::<Value>(&format!("can not ask {place}"), "SELECT 1 AS one").await;
    answer.map(drop).map_err(environment)
}

fn find(id: &str) -> Result<&'static Check, Failure> {
    checks::find(id).ok_or_else(|| {
        Failure::environment(format!("there is no check '{id}'; `naap verify --list` has them all"))
    })
}

fn scope(args: &VerifyArgs, gate: &Gate, config: &Config) -> Result<Scope, Failure> {
    let now = SystemClock.now();
    let org = args.org.as_deref().unwrap_or_default();
    let rules = Rules::of(config);
    let everything = Scope::everything(now, org, rules);
    let (from, to) = match (args.from, args.to, gate.window()) {
        (None, None, None) => return Ok(everything),
        // The running hour is under way.
        (None, None, Some(window)) => return Ok(Scope::settled(window, now, org, rules)),
        (from, to, _) => (from.unwrap_or(everything.from), to.unwrap_or(now)),
    };
    if from >= to {
        return Err(Failure::environment("the window is empty; give a --from before --to"));
    }
    Ok(Scope::new(from, to, now, org, rules))
}

fn tell(
    outcomes: &[Outcome],
    scope: &Scope,
    args: &VerifyArgs,
    output: Output,
) -> Result<(), Failure> {
    emit(&match output {
        Output::Text => report::text(outcomes, scope, &args.gate),
        Output::Json => format!("{:#}\n", report::to_json(outcomes, scope, &args.gate)),
    })?;
    let failed = report::count(outcomes, Verdict::Fail);
    let warned = if args.strict { report::count(outcomes, Verdict::Warn) } else { 0 };
    match failed + warned {
        0 => Ok(()),
        1 => Err(Failure::check("1 check does not hold")),
        n => Err(Failure::check(format!("{n} checks do not hold"))),
    }
}

fn tell_tested(tested: &selftest::Tested, output: Output) -> Result<(), Failure> {
    let (faults, problems) = (tested.faults, &tested.problems);
    emit(&match output {
        Output::Json => format!("{}\n", json!({ "faults": faults, "problems": problems })),
        Output::Text if problems.is_empty() => {
            format!("{faults} seeded faults, each found by its check and by no other\n")
        }
        Output::Text => format!("{}\n", problems.join("\n")),
    })?;
    match problems.len() {
        0 => Ok(()),
        n => Err(Failure::check(format!("{n} of {faults} faults went otherwise than they had to"))),
    }
}
