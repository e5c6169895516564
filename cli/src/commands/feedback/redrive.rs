//! `okite feedback redrive`: moves events from the dead-letter queue back to the retry queue.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::dead_letter_queue::{DeadLetterQueue, DeadLetterQueueError};
use crate::execution::{CommandResult, Exit, block_on};
use crate::local::DEFAULT_DATA_DIR;
use crate::output::{progress, say};
use crate::plural::counted;
use crate::target::Target;
use crate::target::syntax::{parse_queue, parse_region, parse_stack};

/// The wait between two looks at the progress of SQS.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Move the events of the dead-letter queue back to the retry queue
///
/// An event that the feedback function could not handle in any retry ends in the dead-letter queue. Fix the cause
/// first, then run this command: the function gets each event again. A bounce or complaint suppresses its address only
/// then.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite feedback redrive --stack okite")]
#[command(group = clap::ArgGroup::new("aws").args(["stack", "queue"]))]
pub(crate) struct RedriveCommand {
    /// Work on the `okite up` with this data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, conflicts_with_all = ["stack", "queue"])]
    data_dir: PathBuf,
    /// Work on this CloudFormation stack in AWS, with the credentials of your environment or AWS profile
    #[arg(long, value_name = "NAME", value_parser = parse_stack)]
    stack: Option<String>,
    /// Like --stack, but names the dead-letter queue by its URL
    #[arg(long, value_name = "URL", value_parser = parse_queue)]
    queue: Option<String>,
    /// AWS region of the stack or queue, such as eu-west-1 [default: the region of your AWS configuration]
    #[arg(long, conflicts_with = "data_dir", requires = "aws", value_parser = parse_region)]
    region: Option<String>,
    /// Print a JSON object with the numbers of events
    #[arg(long)]
    json: bool,
}

impl From<RedriveCommand> for Target {
    fn from(command: RedriveCommand) -> Self {
        let RedriveCommand {
            data_dir,
            stack,
            queue,
            region,
            json: _,
        } = command;
        match (stack, queue) {
            (Some(name), _) => Self::Stack { name, region },
            (None, Some(name)) => Self::Resource { name, region },
            (None, None) => Self::Local { data_dir },
        }
    }
}

impl RedriveCommand {
    pub(crate) fn run(self) -> CommandResult {
        let json = self.json;
        let target = Target::from(self);
        block_on(async {
            let progress = |moved| {
                let events = counted(moved, "event", "events");
                progress!("{events} moved so far. Ctrl-C ends this display; SQS goes on moving them.");
            };
            let Redriven {
                target_name,
                moved,
                left,
            } = redrive(&target, progress).await?;
            if json {
                say!("{:#}", json!({ "moved": moved, "left": left }))?;
            } else if (moved, left) == (0, 0) {
                say!("The dead-letter queue of {target_name} is empty. No event was moved.")?;
            } else {
                say!("Moved to the retry queue of {target_name}: {moved}. Left in the dead-letter queue: {left}.")?;
            }
            Ok(Exit::Success)
        })
    }
}

/// Why the events were not moved.
#[derive(Debug, thiserror::Error)]
enum RedriveError {
    #[error(transparent)]
    Queue(#[from] DeadLetterQueueError),
    #[error(
        "another redrive of {target_name} is running and has moved {} so far. SQS runs one at a time: wait \
         until it ends, then run this command again",
        counted(*moved, "event", "events")
    )]
    Running { target_name: String, moved: i64 },
    #[error(
        "SQS ended the redrive of {target_name} early ({status}) after {}: {reason}. The other events are \
         still in the dead-letter queue: run this command again",
        counted(*moved, "event", "events")
    )]
    Ended {
        target_name: String,
        moved: i64,
        /// The status that SQS gives the task.
        status: String,
        reason: String,
    },
}

/// The result of a redrive.
struct Redriven {
    target_name: String,
    moved: i64,
    /// The approximate number of events still in the dead-letter queue.
    left: i64,
}

/// Moves all events of the dead-letter queue to the retry queue. Calls `progress` with the number of events moved so
/// far while SQS works.
async fn redrive(target: &Target, mut progress: impl FnMut(i64)) -> Result<Redriven, RedriveError> {
    let queue = DeadLetterQueue::of(target).await?;
    let target_name = queue.target_name().to_owned();
    let (arn, waiting) = queue.arn_and_waiting().await?;
    if waiting == 0 {
        return Ok(Redriven {
            target_name,
            moved: 0,
            left: 0,
        });
    }
    let before = queue.newest_move_task(&arn).await?;
    if let Some(task) = before.as_ref().filter(|task| task.status() == Some("RUNNING")) {
        return Err(RedriveError::Running {
            target_name,
            moved: task.approximate_number_of_messages_moved(),
        });
    }
    let retry_queue_arn = queue.retry_queue_arn().await?;
    queue.start_move_task(&arn, &retry_queue_arn).await?;
    let before = before.map(|task| task.started_timestamp());
    loop {
        let task = queue.newest_move_task(&arn).await?;
        // SQS may list a task only some time after it started.
        let Some(task) = task.filter(|task| Some(task.started_timestamp()) != before) else {
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        };
        let moved = task.approximate_number_of_messages_moved();
        match task.status().unwrap_or_default() {
            "RUNNING" => {
                progress(moved);
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            "COMPLETED" => {
                let left = queue.waiting().await?;
                return Ok(Redriven {
                    target_name,
                    moved,
                    left,
                });
            }
            status => {
                return Err(RedriveError::Ended {
                    target_name,
                    moved,
                    status: status.to_owned(),
                    reason: task.failure_reason().unwrap_or("SQS gives no reason").to_owned(),
                });
            }
        }
    }
}
