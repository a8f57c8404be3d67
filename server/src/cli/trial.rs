//! `actions try`: one operation, without a server and without its data.

use std::io::Read as _;

use raincheck_server::config::{Arguments, Config};
use raincheck_server::{Glimpse, Server, Tried, TryError};

use super::actions;
use super::failure::Failure;

/// Runs the operation. The output goes to standard output, all else to standard error.
pub(super) fn run(arguments: &Arguments, name: &str, input: &str) -> Result<(), Failure> {
    let input = read(input)?;
    // Nothing of it is to stay, and a server may be running on the data.
    let directory =
        tempfile::tempdir().map_err(|error| Failure::because("a directory for the trial", &error))?;
    let arguments = Arguments { data_dir: Some(directory.path().to_owned()), ..arguments.clone() };
    let config = Config::load(&arguments)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::because("cannot start", &error))?;
    let trial = actions::register(Server::builder(), &config)?.config(config).try_action(name, input, show);
    let tried = runtime.block_on(async {
        tokio::select! {
            tried = trial => Some(tried),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match tried {
        Some(Ok(Tried::Succeeded(output))) => {
            println!("{}", output.get());
            Ok(())
        }
        Some(Ok(Tried::Failed { code, message, details })) => {
            let mut text = format!("the operation failed with `{code}`: {message}");
            for (name, value) in details.iter().filter_map(|details| details.read::<Details>().ok()).flatten()
            {
                let value =
                    value.as_str().map_or_else(|| value.to_string(), |text| text.trim_end().to_owned());
                if !value.is_empty() {
                    text = format!("{text}\n{name}: {value}");
                }
            }
            Err(Failure::new(text))
        }
        Some(Err(TryError::InvalidInput(errors))) => {
            let errors = errors.iter().map(|error| format!("{}: {}", error.place(), error.detail));
            let errors = errors.collect::<Vec<_>>().join("\n");
            Err(Failure::usage(format!("the input does not fit the action\n{errors}")))
        }
        Some(Err(error @ (TryError::UnknownAction(_) | TryError::NotJson(_)))) => {
            Err(Failure::usage(error.to_string()))
        }
        Some(Err(error)) => Err(Failure::because("the action cannot be tried", &error)),
        None => Err(Failure::new("interrupted")),
    }
}

type Details = serde_json::Map<String, serde_json::Value>;

fn show(Glimpse { percent, custom_status, .. }: &Glimpse) {
    let percent = percent.map(|percent| format!("{percent} %"));
    let status = custom_status.as_ref().map(|status| status.get().to_owned());
    eprintln!("{}", [percent, status].into_iter().flatten().collect::<Vec<_>>().join(" "));
}

fn read(input: &str) -> Result<String, Failure> {
    match input.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| Failure::because(path, &error)),
        None if input == "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::because("standard input", &error))?;
            Ok(text)
        }
        None => Ok(input.to_owned()),
    }
}
