//! The durable state of a session: its signals in total order and its uid set.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Deliveries, Samples, StoredSample};
use crate::capability::evidence::Answer;
use crate::codec::Framed;
use crate::event::{Event, TraceType};
use crate::signal::{AiKind, Signal, SignalKind};
use crate::time::{ClockDomain, Timestamp};

/// Everything that is remembered of a session. Final rows are a function of this set alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionState {
    /// Organisation.
    pub org: String,
    /// Canonical session id (lifecycle 1.3).
    pub session_id: String,
    /// Stream id, trimmed.
    pub stream_id: String,
    /// Request id, trimmed.
    pub request_id: String,
    /// Texts that signals refer to.
    pub symbols: Symbols,
    /// Distinct signals, ascending in the total order of lifecycle 1.7.5.
    pub signals: Vec<StoredSignal>,
    /// Deliveries of every event routed here, signals or not.
    pub deliveries: Deliveries,
    /// What the orchestrators said about what the session observed.
    pub answers: Vec<Answer>,
    /// Signals whose uid another content has taken: their rows have to go. They are kept, so that a
    /// later epoch can take the rows back once more.
    pub displaced: Vec<StoredSignal>,
    /// What was written of the session.
    pub written: Written,
    /// Rows are due that this state does not count as written.
    pub owes_rows: bool,
    /// Samples of transport counters, which are no signals.
    pub samples: Samples,
}

/// What was written of a session: only what changes is written again, and what is no longer there
/// is taken back. A number is a [`row_hash`]; 0 stands for a row that was never written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Epoch of the rows. Rows of an earlier epoch are repeated on the first touch: the node that
    /// owed them may have died between state and rows.
    pub epoch: u64,
    /// Commit cycle of that epoch in which this state was saved. Rows of a cycle that the shard does
    /// not claim in its `Progress` may be lost, and are repeated.
    pub cycle: u64,
    /// The session's row.
    pub session: u64,
    /// The coverage row of the session.
    pub coverage: u64,
    /// The latency rows `v1` and `v2`.
    pub latency: [u64; 2],
    /// Segment rows by index.
    pub segments: Vec<u64>,
    /// Swap rows by index.
    pub swaps: Vec<u64>,
    /// Status-hour rows.
    pub hours: BTreeMap<HourKey, u64>,
    /// Hour that the session's row says it started in: its figures are dirty when that moves.
    pub start: Option<Timestamp>,
}

/// Which status-hour row of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HourKey {
    /// Start of the hour.
    pub window_start: Timestamp,
    /// The segment.
    pub segment_index: u16,
    /// Which identity of the segment within the hour, in the order of their first samples; 0 unless
    /// its selections come to several URLs, models or GPUs of the wallet. Version 1 of the state had none.
    #[serde(default)]
    pub identity_index: u16,
}

/// What was written of a signal; hashes as in [`Written`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalWritten {
    /// The status sample, trace edge or parameter update.
    pub fact: u64,
    /// The coverage row.
    pub coverage: u64,
}

/// Bit of a hash that says that the row is stored, and need not be written again.
const STORED: u64 = 1;
/// Bit of every hash, so that none is 0 without the other.
const WRITTEN: u64 = 2;

/// Hash of the content of a row that is written.
pub fn row_hash(content: &[u8]) -> u64 {
    xxh3_64(content) | STORED | WRITTEN
}

/// Whether a row with the hash `now` says what the one with the hash `before` said, which may have to be
/// repeated.
pub fn says_the_same(before: u64, now: u64) -> bool {
    before | STORED == now
}

/// Makes a row due again, if it was ever written.
pub(super) fn repeat(hash: &mut u64) {
    *hash &= !STORED;
}

impl Written {
    /// Makes every row due again. Keys stay, so that what is gone can be taken back.
    pub fn repeat_all(&mut self) {
        let rows = [&mut self.session, &mut self.coverage].into_iter().chain(&mut self.latency);
        let rows = rows.chain(&mut self.segments).chain(&mut self.swaps);
        rows.chain(self.hours.values_mut()).for_each(repeat);
    }
}

impl SignalWritten {
    /// Makes the rows due again.
    fn repeat(&mut self) {
        repeat(&mut self.fact);
        repeat(&mut self.coverage);
    }
}

impl Framed for SessionState {
    const TYPE_ID: u16 = 0x0101;
    /// Version 2 added capacities to decisions and the identity to the keys of status hours.
    const VERSION: u16 = 2;
    const NAME: &'static str = "session state";
}

