//! Envelopes: a batch of events for one shard from one source partition (design.md, data path).
//!
//! The body of the frame is the length of the head (u32 little endian), the head and the items.

use serde::{Deserialize, Serialize};

use crate::capability::advertise::Advertisement;
use crate::codec::{self, CodecError, Framed, HEADER_LEN, Reader, TraceContext};
use crate::event::Event;
use crate::state::SourcePartition;
use crate::time::Timestamp;

/// One thing for one entity of a shard. The number is the entity's id (`identity::EntityId`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Item<'a> {
    /// An event of a session.
    #[serde(rename = "s")]
    Session(u128, #[serde(borrow)] Event<'a>),
    /// An event whose only effect is rows of its own: the guard against duplicates of (org, uid).
    #[serde(rename = "e")]
    Single(u128, #[serde(borrow)] Event<'a>),
    /// What an event says about one node, for one of the identities that name it.
    #[serde(rename = "a")]
    Advertisement(u128, Advertised),
}

impl Item<'_> {
    /// Envelope time of the event behind the item.
    pub fn event_ts(&self) -> Timestamp {
        match self {
            Self::Session(_, event) | Self::Single(_, event) => event.event_ts,
            Self::Advertisement(_, advertised) => advertised.advertisement.event_ts,
        }
    }
}

/// An [`Item`] whose content is borrowed; same bytes.
#[derive(Serialize)]
enum ItemRef<'r, 'a> {
    #[serde(rename = "s")]
    Session(u128, &'r Event<'a>),
    #[serde(rename = "e")]
    Single(u128, &'r Event<'a>),
    #[serde(rename = "a")]
    Advertisement(u128, &'r Advertised),
}

/// An advertisement on its way to one of the identities that name its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    /// The identity key: a normalised url, canonical address or alias.
    pub key: String,
    /// What was said.
    pub advertisement: Advertisement,
}

/// Head of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeHead {
    /// The shard addressed.
    pub shard: u16,
    /// Epoch that the sender believes the shard to be in; a hint.
    pub epoch_hint: u64,
    /// Organisation of the source topic.
    pub org: String,
    /// Source partition.
    pub source: SourcePartition,
    /// First offset that the envelope stands for: the end of the previous one for this shard.
    pub from: u64,
    /// First offset after those that it stands for. Offsets in between that held nothing for the
    /// shard are covered too.
    pub to: u64,
    /// Number of items.
    pub count: u32,
}

impl Framed for EnvelopeHead {
    const TYPE_ID: u16 = 0x0301;
    const VERSION: u16 = 1;
    const NAME: &'static str = "envelope";
}

/// A batch of items for one shard. The items stay encoded until the shard folds them, so a local
/// hand-over costs nothing and a remote one costs a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where it comes from and goes to.
    pub head: EnvelopeHead,
    /// Trace context of the batch.
    pub trace: TraceContext,
    items: Vec<u8>,
}

impl Envelope {
    /// Bytes that the envelope holds against a credit window.
    pub fn cost(&self) -> usize {
        self.items.len() + HEADER_LEN
    }

    /// The items in order. The iterator ends behind the first error; bytes behind the last item are
    /// one.
    pub fn items(&self) -> Items<'_> {
        Items { reader: Reader::from_read_ref(&self.items), left: Some(self.head.count) }
    }

    /// The envelope as one frame.
    ///
    /// # Errors
    /// When the body exceeds the frame limit.
    pub fn to_frame(&self) -> Result<Vec<u8>, CodecError> {
        let head = rmp_serde::to_vec(&self.head).map_err(|e| malformed(&e))?;
        let head_len = (head.len() as u32).to_le_bytes();
        let len = head_len.len() + head.len() + self.items.len();
        if len > codec::MAX_BODY {
            return Err(CodecError::TooLarge { name: EnvelopeHead::NAME, len });
        }
        let mut frame = Vec::with_capacity(HEADER_LEN + len);
        codec::put_header::<EnvelopeHead>(&mut frame, len, self.trace);
        frame.extend_from_slice(&head_len);
        frame.extend_from_slice(&head);
        frame.extend_from_slice(&self.items);
        Ok(frame)
    }

    /// The envelope in a frame. Items are not decoded yet.
    ///
    /// # Errors
    /// When the frame is not a readable envelope.
    pub fn from_frame(frame: &[u8]) -> Result<Self, CodecError> {
        let (_version, trace, body) = codec::open::<EnvelopeHead>(frame)?;
        let (head, items) = split_head(body).ok_or_else(|| malformed(&"the head is cut short"))?;
        let mut reader = Reader::from_read_ref(head);
        let head = EnvelopeHead::deserialize(&mut reader).map_err(|e| malformed(&e))?;
        codec::finish::<EnvelopeHead>(&mut reader)?;
        Ok(Self { head, trace, items: items.to_vec() })
    }
}

fn split_head(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn malformed(e: &dyn std::fmt::Display) -> CodecError {
    CodecError::Body { name: EnvelopeHead::NAME, reason: e.to_string() }
}

/// Iterator over the items of an envelope.
#[derive(Debug)]
pub struct Items<'a> {
    reader: Reader<'a>,
    /// Items to come; `None` behind the end.
    left: Option<u32>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(left) = self.left?.checked_sub(1) else {
            self.left = None;
            return codec::finish::<EnvelopeHead>(&mut self.reader).err().map(Err);
        };
        let item = Item::deserialize(&mut self.reader).map_err(|e| malformed(&e));
        self.left = item.is_ok().then_some(left);
        Some(item)
    }
}

/// Collects items for one shard.
#[derive(Debug, Default)]
pub struct EnvelopeBuilder {
    items: Vec<u8>,
    count: u32,
}

impl EnvelopeBuilder {
    /// Adds an [`Item::Session`].
    ///
    /// # Errors
    /// When the item can not be serialised; what was added before stays.
    pub fn push_session(&mut self, entity: u128, event: &Event<'_>) -> Result<(), CodecError> {
        self.push(&ItemRef::Session(entity, event))
    }

    /// Adds an [`Item::Single`].
    ///
    /// # Errors
    /// As [`EnvelopeBuilder::push_session`].
    pub fn push_single(&mut self, entity: u128, event: &Event<'_>) -> Result<(), CodecError> {
        self.push(&ItemRef::Single(entity, event))
    }

    /// Adds an [`Item::Advertisement`].
    ///
    /// # Errors
    /// As [`EnvelopeBuilder::push_session`].
    pub fn push_advertisement(
        &mut self,
        entity: u128,
        advertised: &Advertised,
    ) -> Result<(), CodecError> {
        self.push(&ItemRef::Advertisement(entity, advertised))
    }

    fn push(&mut self, item: &ItemRef<'_, '_>) -> Result<(), CodecError> {
        let before = self.items.len();
        if let Err(e) = rmp_serde::encode::write(&mut self.items, item) {
            self.items.truncate(before);
            return Err(malformed(&e));
        }
        self.count += 1;
        Ok(())
    }

    /// True when nothing was added since the last [`EnvelopeBuilder::seal`].
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes an envelope of what was added and starts anew. `head.count` is filled in.
    pub fn seal(&mut self, mut head: EnvelopeHead, trace: TraceContext) -> Envelope {
        head.count = std::mem::take(&mut self.count);
        Envelope { head, trace, items: std::mem::take(&mut self.items) }
    }
}
