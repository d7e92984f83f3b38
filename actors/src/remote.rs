//! References to actors of other nodes.

use ractor::{ActorCell, ActorRef, Message};
use thiserror::Error;

/// The session with the other node has ended.
#[derive(Clone, Copy, Debug, Error)]
#[error("the link has ended")]
pub struct LinkEnded;

/// An actor of another node. It can be sent messages and nothing else: to stop, kill or drain a remote
/// reference would end the link to its whole node.
#[derive(Debug)]
pub struct Remote<M: Message>(ActorRef<M>);

impl<M: Message> Clone for Remote<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Message> Remote<M> {
    /// The remote actor behind `cell`, which must take messages of type `M`.
    pub fn new(cell: ActorCell) -> Self {
        Self(cell.into())
    }

    /// Sends a message. It may be lost with the link.
    ///
    /// # Errors
    /// When the link is known to have ended, or the message is not one for other nodes.
    pub fn cast(&self, message: M) -> Result<(), LinkEnded> {
        self.0.cast(message).map_err(|_| LinkEnded)
    }
}
