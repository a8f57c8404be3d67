//! Other declared actions for a server that runs: all of them, or none.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use raincheck_openapi::document::DocumentSettings;
use tokio::sync::{mpsc, oneshot};

use super::BuildError;
use crate::action::{Registered, Registry};
use crate::declared::DeclaredActions;
use crate::document;
use crate::engine::Engine;
use crate::store::StoreError;

/// Gives a server other declared actions while it runs; made by [`Server::reloader`](super::Server::reloader).
///
/// Actions in Rust stay as they are. Nothing that runs is dropped: an operation goes on with the action that it began
/// with, and one that waited for an action that nobody knew is taken up as soon as there is one.
#[derive(Clone)]
pub struct Reloader {
    offer: Arc<Offer>,
    send: mpsc::Sender<Reload>,
}

/// What a server always has.
pub(super) struct Offer {
    /// The actions in Rust.
    pub(super) actions: Vec<Arc<Registered>>,
    pub(super) shortest_retention: Duration,
    pub(super) settings: DocumentSettings,
}

/// What is to be served from now on.
pub(super) struct Prepared {
    pub(super) registry: Registry,
    pub(super) document: Bytes,
}

/// What is to be served, and who is told that it is.
type Reload = (Prepared, oneshot::Sender<Result<usize, StoreError>>);

impl Offer {
    /// The actions in Rust and those, and the document of both.
    pub(super) fn with(&self, declared: &DeclaredActions) -> Result<Prepared, BuildError> {
        let mut registry = Registry::default();
        for action in self.actions.iter().cloned().chain(declared.register()) {
            registry.add(action, self.shortest_retention)?;
        }
        let document = document::render(&self.settings, &registry)?;
        Ok(Prepared { registry, document })
    }
}

impl Reloader {
    /// Serves these declared actions from now on, instead of those before. Says how many operations were taken up that
    /// had waited for one of them.
    ///
    /// # Errors
    /// If they cannot be served beside the actions in Rust; then nothing has changed. [`BuildError::Store`] if the store
    /// cannot be read or the server has stopped; then the actions may be the new ones already, and what waited for
    /// them waits on.
    pub async fn reload(&self, declared: &DeclaredActions) -> Result<usize, BuildError> {
        let prepared = self.offer.with(declared)?;
        let (tell, told) = oneshot::channel();
        self.send.send((prepared, tell)).await.map_err(|_| StoreError::Closed)?;
        Ok(told.await.unwrap_or(Err(StoreError::Closed))?)
    }
}

/// The end of a server at which reloads arrive.
pub(super) struct Reloads {
    reloader: Reloader,
    receive: mpsc::Receiver<Reload>,
}

impl Reloads {
    pub(super) fn new(offer: Offer) -> Self {
        // One after the other: whoever reloads waits for the answer.
        let (send, receive) = mpsc::channel(1);
        Self { reloader: Reloader { offer: Arc::new(offer), send }, receive }
    }

    pub(super) const fn reloader(&self) -> &Reloader {
        &self.reloader
    }

    pub(super) fn prepare(&self, declared: &DeclaredActions) -> Result<Prepared, BuildError> {
        self.reloader.offer.with(declared)
    }

    /// Does what reloaders ask for, for as long as it is polled.
    pub(super) async fn carry_out(mut self, engine: &Engine, shown: &ArcSwap<Bytes>) {
        while let Some((Prepared { registry, document }, tell)) = self.receive.recv().await {
            let followed = engine.follow(registry).await;
            shown.store(Arc::new(document));
            // Whoever asked may be gone.
            let _ = tell.send(followed);
        }
    }
}
