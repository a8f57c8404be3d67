//! `raincheck completions`, `man` and the help pages.

use crate::support::*;

const COMMANDS: [&str; 10] =
    ["start", "status", "wait", "cancel", "watch", "listen", "poll", "ops", "completions", "man"];

#[tokio::test]
async fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = run("http://h", &["completions", shell]).await;

        assert_eq!(run.code, 0, "{shell} {run:?}");
        for command in COMMANDS.into_iter().chain(["send-event", "final-state-via"]) {
            assert!(run.out.contains(command), "{shell} does not complete {command}");
        }
        assert!(!run.out.contains(KEY), "{shell}");
    }
}

#[tokio::test]
async fn the_manual_is_printed_or_written_with_a_page_for_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("man1");

    let printed = run("http://h", &["man"]).await;
    let written = run("http://h", &["man", "--out", out.to_str().unwrap()]).await;
    let refused = run("http://h", &["man", "--out", "/dev/null/man1"]).await;

    assert_eq!((printed.code, written.code, refused.code), (0, 0, 2), "{written:?} {refused:?}");
    assert!(printed.out.starts_with(".ie") && printed.out.contains("Exit codes"), "{printed:?}");
    for command in COMMANDS {
        assert!(printed.out.contains(command), "{command}");
        let page = std::fs::read_to_string(out.join(format!("raincheck-{command}.1"))).unwrap();
        assert!(page.contains("Example"), "{command}");
    }
    assert!(out.join("raincheck-ops-send-event.1").exists());
}

#[tokio::test]
async fn every_command_has_examples_in_its_help_and_never_the_key() {
    for command in COMMANDS {
        let help = run("http://h", &[command, "--help"]).await;
        let same = run("http://h", &["help", command]).await;

        assert_eq!((help.code, &help.out), (0, &same.out), "{help:?}");
        assert!(help.out.contains("Example"), "{command}: {}", help.out);
        assert!(!help.out.contains(KEY), "{command}");
    }
}

#[tokio::test]
async fn the_help_lists_exit_codes_and_environment() {
    let help = run("http://h", &["--help"]).await;

    for word in ["0  ", "1  ", "2  ", "3  ", "4  ", "5  ", "130  ", "RAINCHECK_API_KEY", "RAINCHECK_URL"] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
    for command in COMMANDS {
        assert!(help.out.contains(&format!("  {command} ")), "{command}: {}", help.out);
    }
}
