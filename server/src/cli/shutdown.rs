//! Signals: the first one ends the server in good order, a second one ends it at once; SIGHUP reads the actions again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a server. From its making on, they no longer end the process by themselves.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes over the signals. Within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Ends with the first signal; the second one ends the process.
    ///
    /// Nothing is lost by that: what was accepted is on the disk, and the next start goes on with it.
    pub(super) async fn first(mut self) {
        self.next().await;
        tracing::info!("shutting down; a second signal ends at once");
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("ended by a second signal");
            std::process::exit(1);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGHUP: the declared actions are to be read again. From its making on, it no longer ends the process.
pub(super) struct HangUps(Signal);

impl HangUps {
    /// Takes over the signal. Within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one. False once there can be none.
    pub(super) async fn next(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
