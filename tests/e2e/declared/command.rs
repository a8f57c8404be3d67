//! What is particular about commands.

use serde_json::{Value, json};

use super::common::{PATH, as_root};
use super::world::{World, order, until};
use crate::harness::{Launch, ServerProcess};

/// A server with an action whose command is this Python script.
async fn python(script: &str, more: &str) -> World {
    let launch = Launch::new();
    std::fs::write(launch.directory().join("work.py"), script).expect("a script");
    let actions = format!(
        "[[action]]\nname = \"work\"\nkind = \"command\"\nrun = [\"python3\", \"./work.py\", \"--flag\"]\n\
         env.PATH = \"{PATH}\"\n{}{more}",
        as_root()
    );
    World::start(launch, &actions).await
}

fn alive(process: &str) -> bool {
    // A zombie is dead; whoever is to reap it may take a while.
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.contains("State:") && !status.contains("State:\tZ")
}

#[tokio::test]
async fn a_command_sees_what_it_is_given_and_nothing_else() {
    let script = r#"
import json, os, sys
print(json.dumps({
    "argv": sys.argv[1:], "env": sorted(os.environ), "cwd": os.path.basename(os.getcwd()),
    "files": sorted(os.listdir(".")), "open": [os.path.realpath("/dev/fd/" + n) for n in os.listdir("/dev/fd") if os.path.exists("/dev/fd/" + n)], "stdin": sys.stdin.read(),
    "input": open(os.environ["RAINCHECK_INPUT"]).read(), "mode": oct(os.stat(".").st_mode & 0o777),
}))
"#;
    let more = "env.GREETING = \"hello\"\npass_env = []\ninput_file = \"order.json\"";
    let world = python(script, more).await;

    let location = world.begin("work", json!({"a": 1})).await;
    let output = world.ended(&location).await.json()["output"].clone();

    assert_eq!(output["argv"], json!(["--flag"]));
    assert_eq!(output["cwd"], json!(super::world::id(&location)));
    assert_eq!((&output["files"], &output["mode"]), (&json!(["order.json"]), &json!("0o700")));
    assert_eq!((&output["stdin"], &output["input"]), (&json!("{\"a\":1}"), &json!("{\"a\":1}")));
    // Who started the server may have left it something open; nothing that the server itself has open is seen.
    let data = world.launch.data_dir().display().to_string();
    let open = output["open"].as_array().expect("paths").iter().filter_map(Value::as_str);
    assert!(open.clone().count() >= 3);
    open.for_each(|path| assert!(!path.contains("socket:") && !path.contains(&data), "{path}"));
    let known = [
        "GREETING",
        "HOME",
        "LANG",
        "PATH",
        "RAINCHECK_IDEMPOTENCY_KEY",
        "RAINCHECK_INPUT",
        "RAINCHECK_OPERATION",
        "RAINCHECK_REPORTS",
        "TMPDIR",
    ];
    for name in output["env"].as_array().expect("names").iter().filter_map(Value::as_str) {
        assert!(known.contains(&name), "{name}");
    }
    // It is removed beside the answer, not before it.
    let directory = world.launch.data_dir().join("work").join(super::world::id(&location));
    super::world::until("the directory is gone", || !directory.exists()).await;
}

#[tokio::test]
async fn progress_and_status_are_shown_while_it_runs_if_they_fit() {
    let script = r#"
import json, os, sys, time
order = json.load(sys.stdin)
with open(os.environ["RAINCHECK_REPORTS"], "w", buffering=1) as reports:
    print('{"progress": 12.9}', file=reports)
    print('{"status": {"stage": "reading"}}', file=reports)
    print('{"status": 7}', file=reports)
    print('no report', file=reports)
while not os.path.exists(order["until"]):
    time.sleep(0.01)
print("noise on the side", file=sys.stderr)
print('"done"')
"#;
    let more = "status = { type = \"object\", required = [\"stage\"] }";
    let world = python(script, more).await;
    let until_there = world.launch.directory().join("go");
    let location = world.begin("work", json!({"until": until_there})).await;

    let shown = loop {
        let request = world.server.http.get(&location).header("prefer", "wait=10");
        let answer = crate::harness::Answer::to(request).await.json();
        if answer["customStatus"].is_object() {
            break answer;
        }
    };
    std::fs::write(until_there, "").expect("a file");
    let answer = world.ended(&location).await;

    assert_eq!(
        (&shown["customStatus"], &shown["percentComplete"]),
        (&json!({"stage": "reading"}), &json!(12))
    );
    assert_eq!(answer.json()["output"], json!("done"));
    let journal = world.journal(&location).await.to_string();
    assert!(
        journal.contains("noise on the side") && journal.contains("a line of its reports is not"),
        "{journal}"
    );
    assert!(!answer.text.contains("noise"), "{answer:?}");
}

