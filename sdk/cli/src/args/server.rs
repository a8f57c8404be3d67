//! Which server, and who is asking.

use clap::Args;

use super::OpsCommand;

/// The heading that these options share in every help page.
const SERVER: &str = "Server";

/// Which server, and who is asking.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's public URL
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        help_heading = SERVER
    )]
    pub(crate) url: String,

    /// The API key, sent to the server of --url (or --admin-url, or of the URL that 'poll' is given) only;
    /// better in the variable, since others on the machine can see arguments
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = SERVER
    )]
    pub(crate) api_key: Option<String>,

    /// Whether the key was typed, and not found in the environment.
    #[arg(skip)]
    pub(crate) key_is_typed: bool,
}

impl Server {
    /// The key, unless it is empty, as an unset variable may be.
    pub(crate) fn key(&self) -> Option<&str> {
        self.api_key.as_deref().filter(|key| !key.is_empty())
    }
}

// Written by hand so that the key is in no log.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The key needs the role 'observe' to read and 'operate' to steer.

Examples:
  raincheck ops list --action submit-talk --status Running
  raincheck ops journal 0198f3a0-…                       what it has done so far
  raincheck ops send-event 0198f3a0-… decision --data '{\"approved\": true, \"comment\": \"enjoy\"}'")]
pub(crate) struct OpsArgs {
    /// The URL of the server's management listener
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_ADMIN_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        help_heading = SERVER
    )]
    pub(crate) admin_url: String,

    #[command(subcommand)]
    pub(crate) command: OpsCommand,
}
