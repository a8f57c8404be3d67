//! What is said about the work as it goes on, if the caller wants to hear it: events and spans for `tracing`,
//! counts and durations for `metrics`. Never a URL, a header or a body: each may hold a secret.

/// `tracing::debug!`, or nothing without the feature.
#[cfg(feature = "tracing")]
macro_rules! debug {
    ($($event:tt)*) => { tracing::debug!($($event)*) };
}

#[cfg(not(feature = "tracing"))]
macro_rules! debug {
    ($($event:tt)*) => {{}};
}

pub(crate) use debug;