impl SessionState {
    /// Puts a signal into its place and returns that; usually the end, which is cheap.
    ///
    /// The caller has checked the uid: the same signal is never added twice.
    pub fn insert(&mut self, signal: &Signal<'_>) -> usize {
        let stored = StoredSignal::new(signal, self.signals.last(), &mut self.symbols);
        match self.signals.last() {
            Some(last) if stored.total_order(last) == Ordering::Less => {
                let place =
                    self.signals.partition_point(|s| s.total_order(&stored) == Ordering::Less);
                self.signals.insert(place, stored);
                place
            }
            _ => {
                self.signals.push(stored);
                self.signals.len() - 1
            }
        }
    }

    /// Takes in the sample in `event`; `false` for other families.
    ///
    /// The caller has checked the uid: the same sample is never added twice.
    pub fn sample(&mut self, event: &Event<'_>) -> bool {
        let sample = StoredSample::of(event, &mut self.symbols);
        sample.map(|sample| self.samples.insert(sample)).is_some()
    }

    /// Takes the signal with this uid out and returns its place; `None` when there is none. Its rows
    /// are taken back with the next ones that are written.
    pub fn displace(&mut self, uid: &str) -> Option<usize> {
        let uid = Uid::new(uid);
        let place = self.signals.iter().position(|s| s.uid == uid)?;
        let gone = self.signals.remove(place);
        self.displaced.push(gone);
        Some(place)
    }

    /// Notes that another record of the same content counts now. Returns the place of the signal
    /// when its broker time has changed.
    pub fn moved(&mut self, uid: &str, record_ts: Timestamp) -> Option<usize> {
        let uid = Uid::new(uid);
        let place = self.signals.iter().position(|s| s.uid == uid)?;
        let known = &mut self.signals[place].record_ts;
        (std::mem::replace(known, record_ts) != record_ts).then_some(place)
    }

    /// Makes every row due again.
    pub fn repeat_all(&mut self) {
        self.written.repeat_all();
        let signals = self.signals.iter_mut().chain(&mut self.displaced);
        signals.for_each(|signal| signal.written.repeat());
        self.samples.repeat_all();
    }
}

/// An event uid in 16 bytes where it is a lower-case hyphenated UUID, as text otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uid {
    /// Canonical UUID text.
    Uuid(u128),
    /// Any other text.
    Text(Box<str>),
}

impl Uid {
    /// Packs `text`; nothing of it is lost.
    pub fn new(text: &str) -> Self {
        parse_uuid(text).map_or_else(|| Self::Text(text.into()), Self::Uuid)
    }
}

impl std::fmt::Display for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(id) => {
                let hex = format!("{id:032x}");
                let (a, b, c) = (&hex[..8], &hex[8..12], &hex[12..16]);
                write!(f, "{a}-{b}-{c}-{}-{}", &hex[16..20], &hex[20..])
            }
        }
    }
}

impl Ord for Uid {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Hyphens stand at fixed places, so the numeric order is the text order.
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn parse_uuid(text: &str) -> Option<u128> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [8, 13, 18, 23].iter().any(|&place| bytes[place] != b'-') {
        return None;
    }
    let mut all = 0;
    let mut hex = |part: std::ops::Range<usize>| {
        bytes[part].iter().fold(0u64, |value, &byte| {
            let digit = HEX[usize::from(byte)];
            all |= digit;
            value << 4 | u64::from(digit)
        })
    };
    let high = hex(0..8) << 32 | hex(9..13) << 16 | hex(14..18);
    let low = hex(19..23) << 48 | hex(24..36);
    (all < 16).then(|| u128::from(high) << 64 | u128::from(low))
}

/// The value of each lower-case hexadecimal digit; 16 for every other byte.
const HEX: [u8; 256] = {
    let mut values = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};

/// Number of a text in [`Symbols`]; 0 is always `""`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sym(u32);

impl Sym {
    /// True for the empty text.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The distinct texts of one session, in order of first use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Symbols(Vec<Box<str>>);

impl Symbols {
    /// The number of `text`, which is added when it is new.
    pub fn intern(&mut self, text: &str) -> Sym {
        if text.is_empty() {
            return Sym(0);
        }
        // Sessions know a handful of texts, and mostly repeat the newest.
        let known = self.0.iter().rposition(|t| **t == *text);
        let index = known.unwrap_or_else(|| {
            self.0.push(text.into());
            self.0.len() - 1
        });
        Sym(index as u32 + 1)
    }