#[tokio::test]
async fn the_ways_to_end_have_their_codes() {
    let script = r#"
import json, os, resource, signal, sys
what = json.load(sys.stdin)["do"]
if what == "exit": sys.exit(4)
if what == "unknown": sys.exit(9)
if what == "signal": os.kill(os.getpid(), signal.SIGKILL)
if what == "nothing": sys.exit(0)
if what == "garbage": print("not json"); sys.exit(0)
if what == "memory": bytearray(1 << 30)
if what == "file": open("big", "wb").write(b"x" * (2 << 20))
print('{"wrong": true}')
"#;
    let more = "output = { type = \"string\" }\nexit_codes = { 4 = \"no-paper\" }\nmemory = \"512 MiB\"\nfile_size = \"1 MiB\"";
    let world = python(script, more).await;

    for (what, code, told) in [
        ("exit", "no-paper", "exit code 4"),
        ("unknown", "command-failed", "exit code 9"),
        ("signal", "command-failed", "signal 9"),
        ("nothing", "invalid-output", "gave no output"),
        ("garbage", "invalid-output", "is not JSON"),
        ("memory", "command-failed", "exit code 1"),
        ("file", "command-failed", ""),
        ("shape", "invalid-output", "does not fit the output of the action"),
    ] {
        let answer = world.run("work", order(what)).await;

        assert_eq!((answer.status, &*answer.code()), (422, code), "{what}: {answer:?}");
        assert!(
            answer.json()["detail"].as_str().is_some_and(|detail| detail.contains(told)),
            "{what}: {answer:?}"
        );
    }
}

const HANGS: &str = r#"
import json, os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
order = json.load(sys.stdin)
child = subprocess.Popen(["sleep", "1000"])
with open(order["pids"] + ".new", "w") as file:
    file.write("%d\n%d\n" % (os.getpid(), child.pid))
os.rename(order["pids"] + ".new", order["pids"])
time.sleep(1000)
"#;

/// A command that hears no SIGTERM, and has started another process: the ids of both.
async fn hanging(world: &World) -> (String, Vec<String>) {
    let pids = world.launch.directory().join("pids");
    let location = world.begin("work", json!({"pids": pids})).await;
    until("it runs", || pids.exists()).await;
    let text = std::fs::read_to_string(&pids).expect("ids");
    let pids: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| alive(pid)));
    (location, pids)
}

#[tokio::test]
async fn who_hears_no_signal_is_killed_after_the_grace_with_all_that_it_started() {
    let world = python(HANGS, "cancel_grace = \"200ms\"").await;
    let (location, pids) = hanging(&world).await;

    world.cancel(&location).await;
    let answer = world.ended(&location).await;

    assert_eq!(answer.status, 409, "{answer:?}");
    until("all of them are gone", || pids.iter().all(|pid| !alive(pid))).await;
}

#[tokio::test]
async fn nothing_outlives_a_server_that_is_killed_or_stopped() {
    for kill in [true, false] {
        let world = python(HANGS, "").await;
        let (_, pids) = hanging(&world).await;
        let World { launch: _launch, server } = world;

        if kill {
            server.kill9().await;
        } else {
            stop_at_once(server).await;
        }

        until("all of them are gone", || pids.iter().all(|pid| !alive(pid))).await;
    }
}

/// Two signals: the second one does not wait for steps.
async fn stop_at_once(server: ServerProcess) {
    server.signal_terminate().await;
    server.signal_terminate().await;
    server.exited().await;
}

#[tokio::test]
async fn a_command_that_may_not_run_twice_fails_after_a_kill() {
    let world = python(HANGS, "on_restart = \"fail\"").await;
    let (location, _) = hanging(&world).await;

    let world = world.crash().await;
    let answer = world.ended(&location).await;

    assert_eq!((answer.status, &*answer.code()), (422, "interrupted"), "{answer:?}");
}

#[tokio::test]
async fn another_account_runs_it_if_the_server_may_choose() {
    if as_root().is_empty() {
        crate::harness::skip(
            "another_account_runs_it_if_the_server_may_choose",
            "the tests do not run as root",
        );
        return;
    }
    let launch = Launch::new();
    let actions =
        "[[action]]\nname = \"work\"\nkind = \"command\"\nrun = [\"/usr/bin/id\", \"-u\"]\nuser = \"nobody\"";
    // Others have to get to the operation's directory.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(launch.directory(), open).expect("its own directory");
    let world = World::start(launch, actions).await;

    let answer = world.run("work", json!({})).await;

    assert_eq!(answer.json()["output"], json!(65534), "{answer:?}");
}
