//! A deterministic synthetic Livepeer network with known truth.
//!
//! [`Plan::write`] sends what gateways would send (contract events.md) as JSON lines in broker-arrival
//! order, and writes beside it what the contract (lifecycle.md) says must come out. The same plan gives
//! the same bytes on every machine; nothing here reads a clock, a file or the environment.
//!
//! Memory grows with the number of orchestrators and of sessions that live at the same time, not with
//! the length of the plan: each session is planned from its own random stream when it starts, its lines
//! are built when they arrive, and the totals of the truth header come from a counting pass.
//!
//! A session is about 40 lines, with the default profile and with [`Profile::clean`]: 2,000 sessions are
//! about 80 thousand lines, one million lines take 26,000 clean sessions.
#![forbid(unsafe_code)]

mod delivery;
mod ids;
mod lines;
mod network;
mod profile;
mod random;
mod session;
mod story;
mod text;
mod truth;

use std::collections::BTreeMap;
use std::io::{self, Write};

pub use profile::{Profile, Stories};
pub use truth::totals::Totals;

use delivery::{Broker, Delivery, Slot};
use network::Network;
use session::Fate;
use truth::history::History;
use truth::signal::Signal;

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Chooses the network; equal plans give equal bytes.
    pub seed: u64,
    /// Session stories to tell; a few are lost on the way.
    pub sessions: u64,
    /// Service endpoints, 4 to 10,000; from 20 on every kind occurs.
    pub orchestrators: usize,
    /// Time from 2026-01-01T00:00:00Z over which sessions start, 1 to 20,000 hours.
    pub hours: u32,
    /// What happens, and how often.
    pub profile: Profile,
}

impl Default for Plan {
    fn default() -> Self {
        Self { seed: 1, sessions: 2000, orchestrators: 40, hours: 24, profile: Profile::default() }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Counts over all lines; the same as in the header of the truth.
    pub totals: Totals,
    /// Bytes of the event lines, line ends included.
    pub bytes: u64,
    /// Sessions of which no signal was left; they are not in the truth.
    pub lost_sessions: u64,
    /// How often each case occurred.
    pub tags: BTreeMap<&'static str, u64>,
}

impl Plan {
    /// Writes the events, one Kafka value a line in arrival order, and the truth: a `totals` line, then
    /// one `session` line per session in order of start. `progress` gets the lines written so far,
    /// about once a thousand.
    ///
    /// # Errors
    /// `InvalidInput` for a plan out of bounds, else what the writers return.
    pub fn write(
        &self,
        events: &mut impl Write,
        mut truth: Option<&mut impl Write>,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<Summary> {
        self.check()?;
        let network = Network::new(self.seed, self.orchestrators, self.hours, &self.profile);
        let oracle = truth.is_some().then(|| History::of(&network));
        let mut line = Vec::with_capacity(64 * 1024);
        if let Some(truth) = truth.as_deref_mut() {
            self.totals(&network).write(&mut line);
            truth.write_all(&line)?;
        }
        let mut run = Run {
            network: &network,
            broker: Broker::default(),
            line,
            summary: Summary::default(),
            progress,
        };
        let mut advertisements = delivery::advertisements(&network).peekable();
        for index in 0..self.sessions {
            let start = delivery::start_of(self, index);
            while let Some(ad) = advertisements.next_if(|ad| ad.event.ts <= start) {
                run.push(ad);
            }
            run.release(events, start)?;
            let slot = delivery::slot(self, &network, index);
            if let (Some(truth), Some(history)) = (truth.as_deref_mut(), &oracle) {
                run.line.clear();
                write_truth(&mut run.line, &slot, history);
                truth.write_all(&run.line)?;
            }
            run.take(slot);
        }
        advertisements.for_each(|ad| run.push(ad));
        run.release(events, i64::MAX)?;
        Ok(run.summary)
    }

    fn check(&self) -> io::Result<()> {
        let bounds = [
            ("sessions", self.sessions, 1, 1 << 40),
            ("orchestrators", self.orchestrators as u64, 4, 10_000),
            ("hours", u64::from(self.hours), 1, 20_000),
        ];
        for (name, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                let text = format!("{name} is {value}; choose a number from {low} to {high}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        Ok(())
    }

    /// Plans everything once without building a line.
    fn totals(&self, network: &Network) -> Totals {
        let mut totals = Totals::default();
        delivery::advertisements(network).for_each(|ad| totals.count(&ad));
        for index in 0..self.sessions {
            let slot = delivery::slot(self, network, index);
            slot.deliveries.iter().for_each(|delivery| totals.count(delivery));
            totals.sessions += u64::from(slot.deliveries.iter().any(is_signal));
        }
        totals
    }
}

/// A run in progress.
struct Run<'a> {
    network: &'a Network,
    broker: Broker,
    line: Vec<u8>,
    summary: Summary,
    progress: &'a mut dyn FnMut(u64),
}

impl Run<'_> {
    fn push(&mut self, delivery: Delivery) {
        self.summary.totals.count(&delivery);
        self.broker.push(delivery);
    }

    fn take(&mut self, slot: Slot) {
        if slot.deliveries.iter().any(is_signal) {
            self.summary.totals.sessions += 1;
        } else {
            self.summary.lost_sessions += 1;
        }
        for tag in slot.tags {
            *self.summary.tags.entry(tag).or_default() += 1;
        }
        for delivery in slot.deliveries {
            self.push(delivery);
        }
    }

    /// Writes all lines that arrive before `time`.
    fn release(&mut self, events: &mut impl Write, time: i64) -> io::Result<()> {
        let mut written = self.summary.totals.lines - self.broker.len() as u64;
        while let Some(delivery) = self.broker.next_before(time) {
            self.line.clear();
            lines::write(&mut self.line, &delivery, self.network);
            self.line.push(b'\n');
            events.write_all(&self.line)?;
            self.summary.bytes += self.line.len() as u64;
            written += 1;
            if written.is_multiple_of(1000) {
                (self.progress)(written);
            }
        }
        Ok(())
    }
}

/// The first accepted delivery of a lifecycle signal.
fn is_signal(delivery: &Delivery) -> bool {
    delivery.fate() == Fate::Accepted && delivery.event.is_signal()
}

fn write_truth(line: &mut Vec<u8>, slot: &Slot, history: &History) {
    let accepted = slot.deliveries.iter().filter(|d| is_signal(d));
    let mut signals: Vec<Signal> = accepted.filter_map(|d| Signal::of(&d.event)).collect();
    if !signals.is_empty() {
        truth::line::write(line, slot, &mut signals, history);
    }
}
