//! Signals that ask the service to stop: the first begins an ordered stop, the second ends it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// SIGTERM and SIGINT of this process, from now on.
#[derive(Debug)]
pub(crate) struct StopSignals(watch::Receiver<Heard>);

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    first: Option<Instant>,
    again: bool,
}

impl StopSignals {
    /// Begins to listen: neither signal ends the process by itself any more.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, heard) = watch::channel(Heard::default());
        tokio::spawn(async move {
            while !sender.is_closed() {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                sender.send_modify(|heard| {
                    heard.again = heard.first.is_some();
                    heard.first = heard.first.or_else(|| Some(Instant::now()));
                });
            }
        });
        Ok(Self(heard))
    }

    /// Returns when the service is asked to stop, with the moment.
    pub async fn first(&self) -> Instant {
        self.until(|heard| heard.first).await
    }

    /// Returns when it is asked again.
    pub async fn second(&self) {
        self.until(|heard| heard.again.then_some(())).await;
    }

    async fn until<T>(&self, found: impl Fn(&Heard) -> Option<T>) -> T {
        let mut heard = self.0.clone();
        loop {
            if let Some(found) = found(&heard.borrow_and_update()) {
                return found;
            }
            if heard.changed().await.is_err() {
                // Nobody listens any more, so nothing will be heard.
                std::future::pending::<()>().await;
            }
        }
    }
}
