//! `raincheck completions` and `man`: what the command line says about itself, for shells and for `man`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Args, Completions, Man};
use crate::exit::Failure;

pub(crate) fn completions(command: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Args::command(), "raincheck", &mut script);
    print(&script)
}

pub(crate) fn man(command: &Man) -> Result<ExitCode, Failure> {
    let mut root = Args::command();
    if let Some(directory) = &command.out {
        // Options that all commands share are then in the page of each.
        root.build();
        pages(root, directory).map_err(|error| {
            Failure::Usage(format!("'{}' cannot be written: {error}", directory.display()))
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(root).render(&mut page).expect("memory takes every page");
    Ok(print(&page))
}

fn pages(root: clap::Command, directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(root, directory)
}

/// A reader that has gone away (`| head`) is no error.
fn print(text: &[u8]) -> ExitCode {
    let _ = std::io::stdout().write_all(text);
    ExitCode::SUCCESS
}
