//! Envelopes: a batch of events for one shard from one source partition (design.md, data path).
//!
//! Inside a node the items of an envelope stay as the reader decoded them ([`Lot`]); only what goes to
//! another node is encoded. The body of the frame is the length of the head (u32 little endian), the
//! head and the items.
//!
//! A frame between nodes has at most [`MAX_FRAME`] bytes. Items of several records are spread over as many
//! envelopes as they need, and a record that [fits] into none becomes a dead letter.

use std::borrow::Cow;
use std::io;
use std::slice;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capability::advertise::Advertisement;
use crate::codec::{self, CodecError, Framed, HEADER_LEN, Reader, TraceContext};
use crate::event::{Body, Event};
use crate::lot::Lot;
use crate::state::SourcePartition;
use crate::time::Timestamp;

/// Longest frame of an envelope or of notes between nodes, bytes.
pub const MAX_FRAME: usize = 16 << 20;
/// What a frame holds besides its items: header, head, and more hashes than text in what is hidden.
const BESIDE: usize = 1 << 20;
/// What becomes of a shorter record, with fewer aliases of a node, is far from the limit.
const SURE: (usize, usize) = (128 << 10, 16);

/// Whether all that a record becomes, `event` and what it says of nodes, fits into one frame. A node is
/// advertised to each of its keys with all of its keys, so a short text can become a long one.
pub fn fits(event: &Event<'_>, said: &[Advertisement]) -> bool {
    let (short, few) = SURE;
    if event.raw.len() <= short && said.iter().all(|said| said.content.aliases.len() <= few) {
        return true;
    }
    let advertised = |left: usize, said: &Advertisement| {
        let keys = said.routing_keys();
        let texts: usize = keys.iter().map(|key| key.len()).sum();
        let each = encoded_len(said, left)?.saturating_add(64);
        left.checked_sub(each.saturating_mul(keys.len()).saturating_add(texts))
    };
    let room = MAX_FRAME - BESIDE;
    let left = encoded_len(event, room).and_then(|len| room.checked_sub(len));
    said.iter().try_fold(left, |left, said| advertised(left?, said).map(Some)).flatten().is_some()
}

/// Bytes of a value as it travels; `None` when it has more than `limit`.
fn encoded_len(value: &impl Serialize, limit: usize) -> Option<usize> {
    struct Count {
        len: usize,
        limit: usize,
    }
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.len += bytes.len();
            if self.len > self.limit {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                Ok(bytes.len())
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count { len: 0, limit };
    rmp_serde::encode::write(&mut count, value).ok().map(|()| count.len)
}

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

    /// Bytes that the item holds in memory with its text, estimated.
    pub fn weight(&self) -> usize {
        let content = match self {
            Self::Session(_, event) | Self::Single(_, event) => match event.body {
                // What is taken out of a long text is a text's length again.
                Body::Capabilities(_) | Body::Discovery(_) => 2 * event.raw.len(),
                _ => event.raw.len(),
            },
            Self::Advertisement(_, advertised) => {
                let content = &advertised.advertisement.content;
                256 * (1 + content.offers.len() + content.aliases.len())
            }
        };
        size_of::<Self>() + content
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
    /// Version 2 added capacities to advertisements, version 3 the hash of their content.
    const VERSION: u16 = 3;
    const NAME: &'static str = "envelope";
}

/// A batch of items for one shard.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Where it comes from and goes to.
    pub head: EnvelopeHead,
    /// Trace context of the batch.
    pub trace: TraceContext,
    content: Content,
}

/// The items of an envelope.
#[derive(Clone, Debug)]
enum Content {
    /// As they travel: each is decoded when the shard comes to it.
    Encoded(Vec<u8>),
    /// Some of a lot that the envelopes of a batch of records share.
    Shared { lot: Arc<Lot>, places: Vec<u32>, cost: usize },
}

impl Envelope {
    /// An envelope of the items of `lot` at `places`. `head.count` is filled in.
    pub fn shared(
        mut head: EnvelopeHead,
        trace: TraceContext,
        lot: Arc<Lot>,
        places: Vec<u32>,
    ) -> Self {
        head.count = places.len() as u32;
        let cost = HEADER_LEN + items_of(&lot, &places).map(Item::weight).sum::<usize>();
        Self { head, trace, content: Content::Shared { lot, places, cost } }
    }

