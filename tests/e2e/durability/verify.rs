//! Holds what clients were told and what handlers did against the journal.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use raincheck_openapi::Status;
use raincheck_openapi::management::{JournalPage, OperationPage};
use serde_json::Value;

use super::ledger::{Entry, Shared};
use super::load::Target;
use crate::harness::Answer;

/// A line of the effects' file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Effect {
    command: String,
    word: String,
    before: String,
}

type Effects = HashMap<String, Vec<Effect>>;

/// Every accepted operation has ended as its plan says, and each of its steps ran last when its result was kept.
pub(super) async fn verify(ledger: &Shared, target: &Target, effects: &Path) {
    let effects = read(effects);
    let entries: Vec<_> = ledger.lock().0.values().cloned().collect();
    for entry in &entries {
        let id = &entry.told.as_ref().expect("all were accepted").id;
        let journal = journal(target, id).await;
        let done = effects.get(id).map(Vec::as_slice).unwrap_or_default();
        check_steps(id, &journal, done);
        check_end(entry, &journal, done);
    }
    // One start with a key made one operation, however often it was sent.
    assert_eq!(count(target).await, entries.len(), "operations in the store");
}

/// No result was kept and its step run again; no step began before what it depends on was kept.
fn check_steps(id: &str, journal: &BTreeMap<String, String>, done: &[Effect]) {
    for (command, kept) in journal {
        let last = done.iter().rfind(|effect| effect.command == *command);
        assert_eq!(last.map(|effect| &effect.word), Some(kept), "{id} {command} ran again: {done:#?}");
    }
    for effect in done {
        if let Some(before) = done.iter().find(|earlier| earlier.word == effect.before) {
            assert_eq!(
                journal.get(&before.command),
                Some(&effect.before),
                "{id}: {effect:?} went out from a result not kept"
            );
        } else {
            assert_eq!(effect.before, "start", "{id}: {effect:?} went out from a word that is not there");
        }
    }
}

/// The end is the one that the plan says, or a cancel.
fn check_end(entry: &Entry, journal: &BTreeMap<String, String>, done: &[Effect]) {
    let told = entry.told.as_ref().expect("accepted");
    let view = told.seen().expect("polled");
    match view.status {
        Status::Canceled => assert!(entry.cancel_sent, "nobody asked for this: {entry:?}"),
        Status::Failed => {
            let code = view.error.as_ref().map(|error| error.code.as_str());
            assert_eq!((entry.plan.fail, code), (true, Some("asked-to")), "{entry:?}");
        }
        Status::Succeeded => {
            assert!(!entry.plan.fail, "{entry:?}");
            let words: Vec<String> =
                serde_json::from_value(view.output.clone().expect("an output")).expect("words");
            assert_eq!(words.len() as u32, 1 + entry.plan.steps + 2 * entry.plan.branches, "{entry:?}");
            for word in &words[1..] {
                assert!(
                    journal.values().any(|kept| kept == word),
                    "{word} of {entry:?} is not in the journal"
                );
            }
        }
        other => panic!("{other:?}: {entry:?}"),
    }
    if view.status != Status::Canceled {
        let ran: std::collections::BTreeSet<_> = done.iter().map(|effect| &effect.command).collect();
        assert_eq!(ran.len(), journal.len(), "steps of {entry:?}");
    }
}

/// The results of the steps, by command.
async fn journal(target: &Target, id: &str) -> BTreeMap<String, String> {
    let mut results = BTreeMap::new();
    let mut after = String::new();
    loop {
        let url = format!("{}/admin/v1/operations/{id}/journal{after}", target.management);
        let answer = Answer::to(target.http.get(url).bearer_auth(&target.key)).await;
        let page: JournalPage = serde_json::from_value(answer.json()).expect("a page of a journal");
        for entry in page.entries {
            let step = &entry.entry["step"];
            if let (Value::String(command), Value::String(word)) =
                (&step["command"], &step["result"]["value"])
            {
                assert_eq!(
                    results.insert(command.clone(), word.clone()),
                    None,
                    "{id}: two results of {command}"
                );
            }
        }
        let Some(next) = page.next else { return results };
        after = format!("?after={next}");
    }
}

async fn count(target: &Target) -> usize {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let url = format!("{}/admin/v1/operations?limit=200{cursor}", target.management);
        let answer = Answer::to(target.http.get(url).bearer_auth(&target.key)).await;
        let page: OperationPage = serde_json::from_value(answer.json()).expect("a page of operations");
        count += page.operations.len();
        let Some(next) = page.next else { return count };
        cursor = format!("&cursor={next}");
    }
}

fn read(path: &Path) -> Effects {
    let text = std::fs::read_to_string(path).expect("the effects");
    let mut effects = Effects::new();
    for line in text.lines() {
        let [operation, command, word, before] =
            line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().expect("four words");
        effects.entry(operation).or_default().push(Effect { command, word, before });
    }
    effects
}

fn effect(command: &str, word: &str, before: &str) -> Effect {
    Effect { command: command.to_owned(), word: word.to_owned(), before: before.to_owned() }
}

fn kept(results: &[(&str, &str)]) -> BTreeMap<String, String> {
    results.iter().map(|&(command, word)| (command.to_owned(), word.to_owned())).collect()
}

#[test]
fn a_step_may_run_again_until_its_result_is_kept() {
    let done = [effect("a", "1", "start"), effect("a", "2", "start"), effect("b", "3", "2")];

    check_steps("x", &kept(&[("a", "2"), ("b", "3")]), &done);
}

#[test]
#[should_panic(expected = "ran again")]
fn a_step_that_runs_again_after_its_result_was_kept_is_found_out() {
    let done = [effect("a", "1", "start"), effect("a", "2", "start")];

    check_steps("x", &kept(&[("a", "1")]), &done);
}

#[test]
#[should_panic(expected = "a result not kept")]
fn a_step_that_goes_out_from_a_result_not_kept_is_found_out() {
    let done = [effect("a", "1", "start"), effect("b", "2", "1"), effect("a", "3", "start")];

    check_steps("x", &kept(&[("a", "3")]), &done);
}
