//! Appends to the topic: idempotent, acknowledged by all in-sync replicas, in order.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use naap_actors::ports::StateLogError;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::topic::MESSAGE_BYTES;

/// Wait for room in the queue of the client.
const ROOM: Duration = Duration::from_millis(5);

/// Appends that are waited for together.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    left: usize,
    failure: Option<String>,
}

impl Pending {
    fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).left += 1;
    }

    fn end(&self, failure: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left -= 1;
        state.failure = state.failure.take().or(failure);
        if state.left == 0 {
            self.done.notify_all();
        }
    }

    /// Returns when everything is acknowledged.
    pub fn wait(&self) -> Result<(), StateLogError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.done.wait_while(state, |state| state.left > 0);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.failure.take().map_or(Ok(()), |reason| Err(StateLogError(reason)))
    }
}

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::warn!(target: "librdkafka", facility, "{message}"),
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Arc<Pending>) {
        pending.end(result.as_ref().err().map(|(error, _)| error.to_string()));
    }
}

/// The producer of the state log.
pub(super) struct Writer {
    producer: ThreadedProducer<Context>,
    topic: String,
}

impl Writer {
    /// A producer with these connection settings.
    pub fn new(mut client: ClientConfig, topic: &str) -> Result<Self, ClientError> {
        let longest = MESSAGE_BYTES.to_string();
        let settings = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.codec", "lz4"),
            ("linger.ms", "5"),
            ("message.timeout.ms", "60000"),
            ("message.max.bytes", longest.as_str()),
            ("queue.buffering.max.kbytes", "65536"),
        ];
        for (key, value) in settings {
            client.set(key, value);
        }
        let producer = client.create_with_context(Context)?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// What is the end of the partition of `shard` now. Asked over this client, as on the reader's connection a
    /// question waits behind its fetch.
    pub fn end(&self, shard: u16, longest: Duration) -> Result<i64, ClientError> {
        let client = self.producer.client();
        client.fetch_watermarks(&self.topic, i32::from(shard), longest).map(|(_, end)| end)
    }

    /// Appends a record to the partition of `shard`; a tombstone without a value. Waits while the
    /// client has too much in hand.
    pub fn send(
        &self,
        shard: u16,
        key: &[u8],
        value: Option<&[u8]>,
        pending: &Arc<Pending>,
    ) -> Result<(), StateLogError> {
        pending.begin();
        let mut record = BaseRecord::with_opaque_to(&self.topic, Arc::clone(pending))
            .partition(i32::from(shard))
            .key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, again))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    record = again;
                    std::thread::sleep(ROOM);
                }
                Err((error, _)) => {
                    let fatal = self.producer.client().fatal_error();
                    let reason =
                        fatal.map_or(error.to_string(), |(code, why)| format!("{code}: {why}"));
                    pending.end(Some(reason.clone()));
                    return Err(StateLogError(reason));
                }
            }
        }
    }
}