    /// Bytes that the envelope holds against a credit window. Where it is encoded, on another node,
    /// that is another number.
    pub fn cost(&self) -> usize {
        match &self.content {
            Content::Encoded(items) => items.len() + HEADER_LEN,
            Content::Shared { cost, .. } => *cost,
        }
    }

    /// The items in order. The iterator ends behind the first error; bytes behind the last item are
    /// one.
    pub fn items(&self) -> Items<'_> {
        Items(match &self.content {
            Content::Encoded(items) => Source::Encoded {
                reader: Reader::from_read_ref(items),
                left: Some(self.head.count),
            },
            Content::Shared { lot, places, .. } => Source::Shared { lot, places: places.iter() },
        })
    }

    /// The envelope as one frame.
    ///
    /// # Errors
    /// When an item can not be serialised or the body exceeds the frame limit.
    pub fn to_frame(&self) -> Result<Vec<u8>, CodecError> {
        let head = rmp_serde::to_vec(&self.head).map_err(|e| malformed(&e))?;
        let items = self.encoded()?;
        let head_len = (head.len() as u32).to_le_bytes();
        let len = head_len.len() + head.len() + items.len();
        if len > codec::MAX_BODY {
            return Err(CodecError::TooLarge { name: EnvelopeHead::NAME, len });
        }
        let mut frame = Vec::with_capacity(HEADER_LEN + len);
        codec::put_header::<EnvelopeHead>(&mut frame, len, self.trace);
        frame.extend_from_slice(&head_len);
        frame.extend_from_slice(&head);
        frame.extend_from_slice(&items);
        Ok(frame)
    }

    /// The items as they travel.
    fn encoded(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        match &self.content {
            Content::Encoded(items) => Ok(Cow::Borrowed(items)),
            Content::Shared { lot, places, cost } => {
                let mut items = Vec::with_capacity(*cost);
                items_of(lot, places).try_for_each(|item| put(&mut items, item))?;
                Ok(Cow::Owned(items))
            }
        }
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
        Ok(Self { head, trace, content: Content::Encoded(items.to_vec()) })
    }
}

/// The same frame.
impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        let same_items = || matches!((self.encoded(), other.encoded()), (Ok(a), Ok(b)) if a == b);
        self.head == other.head && self.trace == other.trace && same_items()
    }
}

fn split_head(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn malformed(e: &dyn std::fmt::Display) -> CodecError {
    CodecError::Body { name: EnvelopeHead::NAME, reason: e.to_string() }
}

fn items_of<'a>(lot: &'a Lot, places: &'a [u32]) -> impl Iterator<Item = &'a Item<'a>> {
    places.iter().filter_map(|&place| lot.get(place))
}

fn put(out: &mut Vec<u8>, item: &impl Serialize) -> Result<(), CodecError> {
    rmp_serde::encode::write(out, item).map_err(|e| malformed(&e))
}

/// Iterator over the items of an envelope.
#[derive(Debug)]
pub struct Items<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    /// Items to come from the reader; `None` behind the end.
    Encoded {
        reader: Reader<'a>,
        left: Option<u32>,
    },
    Shared {
        lot: &'a Lot,
        places: slice::Iter<'a, u32>,
    },
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Cow<'a, Item<'a>>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Encoded { reader, left } => Some(read(reader, left)?.map(Cow::Owned)),
            Source::Shared { lot, places } => {
                lot.get(*places.next()?).map(|item| Ok(Cow::Borrowed(item)))
            }
        }
    }
}

/// The next item, or what is wrong with the bytes behind the last.
fn read<'a>(
    reader: &mut Reader<'a>,
    left: &mut Option<u32>,
) -> Option<Result<Item<'a>, CodecError>> {
    let Some(rest) = (*left)?.checked_sub(1) else {
        *left = None;
        return codec::finish::<EnvelopeHead>(reader).err().map(Err);
    };
    let item = Item::deserialize(reader).map_err(|e| malformed(&e));
    *left = item.is_ok().then_some(rest);
    Some(item)
}

/// Collects items for one shard and encodes them at once.
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
        if let Err(e) = put(&mut self.items, item) {
            self.items.truncate(before);
            return Err(e);
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
        let content = Content::Encoded(std::mem::take(&mut self.items));
        Envelope { head, trace, content }
    }
}
