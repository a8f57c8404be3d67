//! A server whose action leaves traces in a file: `effects-server FILE`. The rest comes from the environment, as with
//! the real one. For the tests that kill it.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use raincheck_server::config::{Arguments, Config};
use raincheck_server::{Listeners, Server, telemetry};
use raincheck_tests::effects::{Effects, Work};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: effects-server FILE")?;
    let config = Config::load(&Arguments::default())?;
    telemetry::set_up_logs(&config.log)?;
    let public = TcpListener::bind(config.listen).await?;
    let management = TcpListener::bind(config.admin_listen).await?;
    let (here, there) = (public.local_addr()?, management.local_addr()?);
    let server = Server::builder().config(config).action(Work(Effects::open(&file)?)).build().await?;
    writeln!(std::io::stdout(), "listening on http://{here}\nmanagement on http://{there}")?;
    server.run(Listeners { public, management }, std::future::pending()).await?;
    Ok(())
}
