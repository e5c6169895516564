//! One execution environment: a process from its start to its end.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::function::FunctionSettings;
use super::output::Outputs;
use super::program::Program;

/// The variable with the number of milliseconds by which a function's clock is ahead of the machine's. It is not set
/// while the two agree, and AWS has no such variable.
const CLOCK_AHEAD: &str = "LOCAL_AWS_CLOCK_AHEAD_MS";

/// Runs the process of one environment until it ends or `end` is cancelled, and returns how it ended. The process's
/// clock is `ahead` of the machine's.
///
/// As on AWS, the process inherits no variable of ours. Its standard input is a pipe that closes when this process is
/// gone, however it ends: see [`end_with_parent`].
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
    let out = outputs.open(id, &function.name, function.log_file.as_deref());
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
            // The SDK sends it with every call: see `processes`.
            .env("AWS_SESSION_TOKEN", id.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
            // Ctrl-C in a terminal goes to a whole process group, but this process must end its functions in order.
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
            return format!("it did not start: {error}");
        }
    };
    // Waiting for a process closes its standard input unless this process holds it.
    let _parent = process.stdin.take();
    let ended = tokio::select! {
        status = process.wait() => match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        },
        () = end.cancelled() => {
            // The process may have ended by itself at this moment. Either way it is gone.
            let _ = process.kill().await;
            "it was killed".to_owned()
        }
    };
    outputs.close(id);
    ended
}

/// Ends this process when its parent is gone. The process of an environment calls it first.
///
/// The parent holds the other end of the standard input and never writes to it. When the parent dies, even by `kill
/// -9`, the pipe closes and the read below returns.
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
