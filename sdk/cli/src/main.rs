//! `raincheck`: starts, watches and cancels asynchronous HTTP operations from the command line.
//!
//! Reading order: [`args`] (what can be typed), [`start`], [`follow`], [`poll`], [`ends`], [`listen`] and
//! [`ops`] (what it does), [`watch`], [`several`], [`resume`] and [`feed`] (how it goes on until the end),
//! [`progress`] and
//! [`table`] (what people see), [`reply`] and [`exit`] (what scripts see).

mod access;
mod args;
mod ends;
mod exit;
mod feed;
mod follow;
mod input;
mod listen;
mod ops;
mod pages;
mod poll;
mod progress;
mod reply;
mod resume;
mod several;
mod show;
mod start;
mod table;
mod watch;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let matches = Args::command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    args.server.key_is_typed = matches.value_source("api_key") == Some(ValueSource::CommandLine);
    let json = args.json;
    let done = match args.command {
        Command::Start(command) => start::run(&args.server, command, json).await,
        Command::Status(command) => follow::status(&args.server, &command, json).await,
        Command::Wait(command) => follow::wait(&args.server, &command, json).await,
        Command::Cancel(command) => follow::cancel(&args.server, &command, json).await,
        Command::Watch(command) => ends::run(&args.server, &command, json).await,
        Command::Listen(command) => listen::run(&args.server, &command, json).await,
        Command::Poll(command) => Ok(poll::run(&args.server, &command, json).await),
        Command::Ops(command) => ops::run(&args.server, command, json).await,
        Command::Completions(command) => Ok(pages::completions(&command)),
        Command::Man(command) => pages::man(&command),
    };
    done.unwrap_or_else(|failure| failure.report(json))
}