    /// The text of `sym`; `""` for a number that this table did not give out.
    pub fn text(&self, sym: Sym) -> &str {
        (sym.0 as usize).checked_sub(1).and_then(|i| self.0.get(i)).map_or("", |t| t)
    }
}

/// A signal as the session keeps it; fields as in [`Signal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSignal {
    /// Ordering and edge time, gateway clock.
    pub ord_ts: Timestamp,
    /// Payload time on [`StoredSignal::clock`], if the payload has one.
    pub source_ts: Option<Timestamp>,
    /// Broker record time of the delivery that counts.
    pub record_ts: Timestamp,
    /// Event uid.
    pub uid: Uid,
    /// Gateway label.
    pub gateway: Sym,
    /// Normalised wallet.
    pub address: Sym,
    /// Service URI, verbatim.
    pub url: Sym,
    /// `pipeline` text as sent.
    pub hint: Sym,
    /// What the signal says.
    pub body: StoredBody,
    /// What was written of it.
    pub written: SignalWritten,
}

/// What a stored signal says; fields as in [`SignalKind`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StoredBody {
    /// A lifecycle edge.
    Trace {
        /// Which edge.
        kind: TraceType,
        /// Reason of a swap.
        message: Sym,
    },
    /// A status sample.
    Status {
        /// State text, verbatim.
        state: Sym,
        /// Frames per second out of inference.
        output_fps: f32,
        /// Frames per second into inference.
        input_fps: f32,
        /// The sample reports an error text.
        has_error: bool,
        /// Start time on the runner clock, as decoded.
        start_time: Option<Timestamp>,
    },
    /// An AI stream event.
    Ai {
        /// Class of the event.
        kind: AiKind,
        /// Message text.
        message: Sym,
        /// Parameters of an update, canonical JSON.
        params: Sym,
    },
}

impl StoredSignal {
    /// Most signals repeat the texts of the one before, `like`.
    fn new(signal: &Signal<'_>, like: Option<&Self>, symbols: &mut Symbols) -> Self {
        let mut again = |text: &str, guess: fn(&Self) -> Sym| {
            // Comparing two empty texts is slow: it reads behind addresses that are none, though nothing of it.
            if text.is_empty() {
                return Sym::default();
            }
            let guess = like.map(guess).filter(|guess| symbols.text(*guess) == text);
            guess.unwrap_or_else(|| symbols.intern(text))
        };
        let gateway = again(signal.gateway, |known| known.gateway);
        let address = again(signal.address, |known| known.address);
        let url = again(signal.url, |known| known.url);
        let hint = again(signal.hint, |known| known.hint);
        let body = match &signal.kind {
            &SignalKind::Trace { kind, message } => {
                StoredBody::Trace { kind, message: symbols.intern(message) }
            }
            &SignalKind::Status { state, output_fps, input_fps, has_error, start_time } => {
                let state = symbols.intern(state);
                StoredBody::Status { state, output_fps, input_fps, has_error, start_time }
            }
            SignalKind::Ai { kind, message, params } => StoredBody::Ai {
                kind: *kind,
                message: symbols.intern(message),
                params: symbols.intern(params),
            },
        };
        Self {
            ord_ts: signal.ord_ts,
            source_ts: signal.source_ts,
            record_ts: signal.record_ts,
            uid: Uid::new(signal.uid),
            gateway,
            address,
            url,
            hint,
            body,
            written: SignalWritten::default(),
        }
    }

    /// The clock of the payload time (lifecycle 0.2); of an event without one the gateway's.
    pub fn clock(&self) -> ClockDomain {
        match self.body {
            StoredBody::Trace { kind, .. } => kind.clock(),
            StoredBody::Ai { .. } if self.source_ts.is_none() => ClockDomain::Gateway,
            StoredBody::Status { .. } | StoredBody::Ai { .. } => ClockDomain::Runner,
        }
    }

    /// Rank of the family in the total order: trace, status, AI event.
    pub fn family_rank(&self) -> u8 {
        match self.body {
            StoredBody::Trace { .. } => 1,
            StoredBody::Status { .. } => 2,
            StoredBody::Ai { .. } => 3,
        }
    }

    /// The total order inside a session (lifecycle 1.7.5).
    pub fn total_order(&self, other: &Self) -> Ordering {
        (self.ord_ts, self.family_rank())
            .cmp(&(other.ord_ts, other.family_rank()))
            .then_with(|| self.uid.cmp(&other.uid))
    }
}
