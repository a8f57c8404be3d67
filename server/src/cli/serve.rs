//! `serve`: binds, tells where, and serves until a signal.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use raincheck_server::config::{Arguments, Config};
use raincheck_server::telemetry::{self, Metrics};
use raincheck_server::{BuildError, Listeners, Reloader, Server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::failure::{Failure, with_causes};
use super::shutdown::{HangUps, Signals};
use super::{actions, development_key};

/// Runs the server.
pub(super) fn run(config: Config, arguments: &Arguments) -> Result<(), Failure> {
    telemetry::set_up_logs(&config.log).map_err(|error| Failure::because("logs", &error))?;
    let metrics = Metrics::set_up().map_err(|error| Failure::because("metrics", &error))?;
    let runtime = Runtime::new().map_err(|error| Failure::because("cannot start", &error))?;
    runtime.block_on(serve(config, metrics, arguments.clone()))
}

async fn serve(config: Config, metrics: Metrics, arguments: Arguments) -> Result<(), Failure> {
    let signals = Signals::new().map_err(|error| Failure::because("signals", &error))?;
    let hang_ups = HangUps::new().map_err(|error| Failure::because("signals", &error))?;
    let listeners = Listeners {
        public: bind(config.listen, "listen").await?,
        management: bind(config.admin_listen, "admin_listen").await?,
    };
    let public = address(&listeners.public)?;
    let management = address(&listeners.management)?;
    let scraped = metrics.clone();
    let server = actions::register(Server::builder(), &config)?
        .config(config.clone())
        .metrics(move || scraped.render())
        .build()
        .await
        .map_err(|error| Failure::because("cannot start", &error))?;
    let key = development_key::provide(&config).await?;
    let introduction = key.map(|key| key.introduce(public, config.samples.enabled));
    announce(public, management, introduction.as_deref());
    let tidying = tokio::spawn(metrics.keep_tidy());
    let reloading = tokio::spawn(reload(server.reloader(), hang_ups, arguments));
    let served = server.run(listeners, signals.first()).await;
    tidying.abort();
    reloading.abort();
    served.map_err(|error| Failure::because("the server stopped", &error))
}

/// Reads the declared actions again whenever a signal asks for it. What is wrong with them is logged, and then those
/// before stay.
async fn reload(reloader: Reloader, mut hang_ups: HangUps, arguments: Arguments) {
    while hang_ups.next().await {
        let config = match Config::load(&arguments) {
            Ok(config) => config,
            Err(error) => {
                for mistake in error.to_string().lines() {
                    tracing::error!(mistake, "the configuration is not good; nothing was changed");
                }
                continue;
            }
        };
        match reloader.reload(&config.actions).await {
            Ok(taken_up) => {
                let actions = config.actions.iter().count();
                tracing::info!(actions, operations = taken_up, "the declared actions were read again");
            }
            Err(error @ BuildError::Store(_)) => tracing::error!(
                %error, "the declared actions may be the new ones, but what waited for them was not taken up"
            ),
            Err(error) => {
                tracing::error!(%error, "the declared actions cannot be served; nothing was changed")
            }
        }
    }
}

/// Waits for something short, outside of a runtime.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    Ok(runtime.map_err(|error| Failure::because("cannot start", &error))?.block_on(future))
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let argument = key.replace('_', "-");
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("something listens there already; choose another with --{argument}, or port 0 for a free one")
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
            _ => with_causes(&error),
        };
        Failure::new(format!("cannot listen on {address}: {advice}"))
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::because("listener", &error))
}

/// Says where the server is: scripts read the first two lines. A reader that has gone is no reason to stop.
fn announce(public: SocketAddr, management: SocketAddr, introduction: Option<&str>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on http://{public}\nmanagement on http://{management}");
    if let Some(text) = introduction {
        let _ = write!(out, "\n{text}");
    }
    let _ = out.flush();
}
