//! `kind = "command"`: a program on this machine. It gets the input as JSON and gives the output as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::answer::{Exit, OutputForm};
use self::process::{End, Process};
use self::program::Account;
use super::kind::{Mistake, Work, check_code, with_details};
use super::secret::Secrets;
use super::surroundings::Surroundings;
use crate::Json;
use crate::action::{Context, Failure, StepContext};
use crate::config::units;

mod answer;
mod directory;
mod group;
mod guard;
mod limits;
mod process;
mod program;
mod spawn;
mod streams;

pub(crate) use directory::clear;

/// The keys of a command as they are written.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    run: Vec<String>,
    env: BTreeMap<String, String>,
    pass_env: Vec<String>,
    secrets: BTreeMap<String, String>,
    stdin: bool,
    input_file: Option<String>,
    output_form: OutputForm,
    output_file: Option<String>,
    reports: i32,
    exit_codes: BTreeMap<String, String>,
    retry_exit_codes: Vec<i32>,
    on_restart: OnRestart,
    user: Option<String>,
    #[serde(deserialize_with = "optional_bytes")]
    memory: Option<u64>,
    processes: Option<u64>,
    #[serde(deserialize_with = "optional_bytes")]
    file_size: Option<u64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            run: Vec::new(),
            env: BTreeMap::new(),
            pass_env: vec!["PATH".to_owned()],
            secrets: BTreeMap::new(),
            stdin: true,
            input_file: None,
            output_form: OutputForm::Json,
            output_file: None,
            reports: 3,
            exit_codes: BTreeMap::new(),
            // sysexits.h: a temporary failure, the user is invited to retry.
            retry_exit_codes: vec![75],
            on_restart: OnRestart::RunAgain,
            user: None,
            memory: None,
            processes: None,
            file_size: None,
        }
    }
}

fn optional_bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    units::bytes(deserializer).map(Some)
}

/// What becomes of a command that ran when the server went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnRestart {
    /// It runs again, from the beginning.
    RunAgain,
    /// The operation fails: running it twice would do harm.
    Fail,
}

/// A program on this machine.
pub(super) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
    env: BTreeMap<String, String>,
    secrets: Secrets,
    stdin: bool,
    input_file: Option<String>,
    output_form: OutputForm,
    output_file: Option<String>,
    reports: i32,
    exit_codes: BTreeMap<i32, String>,
    retry_exit_codes: Vec<i32>,
    on_restart: OnRestart,
    account: Option<Account>,
    limits: limits::Limits,
    work: PathBuf,
}

/// What a command gave, as it is journaled.
#[derive(Serialize, Deserialize)]
struct Done {
    output: Value,
    /// What it wrote to standard error, for operators.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    stderr: String,
}

