//! What a shard may forget (design.md, time; decisions.md, duplicates).
//!
//! The question is decided by the last claim that counts, and by nothing else: its watermark says how
//! far event time has come, its applied vector which records it speaks of. So two owners of a shard
//! judge alike, in whatever order they have read. In doubt an entity is kept.

use naap_protocol::capability::index::WINDOW_MS;
use naap_protocol::state::{EventState, Expired, Progress, SessionState};
use naap_protocol::time::Timestamp;

/// Event time within which another delivery of an event is known as one.
const DUPLICATES_MS: i64 = 48 * 3_600_000;
/// Event time that a mark is kept; facts are kept as long.
const MARK_MS: i64 = 180 * 24 * 3_600_000;

/// How far event time has to come behind the end of a session, ms: no signal within the retention is
/// expected any more, nor an advertisement that would change an answer.
pub fn settled_after(retention_ms: i64) -> i64 {
    retention_ms.saturating_add(WINDOW_MS).max(DUPLICATES_MS)
}

/// The rule of one shard, by its last claim.
#[derive(Clone, Copy, Debug)]
pub struct Expiry<'a> {
    claim: &'a Progress,
    watermark: Timestamp,
    retention_ms: i64,
}

impl<'a> Expiry<'a> {
    /// The rule by `claim`, the last one that is in the log and counts. `retention_ms` is the longest
    /// silence inside a session. `None` while nothing is known of event time.
    pub fn new(claim: &'a Progress, retention_ms: i64) -> Option<Self> {
        claim.watermark.map(|watermark| Self { claim, watermark, retention_ms })
    }

    /// Event time that the shard has come to.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Whether the watermark is more than `ms` after `ts`.
    fn is_past(&self, ts: Timestamp, ms: i64) -> bool {
        self.watermark.0 > ts.0.saturating_add(ms)
    }

    /// Whether a session that is asleep is settled: it is past, its rows are stored, and the claim
    /// speaks of every record of it, so that none comes again.
    pub fn of_session(&self, state: &SessionState) -> bool {
        let after = settled_after(self.retention_ms);
        let saved = (state.written.epoch, state.written.cycle);
        state.latest().is_some_and(|latest| self.is_past(latest, after))
            && !state.owes_rows
            && saved <= (self.claim.epoch, self.claim.cycle)
            && state.deliveries.are_below(&self.claim.applied)
    }

    /// Whether an event without a session need not be known any more as a duplicate.
    pub fn of_event(&self, state: &EventState) -> bool {
        self.is_past(state.latest(), DUPLICATES_MS) && state.is_below(&self.claim.applied)
    }

    /// Whether a mark has been kept for long enough.
    pub fn of_mark(&self, mark: Expired) -> bool {
        self.is_past(mark.at, MARK_MS)
    }
}

#[cfg(test)]
mod tests {
    use naap_protocol::state::{Coordinates, Delivery, Elements, Family, SourcePartition, Written};

    use super::*;

    const HOUR: i64 = 3_600_000;
    const RETENTION: i64 = 48 * HOUR;
    /// When everything happened.
    const THEN: Timestamp = Timestamp(1_774_344_333_000);

    fn at(hours: i64) -> Timestamp {
        Timestamp(THEN.0 + hours * HOUR)
    }

    fn source(partition: u32) -> SourcePartition {
        SourcePartition { topic: "t".to_owned(), partition }
    }

    /// Epoch 3, cycle 7, partition 0 up to offset 10.
    fn claim(watermark: Option<Timestamp>) -> Progress {
        let applied = [(source(0), 10)].into();
        Progress { epoch: 3, cycle: 7, applied, watermark, ..Progress::default() }
    }

