//! The operation is on the disk before its 202 leaves: `strace` sees the order.

use std::process::Command;

use serde_json::json;

use crate::harness::{Answer, Launch, skip};

/// Begins the input of each start, and is found again in the pages of the log.
const MARK: &str = "kn-subject-";

const CALLS: &str = "trace=fdatasync,fsync,pwrite64,read,recvfrom,write,writev,sendto,sendmsg";

#[tokio::test]
async fn the_log_is_synced_between_a_start_and_its_202() {
    if !strace_can_attach() {
        skip("the_log_is_synced_between_a_start_and_its_202", "strace is missing or may not trace here");
        return;
    }
    let launch = Launch::new().under(["strace", "-f", "-y", "-s", "4096", "-o", "trace.txt", "-e", CALLS]);
    let trace = launch.directory().join("trace.txt");
    let server = launch.start().await;

    for subject in 0..20 {
        let start = server.http.post(server.url("/v1/actions/request-approval")).bearer_auth(&server.key);
        let answer = Answer::to(start.json(&json!({ "subject": format!("{MARK}{subject}.") }))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    server.kill9_under().await;

    assert_eq!(check(&std::fs::read_to_string(trace).expect("a trace")), 20);
}

fn strace_can_attach() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// How many starts there are in the trace; panics if one was answered before it was synced.
fn check(text: &str) -> usize {
    let (mut starts, mut syncing) = (0, None);
    let mut start = Start::default();
    for line in text.lines() {
        let (thread, call) = line.split_once(char::is_whitespace).expect("a thread and its call");
        let call = call.trim_start();
        if call.contains("POST /v1/actions/") {
            start = Start { subject: subject(call), ..Start::default() };
        } else if call.starts_with("pwrite64") && call.contains("-wal>") {
            // The next commit may be on its way before the answer is: only this start's own pages count.
            let ours = start.subject.is_some_and(|subject| call.contains(&format!("{subject}.")));
            if ours {
                start.written = true;
            }
        } else if is_sync(call) && call.contains("-wal>") {
            // Calls of several threads interleave: this one may end on a later line.
            if call.ends_with("<unfinished ...>") {
                syncing = start.written.then_some(thread);
            } else {
                start.synced |= start.written && call.ends_with("= 0");
            }
        } else if syncing == Some(thread) && call.contains("resumed>") {
            start.synced |= call.ends_with("= 0");
            syncing = None;
        } else if call.contains("HTTP/1.1 202 Accepted") {
            assert!(start.synced, "{start:?} was answered before the log was synced:\n{line}");
            starts += 1;
        }
    }
    starts
}

/// What has been seen of a start.
#[derive(Debug, Default)]
struct Start<'a> {
    subject: Option<&'a str>,
    written: bool,
    synced: bool,
}

/// The input of the start that this call is about.
fn subject(call: &str) -> Option<&str> {
    let from = call.find(MARK)?;
    call[from..].split('.').next()
}

fn is_sync(call: &str) -> bool {
    call.starts_with("fdatasync") || call.starts_with("fsync")
}

const START: &str =
    "10 recvfrom(9<socket:[1]>, \"POST /v1/actions/a HTTP/1.1 kn-subject-1.\"..., 8192) = 300\n";
const LOG: &str = "11 pwrite64(7</data/raincheck.db-wal>, \"\\0kn-subject-1.\"..., 4096, 32) = 4096\n";
const OTHER: &str = "11 pwrite64(7</data/raincheck.db-wal>, \"\\0other\"..., 4096, 32) = 4096\n";
const BEGIN: &str = "11 fdatasync(7</data/raincheck.db-wal> <unfinished ...>\n";
const END: &str = "11 <... fdatasync resumed>) = 0\n";
const SYNC: &str = "11 fdatasync(7</data/raincheck.db-wal>) = 0\n";
const ANSWER: &str = "10 writev(9<socket:[1]>, [{\"HTTP/1.1 202 Accepted\"...}], 2) = 400\n";

#[test]
fn a_sync_that_ends_before_the_answer_is_seen() {
    assert_eq!(check(&[START, LOG, BEGIN, END, OTHER, ANSWER].concat()), 1);
    assert_eq!(check(&[START, LOG, SYNC, ANSWER].concat()), 1);
}

#[test]
#[should_panic(expected = "before the log was synced")]
fn an_answer_in_the_midst_of_a_sync_is_found_out() {
    check(&[START, LOG, BEGIN, ANSWER, END].concat());
}

#[test]
#[should_panic(expected = "before the log was synced")]
fn a_write_after_the_last_sync_is_found_out() {
    check(&[START, OTHER, SYNC, LOG, ANSWER].concat());
}

#[test]
#[should_panic(expected = "before the log was synced")]
fn a_sync_that_began_before_the_write_does_not_count() {
    check(&[START, BEGIN, LOG, END, ANSWER].concat());
}
