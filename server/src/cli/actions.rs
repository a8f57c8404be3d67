//! The actions of this binary: the samples, and those that the configuration declares.

use raincheck_server::config::{Config, NotifyBy};
use raincheck_server::outbound::Outbound;
use raincheck_server::samples::{Countdown, SubmitTalk};
use raincheck_server::{Server, ServerBuilder};

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

/// Prints the actions, with what they do.
pub(super) fn list(config: Config) -> Result<(), Failure> {
    let actions = register(Server::builder(), &config)?
        .config(config)
        .actions()
        .map_err(|error| Failure::because("the actions", &error))?;
    let width = actions.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, summary) in actions {
        println!("{name:width$}  {summary}");
    }
    Ok(())
}
