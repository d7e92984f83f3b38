//! What can happen in the small cluster.

use super::world::NODES;

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Flip,
    Compact,
    Learn(usize),
    Recheck(usize),
    Suspect(usize),
    /// The other node is suspect: this one reads ahead.
    Ahead(usize),
    /// It is so no more.
    Trust(usize),
    Elapse(usize),
    /// A boot ends, or its actors do while the process goes on; what it has sent still arrives.
    Crash(usize),
    /// A boot ends, and with it what it has sent.
    Vanish(usize),
    Read(usize),
    Land(usize),
    Deliver(usize),
    Save(usize),
    Write(usize),
    Store(usize),
    Drain(usize),
    /// A session ends.
    Mark(usize),
    /// The group assigns the input to this node.
    Assign(usize),
    /// It learns that it is assigned to another.
    Revoke(usize),
    /// Its reader asks the shard of this node, or of the other, where that is.
    Attach(usize, usize),
    /// Its reader hears nothing of its shard.
    Detach(usize),
    Send(usize),
    Arrive(usize),
    Lose(usize),
    Commit(usize),
}

impl Step {
    /// Every step, possible or not.
    pub fn all() -> impl Iterator<Item = Step> {
        let each = [
            Step::Learn,
            Step::Recheck,
            Step::Suspect,
            Step::Ahead,
            Step::Trust,
            Step::Elapse,
            Step::Crash,
            Step::Vanish,
            Step::Read,
            Step::Land,
            Step::Deliver,
            Step::Save,
            Step::Write,
            Step::Store,
            Step::Drain,
            Step::Mark,
            Step::Assign,
            Step::Revoke,
            Step::Detach,
            Step::Send,
            Step::Arrive,
            Step::Lose,
            Step::Commit,
        ];
        let of_nodes =
            (0..NODES).flat_map(move |node| each.map(|step: fn(usize) -> Step| step(node)));
        let attach = (0..NODES).flat_map(|node| (0..NODES).map(move |to| Step::Attach(node, to)));
        [Step::Flip, Step::Compact].into_iter().chain(of_nodes).chain(attach)
    }

    /// It changes neither what is promised nor what is stored.
    pub fn is_harmless(self) -> bool {
        let input = matches!(
            self,
            Self::Assign(_) | Self::Revoke(_) | Self::Attach(..) | Self::Detach(_) | Self::Send(_)
        );
        let taken = matches!(self, Self::Deliver(_) | Self::Arrive(_) | Self::Lose(_));
        input || taken || matches!(self, Self::Save(_) | Self::Learn(_) | Self::Flip)
    }
}
