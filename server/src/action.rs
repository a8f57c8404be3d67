//! What an action is: a name, an input, an output, a custom status, and an async function.
//!
//! [`Action`] is what users write; [`Context`] is what its handler gets; [`Port`](port::Port) is the small interface
//! below the context that an engine implements; [`Registry`] holds the actions of a server.

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

mod branch;
mod context;
mod current;
mod event;
mod failure;
pub mod port;
mod registered;
mod registry;
mod retry;
mod settings;
mod step;
mod strict;

pub use branch::Branch;
pub use context::Context;
pub(crate) use current::Actions;
pub(crate) use event::EventCheck;
pub use event::{Choice, EventSettings, Question};
pub use failure::{Failure, FailureKind};
pub(crate) use registered::{Handler, fit};
pub use registered::{Registered, Schemas};
pub(crate) use registry::check;
pub use registry::{Registry, RegistryError};
pub use retry::RetryPolicy;
pub use settings::{Pace, Settings, Shield};
pub use step::{Step, StepContext};

/// Something that a caller can start.
///
/// The handler is an ordinary async function. What it awaits through its context is journaled; after a crash it runs
/// again from the top and is given the journaled results. So everything that touches the world belongs into a
/// [`step`](Context::step), and between steps the handler only computes and awaits its context.
///
/// ```
/// use raincheck_server::{Action, Context, Failure};
///
/// struct Greet;
///
/// #[derive(serde::Deserialize, utoipa::ToSchema)]
/// struct Guest { name: String }
///
/// impl Action for Greet {
///     const NAME: &'static str = "greet";
///     type Input = Guest;
///     type Output = String;
///     type Status = String;
///
///     async fn run(&self, cx: &mut Context<String>, guest: Guest) -> Result<String, Failure> {
///         cx.custom_status("Thinking".to_owned());
///         let word = cx.step("choose-word", async |_| Ok::<_, Failure>("Hello".to_owned())).await?;
///         Ok(format!("{word}, {}!", guest.name))
///     }
/// }
/// ```
pub trait Action: Send + Sync + 'static {
    /// Its name in URLs: lower case, digits and hyphens.
    const NAME: &'static str;

    /// What a caller gives. Its schema is in the OpenAPI document; JSON that does not fit is refused with 422.
    type Input: DeserializeOwned + ToSchema + Send + 'static;

    /// What a caller gets. Public.
    type Output: Serialize + ToSchema + Send + 'static;

    /// What the handler publishes while it runs. Public; any small JSON value.
    type Status: Serialize + ToSchema + Send + 'static;

    /// How the server treats it: version, events, limits, what callers may ask for.
    fn settings(&self) -> Settings {
        Settings::default()
    }

    /// The work.
    fn run(
        &self,
        cx: &mut Context<Self::Status>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}
