//! An action of your own, in a server of your own.

use raincheck_server::config::{Arguments, Config};
use raincheck_server::{Action, Context, Failure, Listeners, Server};
use tokio::net::TcpListener;

/// Bakes a cake: an action is a name, three types, and an async function.
struct Bake;

#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
struct Cake {
    flavour: String,
}

impl Action for Bake {
    const NAME: &'static str = "bake";
    type Input = Cake;
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, cake: Cake) -> Result<String, Failure> {
        cx.custom_status("In the oven".to_owned());
        cx.sleep(std::time::Duration::from_secs(5)).await?; // Survives a restart.
        let oven = cx.step("take-out", async |_| Ok::<_, Failure>("oven 2".to_owned())).await?;
        Ok(format!("one {} cake, from {oven}", cake.flavour))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // raincheck.toml and the environment: RAINCHECK_ROOT_KEY=rck_… gives the first key.
    let config = Config::load(&Arguments::default())?;
    let public = TcpListener::bind(config.listen).await?;
    let management = TcpListener::bind(config.admin_listen).await?;
    let server = Server::builder().config(config).action(Bake).build().await?;
    server.run(Listeners { public, management }, async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}
