//! The workers of the common suite, one for each kind.

use std::path::PathBuf;

use super::suite::Worker;
use super::target::Target;
use crate::harness::Launch;

/// A Python script.
pub(super) struct Command {
    world: PathBuf,
}

const SCRIPT: &str = r#"
import json, os, signal, subprocess, sys, time

world = os.environ["WORLD"]

def tell(line):
    with open(world, "a") as file:
        file.write(line + "\n")

def stop(*_):
    tell("canceled")
    sys.exit(1)

signal.signal(signal.SIGTERM, stop)
order = json.load(sys.stdin)
key = os.environ["RAINCHECK_IDEMPOTENCY_KEY"]
reports = open(os.environ["RAINCHECK_REPORTS"], "w", buffering=1)
print(json.dumps({"progress": 40}), file=reports)
print(json.dumps({"status": "at work"}), file=reports)
what = order["do"]
if what in ("hang", "stall"):
    child = subprocess.Popen(["sleep", "1000"])
    tell("process %d" % child.pid)
tell("process %d" % os.getpid())
tell("began " + key)
if what == "fail":
    failure = {"code": "no-such-thing", "message": "there is no such thing"}
    print(json.dumps({"failure": failure}), file=reports)
    print(os.environ["TOKEN"], "is a word for operators", file=sys.stderr)
    sys.exit(3)
if what == "flaky":
    with open(world) as file:
        if file.read().count("began " + key) < 3:
            sys.exit(75)
if what in ("hang", "stall"):
    while not os.path.exists(world + ".released"):
        time.sleep(0.01)
    child.kill()
if what == "big":
    print(json.dumps("x" * 4096))
else:
    print(json.dumps({"echo": order["echo"]}))
"#;

impl Worker for Command {
    const OUTLIVES_THE_SERVER: bool = false;

    async fn new(launch: &Launch) -> Self {
        std::fs::write(launch.directory().join("work.py"), SCRIPT).expect("a script");
        Self { world: launch.directory().join("world") }
    }

    fn keys(&self) -> String {
        format!(
            "kind = \"command\"\nrun = [\"python3\", \"./work.py\"]\n{}secrets = {{ TOKEN = \"env:TARGET_SECRET\" }}\n\
             env = {{ WORLD = {:?}, PATH = \"{PATH}\" }}",
            as_root(),
            self.world
        )
    }

    fn told(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.world).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn release(&self) {
        std::fs::write(self.world.with_extension("released"), "").expect("a file");
    }
}

/// Where Python is itself, and not a version manager's script in front of it.
pub(super) const PATH: &str = "/usr/bin:/bin";

/// Where these tests run as root, the commands say that they may, too.
pub(super) fn as_root() -> &'static str {
    let own = std::fs::metadata("/proc/self").expect("Linux");
    if std::os::unix::fs::MetadataExt::uid(&own) == 0 { "user = \"root\"\n" } else { "" }
}

/// A server that answers when the work is done.
pub(super) struct Requested(pub(super) Target);

impl Worker for Requested {
    const OUTLIVES_THE_SERVER: bool = false;

    async fn new(_: &Launch) -> Self {
        Self(Target::start().await)
    }

    fn keys(&self) -> String {
        format!(
            "kind = \"http\"\nurl = \"{}/work/{{{{ input.do }}}}\"\nsecrets = {{ token = \"env:TARGET_SECRET\" }}\n\
             headers = {{ Authorization = \"Bearer {{{{ secret.token }}}}\" }}\n\
             fail = [{{ when = \"status == 404\", code = \"no-such-thing\", message = \"{{{{ body.error }}}}\" }}]",
            self.0.url
        )
    }

    fn told(&self) -> Vec<String> {
        self.0.told()
    }

    fn release(&self) {
        self.0.release();
    }
}

/// A server that answers 202, and is followed.
pub(super) struct Followed(Target);

impl Worker for Followed {
    const OUTLIVES_THE_SERVER: bool = true;

    async fn new(_: &Launch) -> Self {
        Self(Target::start().await)
    }

    fn keys(&self) -> String {
        format!(
            "kind = \"http\"\nfollow = true\nurl = \"{}/jobs\"\nsecrets = {{ token = \"env:TARGET_SECRET\" }}\n\
             headers = {{ Authorization = \"Bearer {{{{ secret.token }}}}\" }}",
            self.0.url
        )
    }

    fn told(&self) -> Vec<String> {
        self.0.told()
    }

    fn release(&self) {
        self.0.release();
    }
}

/// A Durable Functions app.
pub(super) struct Orchestrated(pub(super) Target);

impl Worker for Orchestrated {
    const OUTLIVES_THE_SERVER: bool = true;
    const FAILURE: &'static str = "orchestration-failed";

    async fn new(_: &Launch) -> Self {
        Self(Target::start().await)
    }

    fn keys(&self) -> String {
        format!(
            "kind = \"durable-functions\"\nurl = \"{}\"\norchestrator = \"Work\"\n\
             system_key = \"env:TARGET_SECRET\"\ntask_hub = \"{}\"\nconnection = \"Storage\"\npoll = \"20ms\"",
            self.0.url,
            super::durable::TASK_HUB
        )
    }

    fn told(&self) -> Vec<String> {
        self.0.told()
    }

    fn release(&self) {
        self.0.release();
    }
}
