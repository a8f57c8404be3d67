//! The ways in which servers tell how an operation stands, and where its result is.

use serde::{Deserialize, Serialize};
use url::Url;

/// How a server tells how an operation stands. Recognised from its first answer, unless chosen.
///
/// | the first answer has | dialect | it has ended when | the result is |
/// | --- | --- | --- | --- |
/// | `Operation-Location` or `Azure-AsyncOperation` | [`StatusMonitor`](Self::StatusMonitor) | the monitor's `status` is a last one | see [`FinalStateVia`] |
/// | 202 with `statusQueryGetUri` | [`DurableFunctions`](Self::DurableFunctions) | `runtimeStatus` is a last one | `output` |
/// | 202 with `Location` | [`Location`](Self::Location) | the `Location` answers other than 202 | that answer |
/// | 200 or 201 (202 without a `Location`) with a `provisioningState` | [`BodyState`](Self::BodyState) | `provisioningState` is a last one | that answer |
/// | 200, 201 or 204 with none of them | none: it has ended already | at once | the first answer |
///
/// A monitor may also end with a redirect (303) to its result. An earlier row wins, but a 200 or 201 whose
/// `provisioningState` is a last one has ended, whatever its headers. This is the order of the [Azure REST
/// guidelines] and of the [ARM contract].
///
/// # Which server, which dialect
/// | server | dialect |
/// | --- | --- |
/// | raincheck | `StatusMonitor`, with the output in the monitor |
/// | Azure Resource Manager | `StatusMonitor`, `Location` or `BodyState`, by resource provider |
/// | Azure data planes (AI, Communication, Purview, …), Microsoft Fabric, Microsoft Graph's `Location` copies | `StatusMonitor` or `Location` |
/// | Azure Durable Functions (`CreateCheckStatusResponse`) | `DurableFunctions` |
/// | Logic Apps' Request trigger with an asynchronous Response action | `Location` |
/// | anything that answers 202 with `Location`, or ends with a 303 to its result | `Location` |
///
/// [Azure REST guidelines]: https://github.com/microsoft/api-guidelines/blob/vNext/azure/ConsiderationsForServiceDesign.md
/// [ARM contract]: https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Dialect {
    /// A URL that answers 202 until the work has ended, and then something else.
    Location,
    /// A URL that answers 200 with a `status`.
    StatusMonitor,
    /// The resource itself, with a `provisioningState`.
    BodyState,
    /// Durable Functions' HTTP management API, with a `runtimeStatus`.
    DurableFunctions,
}

/// Where the result is once a status monitor says `Succeeded` (Azure's `final-state-via`).
///
/// By default a PUT or PATCH reads its own URL again, a POST reads `Location` if the server gave one, and
/// everything else finds the result in the monitor: in its member `result` if it has one, or as its whole
/// body. A `resourceLocation` in the monitor wins over the default, and so does an output inside the monitor
/// of a raincheck server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FinalStateVia {
    /// The newest `Location`.
    Location,
    /// The monitor itself; also called `azure-async-operation`.
    OperationLocation,
    /// The URL of the start.
    OriginalUri,
}

/// What following an operation has learnt so far; with the id this is all that a resume token holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    /// `None` for a URL that came without one: then each answer is taken for what it looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dialect: Option<Dialect>,
    /// What is asked next.
    #[serde(rename = "url")]
    pub(crate) at: Url,
    #[serde(default, skip_serializing_if = "ResultAt::is_here")]
    pub(crate) result: ResultAt,
    /// The work has ended well and only its result has to be fetched, from `at`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) fetching: bool,
    /// The start was a PUT, PATCH or DELETE. Then a `provisioningState` in an answer is about this operation;
    /// what a POST gives back may be a resource with a history of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) about_resource: bool,
    /// What is asked is the resource that the start makes, and no URL of the operation's own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) resource: bool,
    /// The operation's own URL, where it differs from the monitor: a raincheck server's `Location`. It is
    /// what people pass around, what is canceled, and what explains a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<Box<Url>>,
    /// Where a POST ends the operation: Durable Functions' `terminatePostUri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) terminate: Option<Box<Url>>,
}

/// Where the result will be.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResultAt {
    /// In the answer that says that the work has ended.
    #[default]
    Here,
    /// The same, whatever else an answer offers: the caller has chosen it.
    OnlyHere,
    /// At a place that does not change.
    Resource(Box<Url>),
    /// At the newest `Location`.
    Location(Box<Url>),
}

impl ResultAt {
    fn is_here(&self) -> bool {
        *self == Self::Here
    }
}

// serde hands over a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Course {
    /// The course of a URL about which nothing else is known.
    pub(crate) fn unknown(at: Url) -> Self {
        Self {
            dialect: None,
            at,
            result: ResultAt::Here,
            fetching: false,
            about_resource: false,
            resource: false,
            home: None,
            terminate: None,
        }
    }

    /// Every URL that it knows.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &Url> {
        let result = match &self.result {
            ResultAt::Resource(url) | ResultAt::Location(url) => Some(&**url),
            ResultAt::Here | ResultAt::OnlyHere => None,
        };
        let others = [self.home.as_deref(), self.terminate.as_deref(), result];
        others.into_iter().flatten().chain([&self.at])
    }

    /// The URL of the operation and of nothing else; `None` if what is asked is a resource, or the result.
    pub(crate) fn operation_url(&self) -> Option<&Url> {
        let other = self.fetching || self.resource || self.dialect == Some(Dialect::BodyState);
        self.home.as_deref().or((!other).then_some(&self.at))
    }

    /// The URL that stands for the operation among people.
    pub(crate) fn url(&self) -> &Url {
        self.home.as_deref().unwrap_or(&self.at)
    }
}
