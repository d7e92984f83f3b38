//! The outlet towards one peer: messages wait here, become batches, and wait for their
//! acknowledgement.
//!
//! Batching adapts: a message that comes alone waits for [`LINGER`] in case others follow; while
//! batches wait for room in the window, messages pile up to [`FULL`] bytes each, so that the cost of a
//! message falls as load rises.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use naap_protocol::cluster::{BatchAck, BatchHead};
use naap_protocol::codec::{self, TraceContext};
use naap_protocol::wire::MAX_FRAME;
use tokio::sync::Notify;

use super::{Breaker, ExchangeMsg, dropped};
use crate::names;
use crate::peers::PeerMsg;
use crate::remote::Remote;

/// Bytes under way over one link at most, while more than one batch is.
pub const WINDOW: usize = 4 << 20;
/// Bytes that wait for or go over one link at most. The windows of readers stay far below.
pub const BUDGET: usize = 64 << 20;
/// Longest body of a batch: one that is not full yet, and the longest message.
pub const BATCH: usize = MAX_FRAME + FULL;
/// Notes are cut into frames of this size.
const PART: usize = 512 << 10;
/// A batch of this size waits for nothing more.
const FULL: usize = 128 << 10;
/// How long a message that comes alone waits for others.
const LINGER: Duration = Duration::from_millis(1);

/// Where messages for one peer wait. Closes with its last handle.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    node: String,
    peer: Arc<str>,
    link: u64,
    exchange: Remote<ExchangeMsg>,
    queue: Mutex<Queue>,
    /// Something has changed that the sender waits for.
    changed: Notify,
    breaker: Breaker,
}

/// What bounds an outlet, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// See [`FULL`].
    pub full: usize,
    /// See [`WINDOW`].
    pub window: usize,
    /// See [`BUDGET`].
    pub budget: usize,
}

const LIMITS: Limits = Limits { full: FULL, window: WINDOW, budget: BUDGET };

/// The state of an outlet. Pure: what happens is in [`Queue::push`], [`Queue::next`], [`Queue::acked`].
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    /// Batches that wait; all but the last are full.
    waiting: VecDeque<Batch>,
    waiting_bytes: usize,
    /// Number, size and start of the batches under way, in order.
    under_way: VecDeque<(u64, usize, Instant)>,
    under_way_bytes: usize,
    next: u64,
    closed: bool,
}

/// Messages that travel together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub number: u64,
    pub trace: TraceContext,
    pub count: u32,
    pub body: Vec<u8>,
}

/// A message did not fit into the budget.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Queue {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            next: 0,
            closed: false,
        }
    }

    /// Nothing waits and nothing is taken any more.
    fn close(&mut self) {
        *self = Self { closed: true, ..Self::new(self.limits) };
    }

    /// Adds a message.
    ///
    /// # Errors
    /// When it would exceed the budget. The queue is closed then: a message must not be missing
    /// between others.
    pub fn push(&mut self, frame: &[u8], trace: TraceContext) -> Result<(), Overflow> {
        if self.closed {
            return Err(Overflow);
        }
        if self.waiting_bytes + self.under_way_bytes + frame.len() > self.limits.budget {
            self.close();
            return Err(Overflow);
        }
        if self.waiting.back().is_none_or(|batch| batch.body.len() >= self.limits.full) {
            self.waiting.push_back(Batch { trace, ..Batch::default() });
        }
        if let Some(batch) = self.waiting.back_mut() {
            batch.body.extend_from_slice(frame);
            batch.count += 1;
        }
        self.waiting_bytes += frame.len();
        Ok(())
    }

    /// Something waits, and nothing but time keeps it.
    fn is_partial(&self) -> bool {
        self.waiting.front().is_some_and(|batch| batch.body.len() < self.limits.full)
    }

    /// The next batch, if one waits and the window has room for it.
    pub fn next(&mut self, now: Instant) -> Option<Batch> {
        let size = self.waiting.front()?.body.len();
        if self.under_way_bytes > 0 && self.under_way_bytes + size > self.limits.window {
            return None;
        }
        let mut batch = self.waiting.pop_front()?;
        batch.number = self.next;
        self.next += 1;
        self.waiting_bytes -= size;
        self.under_way_bytes += size;
        self.under_way.push_back((batch.number, size, now));
        Some(batch)
    }

    /// The peer has taken the batches up to this one. Returns how long it was under way; `None` when
    /// it was not.
    pub fn acked(&mut self, number: u64, now: Instant) -> Option<Duration> {
        let mut took = None;
        while let Some(&(oldest, size, since)) = self.under_way.front() {
            if oldest > number {
                break;
            }
            self.under_way.pop_front();
            self.under_way_bytes -= size;
            took = Some(now.saturating_duration_since(since));
        }
        took
    }
}