    fn delivery(partition: u32, offset: u64, event_ts: Timestamp) -> Delivery<'static> {
        Delivery {
            at: Coordinates { topic: "t".into(), partition, offset },
            record_ts: event_ts,
            event_ts,
            content_hash: offset,
            family: Family::Payment,
            replay: false,
            elements: Elements::default(),
        }
    }

    /// A session with one delivery, saved in epoch 3, cycle 7.
    fn session(delivery: &Delivery<'_>) -> SessionState {
        let written = Written { epoch: 3, cycle: 7, ..Written::default() };
        let mut state = SessionState { written, ..SessionState::default() };
        state.deliveries.observe("u", delivery);
        state
    }

    fn is_settled(state: &SessionState, watermark: Timestamp, retention_ms: i64) -> bool {
        let claim = claim(Some(watermark));
        Expiry::new(&claim, retention_ms).unwrap().of_session(state)
    }

    #[test]
    fn nothing_is_forgotten_before_event_time_is_known() {
        assert!(Expiry::new(&claim(None), RETENTION).is_none());
    }

    #[test]
    fn a_session_is_settled_a_day_after_its_retention() {
        let known = session(&delivery(0, 9, THEN));
        let past = |hours, ms| Timestamp(at(hours).0 + ms);
        assert!(!is_settled(&known, past(72, 0), RETENTION));
        assert!(is_settled(&known, past(72, 1), RETENTION));
        // A short retention does not cut the time within which duplicates are known.
        assert!(!is_settled(&known, past(48, 0), HOUR));
        assert!(is_settled(&known, past(48, 1), HOUR));
        assert!(!is_settled(&SessionState::default(), Timestamp(i64::MAX), RETENTION));
        assert!(!is_settled(&known, Timestamp(i64::MAX), i64::MAX), "no overflow");
    }

    #[test]
    fn what_is_owed_or_not_claimed_keeps_a_session() {
        let far = at(1000);
        let known = session(&delivery(0, 9, THEN));
        assert!(is_settled(&known, far, RETENTION));
        assert!(!is_settled(&SessionState { owes_rows: true, ..known.clone() }, far, RETENTION));
        assert!(!is_settled(&session(&delivery(0, 10, THEN)), far, RETENTION), "not applied");
        assert!(!is_settled(&session(&delivery(1, 0, THEN)), far, RETENTION), "no such source");
        for (epoch, cycle, settled) in [(3, 8, false), (4, 0, false), (2, 90, true)] {
            let written = Written { epoch, cycle, ..Written::default() };
            let saved = SessionState { written, ..known.clone() };
            assert_eq!(is_settled(&saved, far, RETENTION), settled, "{epoch} {cycle}");
        }
        // The latest of its deliveries counts, whichever is folded.
        let mut later = known.clone();
        later.deliveries.observe("v", &delivery(0, 8, at(100)));
        assert!(!is_settled(&later, at(172), RETENTION));
        assert!(is_settled(&later, at(173), RETENTION));
        let mut copied = known;
        copied.deliveries.observe("u", &delivery(0, 11, THEN));
        assert!(!is_settled(&copied, far, RETENTION), "a further delivery is not applied");
    }

    #[test]
    fn an_event_without_a_session_is_known_for_48_h() {
        let claim_at = |watermark| claim(Some(watermark));
        let mut state = EventState::new(delivery(0, 3, THEN));
        let gone = |state: &EventState, watermark: Timestamp| {
            Expiry::new(&claim_at(watermark), RETENTION).unwrap().of_event(state)
        };
        assert!(!gone(&state, at(48)));
        assert!(gone(&state, Timestamp(at(48).0 + 1)));
        state.observe(&delivery(0, 4, at(5)));
        assert!(!gone(&state, at(53)));
        assert!(gone(&state, at(54)));
        state.observe(&delivery(0, 10, THEN));
        assert!(!gone(&state, at(1000)), "not applied yet");
    }

    #[test]
    fn a_mark_is_kept_for_180_days() {
        let gone = |watermark| {
            Expiry::new(&claim(Some(watermark)), RETENTION).unwrap().of_mark(Expired { at: THEN })
        };
        assert!(!gone(at(180 * 24)));
        assert!(gone(Timestamp(at(180 * 24).0 + 1)));
    }
}
