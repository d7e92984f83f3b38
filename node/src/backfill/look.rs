//! What a backfill would change, read from state log and archive.

use std::collections::{BTreeMap, BTreeSet};

use naap_actors::backfill::{Changes, backfill};
use naap_actors::ports::{Clock, StateLog, StateLogError};
use naap_actors::session::SessionActor;
use naap_protocol::capability::evidence::{Evidence, Subject};
use naap_protocol::capability::index::WINDOW_MS;
use naap_protocol::codec;
use naap_protocol::identity::EntityId;
use naap_protocol::state::{Expired, SessionState};
use naap_protocol::time::Timestamp;
use sha2::{Digest, Sha256};

use super::DAY_MS;
use super::report::Report;
use crate::archive::{Advertised, keys};
use crate::cli::{BackfillAttributionArgs, Failure, environment};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::node::direct_window;
use crate::store::{Store, schema};

/// Days that the archive keeps a record.
const ARCHIVE_MS: i64 = 90 * DAY_MS;
/// Pieces of evidence handed over at once.
pub(super) const BATCH: usize = 500;

/// What a look has found.
pub(super) struct Found {
    pub report: Report,
    /// What sessions do not know yet, by their shard.
    pub evidence: Vec<(u16, Vec<Evidence>)>,
}

/// Looks at every session of the window. `bounded` sessions come from files and have no retention.
pub(super) async fn look(
    args: &BackfillAttributionArgs,
    config: &Config,
    log: &dyn StateLog,
    store: &Store,
    bounded: bool,
) -> Result<Found, Failure> {
    let live = Some(config.retention.state.as_millis() as i64);
    let window = Window {
        from: args.from,
        to: args.to,
        org: args.org.as_deref(),
        retention_ms: live.filter(|_| !bounded),
        shards: config.cluster.shards as u16,
    };
    let wanted = window.keys(log).map_err(environment)?;
    let mut advertised: BTreeMap<&str, Advertised> = BTreeMap::new();
    for (org, keys) in &wanted {
        let known = Advertised::read(store, org, keys, (args.from, args.to)).await;
        advertised.insert(org, known.map_err(environment)?);
    }
    let expires =
        schema::has_time_limit(store, "raw_streaming_events").await.map_err(environment)?;
    let complete_from = if expires { SystemClock.now().0 - ARCHIVE_MS } else { i64::MIN };
    let mut report = Report::new(args);
    let mut fingerprint = Sha256::new();
    for uid in advertised.values().flat_map(|known| &known.events) {
        fingerprint.update(uid);
    }
    let mut found: Vec<(u16, Vec<Evidence>)> = Vec::new();
    window
        .each(log, &mut |shard, me, session| {
            let org = session.state().org.clone();
            let nothing = Advertised::default();
            let known = advertised.get(org.as_str()).unwrap_or(&nothing);
            let changes = backfill(session, me, window.retention_ms, &mut |role, subject| {
                let complete = subject.ts.0.saturating_sub(WINDOW_MS) >= complete_from;
                let decide = || known.trace(role, subject, direct_window(config)).decision;
                window.holds(subject).then(|| (decide(), complete))
            });
            fingerprint.update(me.0.to_le_bytes());
            report.count(&changes);
            let Changes { evidence, .. } = changes;
            found.extend(Some((shard, evidence)).filter(|(_, evidence)| !evidence.is_empty()));
        })
        .map_err(environment)?;
    report.settled = window.settled(log).map_err(environment)?;
    report.input_fingerprint = hex::encode(fingerprint.finalize());
    Ok(Found { report, evidence: found })
}

/// The selections that are decided again.
struct Window<'a> {
    from: Timestamp,
    to: Timestamp,
    org: Option<&'a str>,
    retention_ms: Option<i64>,
    shards: u16,
}

impl Window<'_> {
    fn holds(&self, subject: &Subject) -> bool {
        (self.from..self.to).contains(&subject.ts)
    }

    /// Hands every session with something to ask about the window to `each`.
    fn each(
        &self,
        log: &dyn StateLog,
        each: &mut dyn FnMut(u16, EntityId, &mut SessionActor),
    ) -> Result<(), StateLogError> {
        for shard in 0..self.shards {
            let mut malformed = None;
            log.entities(shard, &mut |id, frame| {
                if !codec::is::<SessionState>(frame) {
                    return;
                }
                match SessionActor::restore(frame) {
                    Ok(mut session) if self.concerns(&session) => each(shard, id, &mut session),
                    Ok(_) => {}
                    Err(e) => malformed = Some(StateLogError(format!("session {id}: {e}"))),
                }
            })?;
            malformed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Sessions that ended in the window and of which only a mark is kept.
    fn settled(&self, log: &dyn StateLog) -> Result<u64, StateLogError> {
        let mut settled = 0;
        for shard in 0..self.shards {
            let mut malformed = None;
            log.entities(shard, &mut |id, frame| {
                if !codec::is::<Expired>(frame) {
                    return;
                }
                match codec::decode::<Expired>(frame) {
                    Ok(mark) => settled += u64::from((self.from..self.to).contains(&mark.ended)),
                    Err(e) => malformed = Some(StateLogError(format!("session {id}: {e}"))),
                }
            })?;
            malformed.map_or(Ok(()), Err)?;
        }
        Ok(settled)
    }

    fn concerns(&self, session: &SessionActor) -> bool {
        let state = session.state();
        let of_org = self.org.is_none_or(|org| org == state.org);
        of_org && state.answers.iter().any(|answer| self.holds(&answer.subject))
    }

    /// The identity keys that its sessions name, by organisation.
    fn keys(
        &self,
        log: &dyn StateLog,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StateLogError> {
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        self.each(log, &mut |_, _, session| {
            let state = session.state();
            let subjects = state.answers.iter().map(|answer| &answer.subject);
            let own = keys(subjects.filter(|subject| self.holds(subject)));
            wanted.entry(state.org.clone()).or_default().extend(own);
        })?;
        Ok(wanted)
    }
}