impl Command {
    pub(super) const KEYS: &'static [&'static str] = &[
        "run",
        "env",
        "pass_env",
        "secrets",
        "stdin",
        "input_file",
        "output_form",
        "output_file",
        "reports",
        "exit_codes",
        "retry_exit_codes",
        "on_restart",
        "user",
        "memory",
        "processes",
        "file_size",
    ];

    /// How many run at a time: they share the machine with the server.
    pub(super) const CONCURRENCY: usize = 4;

    pub(super) fn new(keys: Keys, surroundings: &Surroundings<'_>) -> Result<Self, Mistake> {
        // Without `..`: a new key has to find its place.
        let Keys {
            run,
            env,
            pass_env,
            secrets,
            stdin,
            input_file,
            output_form,
            output_file,
            reports,
            exit_codes,
            retry_exit_codes,
            on_restart,
            user,
            memory,
            processes,
            file_size,
        } = keys;
        let passed = pass_env.into_iter().filter_map(|name| {
            let value = (surroundings.variable)(&name)?;
            Some((name, value))
        });
        let env: BTreeMap<_, _> = passed.chain(env).collect();
        let path = env.get("PATH").map(String::as_str).unwrap_or_default();
        let (program, arguments) =
            program::find(&run, path, surroundings).map_err(|problem| ("run", problem))?;
        for (key, name) in [("input_file", &input_file), ("output_file", &output_file)] {
            if name.as_deref().is_some_and(|name| !directory::is_name(name)) {
                let problem = "must be the name of a file in the operation's directory, without a path";
                return Err((key, problem.to_owned()));
            }
        }
        match reports {
            2..=9 => {}
            1 if output_file.is_some() || output_form == OutputForm::None => {}
            1 => {
                let problem = "1 is standard output, which has the output; add `output_file`, or take 2 to 9";
                return Err(("reports", problem.to_owned()));
            }
            _ => return Err(("reports", format!("{reports} is no descriptor for reports; allowed: 1 to 9"))),
        }
        let exit_codes = exit_codes.into_iter().map(|(code, failure)| match code.parse::<u8>() {
            Ok(code) if code > 0 => {
                check_code(&failure).map_err(|problem| ("exit_codes", problem))?;
                Ok((i32::from(code), failure))
            }
            _ => Err(("exit_codes", format!("`{code}` is no exit code of a failure; allowed: 1 to 255"))),
        });
        let exit_codes = exit_codes.collect::<Result<_, _>>()?;
        let secrets = Secrets::look_up(&secrets, surroundings).map_err(|problem| ("secrets", problem))?;
        let account = Account::look_up(user.as_deref()).map_err(|problem| ("user", problem))?;
        Ok(Self {
            program,
            arguments,
            env,
            secrets,
            stdin,
            input_file,
            output_form,
            output_file,
            reports,
            exit_codes,
            retry_exit_codes,
            on_restart,
            account,
            limits: limits::Limits { memory, processes, file_size },
            work: surroundings.work.to_owned(),
        })
    }

    pub(super) async fn run(
        &self,
        cx: &mut Context<Value>,
        input: Value,
        work: &Work,
    ) -> Result<Value, Failure> {
        let input = Json::of(&input)?;
        // Another run finds the word of this one in the journal, and so knows that the command may have begun.
        let mine = uuid::Uuid::now_v7().to_string();
        let begun = cx.step("begin", async |_| Ok::<_, Failure>(mine.clone())).await?;
        let interrupted = begun != mine && self.on_restart == OnRestart::Fail;
        let attempt = |step: StepContext<Value>| {
            let input = &input;
            async move {
                if interrupted {
                    let message = "the server stopped while the command ran; it may have done its work, or a part of it";
                    return Err(Failure::new("interrupted", message));
                }
                self.attempt(&step, input, work).await
            }
        };
        let done: Done = cx.step("command", attempt).retry(work.retry).await?;
        Ok(done.output)
    }

    async fn attempt(&self, step: &StepContext<Value>, input: &Json, work: &Work) -> Result<Done, Failure> {
        let operation = step.operation();
        let unavailable = |error: std::io::Error| {
            Failure::retryable("command-unavailable", "the command could not be started").with_source(error)
        };
        let directory =
            directory::Directory::make(self.work.join(operation.to_string()), self.account.as_ref())
                .await
                .map_err(unavailable)?;
        if let Some(name) = &self.input_file {
            directory.write(name, input.get(), self.account.as_ref()).await.map_err(unavailable)?;
        }
        let process = Process::spawn(self, &directory, step).await.map_err(unavailable)?;
        let reports = work.status.reports(step);
        let has_output = self.output_form != OutputForm::None && self.output_file.is_none();
        let output = has_output.then_some(work.max_output);
        let limits = process::Limits { timeout: work.timeout, grace: work.cancel_grace, output };
        let ended = process.finish(Some(input.get()), reports, limits, step.canceled());
        let (end, written) = ended.await.map_err(unavailable)?;
        let stderr = self.secrets.taken_out_of(&written.stderr());
        if !stderr.is_empty() {
            tracing::info!(operation.id = %operation, action = work.name, stderr, "the command wrote to standard error");
        }
        let output = match &self.output_file {
            Some(name) if end == End::Exited(Exit::Code(0)) => directory.read(name, work.max_output).await,
            _ => Ok(written.stdout),
        };
        let answer = answer::Answer { end, output, failure: written.failure };
        match answer.judge(self.output_form, &self.exit_codes, &self.retry_exit_codes, work) {
            Ok(output) => Ok(Done { output, stderr }),
            Err((failure, exit)) => {
                let details = json!({ "exit": exit, "stderr": stderr });
                Err(with_details(failure, &details))
            }
        }
    }
}
