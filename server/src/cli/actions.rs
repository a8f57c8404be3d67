//! The actions of this binary: the samples.

use raincheck_server::ServerBuilder;
use raincheck_server::config::Config;
use raincheck_server::samples::{Countdown, RequestApproval, SubmitTalk};

/// Registers the samples, unless they are switched off.
pub(super) fn register(builder: ServerBuilder, config: &Config) -> ServerBuilder {
    if !config.samples.enabled {
        return builder;
    }
    builder
        .license("MIT OR Apache-2.0")
        .action(SubmitTalk::from(&config.samples.submit_talk))
        .action(RequestApproval)
        .action(Countdown)
}