impl Outlet {
    /// Opens link number `own.1` of node `own.0` to `peer` and starts to send.
    pub fn open(
        own: (&str, u64),
        peer: &Arc<str>,
        exchange: Remote<ExchangeMsg>,
        breaker: Breaker,
    ) -> Self {
        let shared = Arc::new(Shared {
            node: own.0.to_owned(),
            peer: peer.clone(),
            link: own.1,
            exchange,
            queue: Mutex::new(Queue::new(LIMITS)),
            changed: Notify::new(),
            breaker,
        });
        tokio::spawn(send(shared.clone()));
        Self { shared }
    }

    /// Takes a message. One that is too long for a link is left out, which costs what a lost message
    /// costs; to close the link would cost everybody else's.
    pub fn push(&self, message: PeerMsg) {
        let (frames, trace) = match message {
            PeerMsg::Envelope(envelope) => {
                (envelope.to_frame().map(|frame| vec![frame]), envelope.trace)
            }
            PeerMsg::Notes(notes) => (notes.frames(PART), TraceContext::default()),
        };
        match frames {
            Err(error) => self.left_out(&error.to_string()),
            Ok(frames) => {
                for frame in frames {
                    match frame.len() {
                        ..=MAX_FRAME => self.push_frame(&frame, trace),
                        long => {
                            self.left_out(&format!("it has {long} bytes, more than {MAX_FRAME}"));
                        }
                    }
                }
            }
        }
    }

    /// Refuses what the peer has sent in a batch that was acknowledged already: of no link and no number.
    pub fn refuse(&self, reason: &str) {
        let (node, refusal) = (self.shared.node.clone(), Some(reason.to_owned()));
        let ack = BatchAck { node, link: u64::MAX, number: 0, refusal };
        // A link that has ended is reported by itself.
        let _ = self.shared.exchange.cast(ExchangeMsg::Ack(ack));
    }

    fn left_out(&self, reason: &str) {
        dropped("too_large");
        let peer = &*self.shared.peer;
        tracing::error!(peer, reason, "a message does not fit into a link and is left out");
    }

    fn push_frame(&self, frame: &[u8], trace: TraceContext) {
        if self.shared.queue(|queue| queue.push(frame, trace)).is_err() {
            dropped("overflow");
            let peer = &*self.shared.peer;
            tracing::debug!(peer, "more waits for a peer than its budget; the link is closed");
            self.shared.breaker.cut();
        }
        self.shared.changed.notify_one();
    }

    /// The peer has taken a batch of a link.
    pub fn acked(&self, link: u64, number: u64) {
        if link != self.shared.link {
            return;
        }
        if let Some(took) = self.shared.queue(|queue| queue.acked(number, Instant::now())) {
            metrics::histogram!(names::PEER_ACK_SECONDS).record(took.as_secs_f64());
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.shared.queue(Queue::close);
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn queue<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        // Each change is whole also after a panic elsewhere.
        act(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends batches until the outlet closes.
async fn send(shared: Arc<Shared>) {
    let peer = shared.peer.to_string();
    let waiting = metrics::gauge!(names::PEER_WAITING_BYTES, "peer" => peer.clone());
    let under_way = metrics::gauge!(names::PEER_UNDER_WAY_BYTES, "peer" => peer);
    let sent = metrics::counter!(names::PEER_BATCHES, "way" => "out");
    let sizes = metrics::histogram!(names::PEER_BATCH_BYTES);
    loop {
        if shared.queue(|queue| queue.is_partial()) {
            tokio::time::sleep(LINGER).await;
        }
        let (batch, closed) = shared.queue(|queue| (queue.next(Instant::now()), queue.closed));
        let levels = shared.queue(|queue| (queue.waiting_bytes, queue.under_way_bytes));
        waiting.set(levels.0 as f64);
        under_way.set(levels.1 as f64);
        match batch {
            _ if closed => {
                waiting.set(0.0);
                under_way.set(0.0);
                return;
            }
            None => shared.changed.notified().await,
            Some(Batch { number, trace, count, body }) => {
                sent.increment(1);
                sizes.record(body.len() as f64);
                let head =
                    BatchHead { node: shared.node.clone(), link: shared.link, number, count };
                let Ok(head) = codec::encode(&head, trace) else { return shared.breaker.cut() };
                // A link that has ended is reported by itself.
                let _ = shared.exchange.cast(ExchangeMsg::Batch { head, body });
            }
        }
    }
}
