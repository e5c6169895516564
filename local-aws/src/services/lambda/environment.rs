//! One execution environment: a process, from its start to its end.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::output::Outputs;
use super::{FunctionSettings, Program};

/// Tells a function how many milliseconds it is ahead of the machine's clock. It is not set while the clock is right, and
/// AWS knows nothing of it.
const CLOCK_AHEAD: &str = "LOCAL_AWS_CLOCK_AHEAD_MS";

/// Runs the process of one environment until it ends, or until `end` is cancelled, and says how it ended. It is told that
/// it is `ahead` of the machine's clock.
///
/// The process is given nothing of our own environment, as on AWS, and a pipe as its standard input that closes when
/// this process is gone, however it goes: see [`end_with_parent`].
pub(super) async fn run(
    program: &Program,
    function: &FunctionSettings,
    (runtime_api, outputs): (&str, &Outputs),
    id: Uuid,
    ahead: Duration,
    end: CancellationToken,
) -> String {
    let errors = || -> std::io::Result<Stdio> {
        let Some(file) = &function.log_file else {
            return Ok(Stdio::inherit());
        };
        Ok(OpenOptions::new().create(true).append(true).open(file)?.into())
    };
    let out = outputs.open(id, function.log_file.as_deref());
    let spawned = out.and_then(|out| Ok((out, errors()?))).and_then(|(out, err)| {
        let (path, arguments) = program.command(&function.name);
        let clock = (!ahead.is_zero()).then(|| (CLOCK_AHEAD, ahead.as_millis().to_string()));
        Command::new(path)
            .args(arguments)
            .env_clear()
            .envs(&function.environment)
            .envs(clock)
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                format!("{runtime_api}/{}/{id}", function.name),
            )
            // Sent along with every call, it says which environment calls: see `processes`.
            .env("AWS_SESSION_TOKEN", id.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
            // Ctrl-C in a terminal goes to a whole process group; it is for us to end our functions in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
    });
    let mut process = match spawned {
        Ok(process) => process,
        Err(error) => {
            outputs.close(id);
            return format!("it could not be started: {error}");
        }
    };
    // Waiting for a process closes its standard input unless we hold it.
    let _parent = process.stdin.take();
    let ended = tokio::select! {
        status = process.wait() => match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        },
        () = end.cancelled() => {
            // The process may have ended by itself in this very moment; either way it is gone.
            let _ = process.kill().await;
            "it was killed".to_owned()
        }
    };
    outputs.close(id);
    ended
}

/// Ends this process when its parent is gone. For the process of an environment: call it first.
///
/// The parent holds the other end of our standard input and never writes to it; when the parent dies, even by
/// `kill -9`, the pipe closes and the read below returns.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut nothing = [0_u8; 64];
        let mut parent = std::io::stdin().lock();
        loop {
            match parent.read(&mut nothing) {
                Ok(0) | Err(_) => std::process::exit(0),
                Ok(_) => {}
            }
        }
    });
}
