//! The options of `raincheck completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  raincheck completions bash > ~/.local/share/bash-completion/completions/raincheck
  raincheck completions zsh > ~/.zfunc/_raincheck        with ~/.zfunc in $fpath
  raincheck completions fish > ~/.config/fish/completions/raincheck.fish
  raincheck completions powershell >> $PROFILE")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  raincheck man | man -l -
  raincheck man --out ~/.local/share/man/man1            then: man raincheck-start")]
pub(crate) struct Man {
    /// A directory for the pages of all commands; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
