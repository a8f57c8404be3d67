//! The command line. One file for each command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use raincheck_server::auth::Role;
use raincheck_server::config::{Arguments, Config};

mod actions;
mod check;
mod connector;
mod development_key;
mod failure;
mod keys;
mod openapi;
mod serve;
mod shutdown;
mod trial;

use failure::Failure;

/// Durable asynchronous operations over HTTP: start an action, get 202, come back for the outcome.
#[derive(Parser)]
#[command(name = "raincheck-server", version, args_conflicts_with_subcommands = false)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server. This is what happens without a command, too.
    Serve,
    /// Make, list and revoke API keys, also beside a running server.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print the OpenAPI document.
    Openapi {
        /// In which form.
        #[arg(long, value_enum, default_value = "3.1")]
        format: openapi::Format,
    },
    /// Write the connector for Logic Apps and Power Automate, as files for paconn and the import.
    Connector {
        /// The directory to write to; it is made if it is not there.
        #[arg(long, value_name = "DIRECTORY")]
        out: PathBuf,
        /// The host that the definition names [default: that of the public URL]. Each connection names its own.
        #[arg(long)]
        host: Option<String>,
    },
    /// Tell whether the configuration is good.
    Check,
    /// List the actions, or try one.
    Actions {
        #[command(subcommand)]
        command: Option<ActionsCommand>,
    },
}

#[derive(Subcommand)]
enum ActionsCommand {
    /// List the actions. This is what happens without a command, too.
    List,
    /// Run one operation of an action here and now, without a server: its output goes to standard output.
    Try {
        /// The action.
        name: String,
        /// The input: JSON, `@FILE` for a file of it, or `-` for standard input.
        #[arg(long, default_value = "{}")]
        input: String,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key and print it, once: only its hash is kept.
    Create {
        /// Who uses it: the owner of what it starts. A new key with an old name is the same caller.
        #[arg(long)]
        name: String,
        /// What it may do. Can be given several times.
        #[arg(long = "role", required = true, action = ArgAction::Append, value_parser = role_parser())]
        roles: Vec<Role>,
        /// The only actions that it may start. Can be given several times; without it, all.
        #[arg(long = "action", action = ArgAction::Append)]
        actions: Vec<String>,
    },
    /// List all keys.
    List,
    /// Revoke a key. A running server notices within a second.
    Revoke {
        /// Its name.
        name: String,
    },
}

fn role_parser() -> impl TypedValueParser<Value = Role> {
    let words = PossibleValuesParser::new(Role::ALL.map(Role::as_str));
    words.try_map(|word| Role::from_word(&word).ok_or("not a role"))
}

#[derive(Args)]
struct Settings {
    #[arg(long, global = true, value_name = "FILE")]
    #[arg(
        help = "The configuration file [default: raincheck.toml in the working directory, if there is one]"
    )]
    config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    #[arg(help = "Where the public API listens [default: 127.0.0.1:8080; environment: RAINCHECK_LISTEN]")]
    listen: Option<String>,
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    #[arg(
        help = "Where the management API listens [default: 127.0.0.1:8081; environment: RAINCHECK_ADMIN_LISTEN]"
    )]
    admin_listen: Option<String>,
    #[arg(long, global = true, value_name = "DIRECTORY")]
    #[arg(help = "Where the data is [default: ./raincheck-data; environment: RAINCHECK_DATA_DIR]")]
    data_dir: Option<PathBuf>,
    #[arg(long, global = true, value_name = "URL")]
    #[arg(help = "Under which URL callers reach the public API [environment: RAINCHECK_PUBLIC_URL]")]
    public_url: Option<String>,
    // Not `actions`: that is what a key may start.
    #[arg(long = "actions", global = true, value_name = "DIRECTORY")]
    #[arg(help = "Where more actions are declared, a file for each [environment: RAINCHECK_ACTIONS]")]
    actions_dir: Option<PathBuf>,
    /// Allow plain HTTP off loopback
    #[arg(long, global = true)]
    allow_plain_http: bool,
}

/// Does what the command line says. Exits with 2 for a wrong usage or configuration, else with 1 for a failure.
pub(crate) fn run() -> ExitCode {
    let Cli { settings, command } = Cli::parse();
    let arguments = settings.into_arguments();
    let done = Config::load(&arguments).map_err(Failure::from).and_then(|config| match command {
        None | Some(Command::Serve) => serve::run(config, &arguments),
        Some(Command::Keys(KeysCommand::Create { name, roles, actions })) => {
            keys::create(&config, name, &roles, actions)
        }
        Some(Command::Keys(KeysCommand::List)) => keys::list(&config),
        Some(Command::Keys(KeysCommand::Revoke { name })) => keys::revoke(&config, &name),
        Some(Command::Openapi { format }) => openapi::run(config, format),
        Some(Command::Connector { out, host }) => connector::run(config, &out, host),
        Some(Command::Actions { command: None | Some(ActionsCommand::List) }) => actions::list(config),
        Some(Command::Actions { command: Some(ActionsCommand::Try { name, input }) }) => {
            trial::run(&arguments, &name, &input)
        }
        Some(Command::Check) => check::run(config, arguments.config.as_deref()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Settings {
    fn into_arguments(self) -> Arguments {
        let Self { config, listen, admin_listen, data_dir, public_url, actions_dir, allow_plain_http } = self;
        Arguments {
            config,
            listen,
            admin_listen,
            data_dir,
            public_url,
            allow_plain_http,
            actions: actions_dir,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_and_behind_the_command() {
        for line in [
            ["raincheck-server", "--listen", "127.0.0.1:0", "serve"],
            ["raincheck-server", "serve", "--listen", "127.0.0.1:0"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(cli.settings.listen.as_deref(), Some("127.0.0.1:0"));
        }
    }

    #[test]
    fn a_key_needs_a_name_and_a_role_that_exists() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace()).is_ok();

        assert!(parse(
            "raincheck-server keys create --name flow --role start --role observe --action countdown"
        ));
        assert!(!parse("raincheck-server keys create --name flow"));
        assert!(!parse("raincheck-server keys create --role start"));
        assert!(!parse("raincheck-server keys create --name flow --role root"));
    }
}
