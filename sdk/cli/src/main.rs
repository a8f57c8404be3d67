//! `raincheck`: starts, watches and cancels asynchronous HTTP operations from the command line.
//!
//! Reading order: [`args`] (what can be typed), [`start`], [`follow`] and [`ops`] (what it does),
//! [`progress`] and [`table`] (what people see), [`exit`] (what scripts see).

mod args;
mod exit;
mod follow;
mod input;
mod ops;
mod progress;
mod show;
mod start;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    let done = match args.command {
        Command::Start(command) => start::run(&args.server, command, json).await,
        Command::Status(command) => follow::status(&args.server, &command, json).await,
        Command::Wait(command) => follow::wait(&args.server, &command, json).await,
        Command::Cancel(command) => follow::cancel(&args.server, &command, json).await,
        Command::Ops(command) => ops::run(&args.server, command, json).await,
    };
    done.unwrap_or_else(|failure| failure.report(json))
}
