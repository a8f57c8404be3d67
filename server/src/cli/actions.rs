//! The actions of this binary: the samples.

use raincheck_server::ServerBuilder;
use raincheck_server::config::{Config, NotifyBy};
use raincheck_server::outbound::Outbound;
use raincheck_server::samples::{Countdown, SubmitTalk};

use super::failure::Failure;

/// Registers the samples, unless they are switched off.
pub(super) fn register(builder: ServerBuilder, config: &Config) -> Result<ServerBuilder, Failure> {
    if !config.samples.enabled {
        return Ok(builder);
    }
    let approval = &config.samples.request_approval;
    let failed =
        |error: &dyn std::error::Error| Failure::because("the notification of request-approval", error);
    let outbound = match approval.notify {
        NotifyBy::None => None,
        _ => Some(Outbound::new(config.outbound.clone()).map_err(|error| failed(&error))?),
    };
    let approval = approval.action(outbound.as_ref()).map_err(|error| failed(&error))?;
    Ok(builder
        .license("MIT OR Apache-2.0")
        .action(SubmitTalk::from(&config.samples.submit_talk))
        .action(approval)
        .action(Countdown))
}
