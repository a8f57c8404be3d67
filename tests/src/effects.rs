//! An action whose steps leave a trace outside of the server, so that a test can tell what ran and how often.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use raincheck_server::{Action, Context, EventSettings, Failure, OperationId, Settings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file with a line for everything that happened: operation, command, a word that no other line has, and the
/// word that the work went out from.
#[derive(Clone)]
pub struct Effects {
    file: Arc<File>,
    prefix: Arc<str>,
    count: Arc<AtomicU64>,
}

impl Effects {
    /// Appends to the file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        // A process id may come again; together with the time it does not.
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let prefix = format!("{}-{started:x}", std::process::id()).into();
        Ok(Self { file: Arc::new(file), prefix, count: Arc::default() })
    }

    /// Leaves a line and returns its word. One write, so that a kill leaves all of it or nothing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn happen(&self, operation: OperationId, command: &str, before: &str) -> io::Result<String> {
        let word = format!("{}-{}", self.prefix, self.count.fetch_add(1, Ordering::Relaxed));
        let line = format!("{operation} {command} {word} {before}\n");
        (&*self.file).write_all(line.as_bytes())?;
        Ok(word)
    }
}

/// What a run of [`Work`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Steps one after the other.
    pub steps: u32,
    /// Branches side by side, of two steps each.
    pub branches: u32,
    /// How long each step takes, after it has left its line.
    pub work_ms: u64,
    /// How long to sleep between the steps and the branches.
    pub nap_ms: u64,
    /// Waits for the event `go` at the end.
    pub wait: bool,
    /// Fails at the end, with the code `asked-to`.
    pub fail: bool,
}

/// Leaves a line for each step, and returns their words in the order of the plan.
pub struct Work(pub Effects);

impl Work {
    async fn step(
        &self,
        cx: &mut Context<String>,
        name: Name,
        before: &str,
        plan: Plan,
    ) -> Result<String, Failure> {
        let operation = cx.operation();
        cx.step(name.word, async |_| {
            let word = self.0.happen(operation, &name.command(), before)?;
            // Here a kill leaves an effect whose result was not kept.
            tokio::time::sleep(Duration::from_millis(plan.work_ms)).await;
            Ok::<_, Failure>(word)
        })
        .await
    }
}

/// A step as the journal will call it.
struct Name {
    path: String,
    word: &'static str,
    occurrence: u32,
}

impl Name {
    fn command(&self) -> String {
        format!("{}/step:{}:{}", self.path, self.word, self.occurrence)
    }
}

impl Action for Work {
    const NAME: &'static str = "work";
    type Input = Plan;
    type Output = Vec<String>;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Leave a trace").event(EventSettings::new::<bool>("go")).pace(1).callers_may_cancel()
    }

    async fn run(&self, cx: &mut Context<String>, plan: Plan) -> Result<Vec<String>, Failure> {
        let mut words = vec!["start".to_owned()];
        let mut last = words[0].clone();
        for occurrence in 0..plan.steps {
            let name = Name { path: String::new(), word: "chain", occurrence };
            last = self.step(cx, name, &last, plan).await?;
            words.push(last.clone());
            cx.custom_status(format!("{} of {}", occurrence + 1, plan.steps));
            cx.progress(u8::try_from(90 * (occurrence + 1) / plan.steps).unwrap_or(90));
        }
        cx.sleep(Duration::from_millis(plan.nap_ms)).await?;
        let branches = (0..plan.branches)
            .map(|branch| {
                let last = last.clone();
                cx.branch("worker", move |mut cx| async move {
                    let name = |occurrence| Name {
                        path: format!("/branch:worker:{branch}"),
                        word: "part",
                        occurrence,
                    };
                    let first = self.step(&mut cx, name(0), &last, plan).await?;
                    let second = self.step(&mut cx, name(1), &first, plan).await?;
                    Ok(vec![first, second])
                })
            })
            .collect();
        words.extend(cx.all(branches).await?.into_iter().flatten());
        if plan.wait {
            cx.event::<bool>("go", None).await?;
        }
        cx.progress(100);
        if plan.fail {
            return Err(Failure::new("asked-to", "it was asked to fail"));
        }
        Ok(words)
    }
}
