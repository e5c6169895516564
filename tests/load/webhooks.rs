//! The load of webhooks: many events a second into a fast endpoint, beside an endpoint that takes connections and never
//! answers.
//!
//! The events go into the queue as an emitter puts them there. Each has its number and its time in its body, and the
//! fast endpoint keeps how late it came, so an event that is lost is found. A copy is no fault: an event is delivered
//! at least once. The dead endpoint is parked after some failures, and its events wait in the table.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::QueuedDelivery;
use domain::webhook::{Delivery, DeliveryMessage, Endpoint, EndpointState, EventId, EventKind, SigningSecret, Target};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

use crate::report::Latency;
use crate::stack::{Stack, now};
use crate::{Arguments, Done};

/// How often events are put into the queue.
const TICK: Duration = Duration::from_millis(100);
/// How long a run waits for the last event.
const PATIENCE: Duration = Duration::from_mins(5);
/// The longest request of a run.
const REQUEST_MAX: usize = 64 * 1024;

/// A finished run.
pub(crate) struct WebhooksReport {
    rate: u32,
    events: u32,
    /// How long it took to put all events into the queue.
    queued_in: Duration,
    /// How long after the first event the last one came.
    took: Duration,
    /// How late the first copy of each event came, by its number.
    delays: BTreeMap<u32, Duration>,
    copies: u32,
    /// The connections of the dead endpoint.
    tried: u32,
    /// The calls of the function to AWS, by their action.
    calls: BTreeMap<String, u32>,
}

/// The events that the fast endpoint received.
#[derive(Default)]
struct Received {
    delays: BTreeMap<u32, Duration>,
    copies: u32,
    tried: u32,
}

type Shared = Arc<Mutex<Received>>;

fn lock(received: &Shared) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs once, and returns what became of every event.
pub(crate) async fn measure(stack: &Stack, arguments: &Arguments) -> Done<WebhooksReport> {
    let received = Shared::default();
    let fast = TcpListener::bind(("127.0.0.1", 0)).await?;
    let dead = TcpListener::bind(("127.0.0.1", 0)).await?;
    let webhooks = stack.webhooks()?;
    for (id, listener) in [("fast", &fast), ("dead", &dead)] {
        let url = format!("http://{}/hook", listener.local_addr()?);
        webhooks
            .create(&endpoint(id, url), &SigningSecret::from_random([7; 32]))
            .await?;
    }
    let tasks = [
        tokio::spawn(serve(fast, Arc::clone(&received))),
        tokio::spawn(keep_silent(dead, Arc::clone(&received))),
    ];
    let began = Instant::now();
    let events = put_all(stack, arguments).await?;
    let queued_in = began.elapsed();
    let end = Instant::now() + PATIENCE;
    while lock(&received).delays.len() < usize::try_from(events)? && Instant::now() < end {
        sleep(TICK).await;
    }
    let took = began.elapsed();
    // The requests that are under way are counted too.
    sleep(Duration::from_secs(1)).await;
    for task in tasks {
        task.abort();
    }
    let calls = stack.calls_of("webhooks");
    let received = lock(&received);
    Ok(WebhooksReport {
        rate: arguments.events,
        events,
        queued_in,
        took,
        delays: received.delays.clone(),
        copies: received.copies,
        tried: received.tried,
        calls,
    })
}

/// Puts the events of both endpoints into the queue, and returns how many each has.
async fn put_all(stack: &Stack, arguments: &Arguments) -> Done<u32> {
    let queue = stack.delivery_queue()?;
    let began = Instant::now();
    let mut number = 0;
    for tick in 1..=u32::try_from(arguments.time().as_millis() / TICK.as_millis())? {
        let until = arguments.events * tick / 10;
        let messages: Vec<QueuedDelivery> = (number..until)
            .flat_map(|number| ["fast", "dead"].map(|endpoint| queued(endpoint, number)))
            .collect();
        number = until;
        for taken in queue.send_all(&messages).await {
            taken?;
        }
        sleep_until(began + TICK * tick).await;
    }
    Ok(number)
}

fn queued(endpoint: &str, number: u32) -> QueuedDelivery {
    let created_at = now();
    let delivery = Delivery {
        endpoint: endpoint.to_owned(),
        event: EventId::of(created_at, &[&number.to_string()]),
        kind: EventKind::EmailDelivered,
        created_at,
        // As large as an event of a mail to one recipient.
        body: json!({"number": number, "at": created_at.as_millisecond(), "data": "x".repeat(500)}).to_string(),
        attempts: 0,
    };
    QueuedDelivery {
        message: DeliveryMessage::Whole(Box::new(delivery)),
        delay: Duration::ZERO,
    }
}

fn endpoint(id: &str, url: String) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        target: Target::Url(url),
        events: [EventKind::EmailDelivered].into(),
        state: EndpointState::Enabled,
        created_at: now(),
    }
}

/// Answers every request at once, and keeps when its event came.
async fn serve(listener: TcpListener, received: Shared) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(answer_all(connection, Arc::clone(&received)));
    }
}

async fn answer_all(mut connection: TcpStream, received: Shared) {
    let mut read = Vec::new();
    loop {
        if let Some((body, rest)) = request(&read) {
            if let Some((number, delay)) = event(body) {
                let mut received = lock(&received);
                if received.delays.contains_key(&number) {
                    received.copies += 1;
                } else {
                    received.delays.insert(number, delay);
                }
            }
            read = rest.to_vec();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            if connection.write_all(answer).await.is_err() {
                return;
            }
            continue;
        }
        match connection.read_buf(&mut read).await {
            Ok(1..) if read.len() <= REQUEST_MAX => {}
            _ => return,
        }
    }
}

/// Splits the first request off, once it is whole. Returns its body, and what follows it.
fn request(read: &[u8]) -> Option<(&[u8], &[u8])> {
    let head_end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&read[..head_end]).ok()?.to_ascii_lowercase();
    let (_, length) = head.split_once("content-length:")?;
    let length: usize = length.lines().next()?.trim().parse().ok()?;
    let body = read.get(head_end..head_end + length)?;
    Some((body, &read[head_end + length..]))
}

fn event(body: &[u8]) -> Option<(u32, Duration)> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let at = Timestamp::from_millisecond(event["at"].as_i64()?).ok()?;
    let number = u32::try_from(event["number"].as_u64()?).ok()?;
    Some((number, now().duration_since(at).unsigned_abs()))
}

/// Takes connections, and answers none.
async fn keep_silent(listener: TcpListener, received: Shared) {
    let mut connections = Vec::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.push(connection);
        lock(&received).tried += 1;
    }
}

impl WebhooksReport {
    /// Returns whether every event came.
    pub(crate) fn is_right(&self) -> bool {
        self.lost() == 0
    }

    fn lost(&self) -> u32 {
        self.events - u32::try_from(self.delays.len()).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for WebhooksReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64().max(0.001);
        writeln!(
            f,
            "\n{} events a second to each of a fast and a dead endpoint: {} events in {:.1} s",
            self.rate,
            self.events,
            self.queued_in.as_secs_f64()
        )?;
        writeln!(
            f,
            "  fast endpoint     {} events in {seconds:.1} s, {:.0}/s; {} copies",
            self.delays.len(),
            f64::from(u32::try_from(self.delays.len()).unwrap_or(u32::MAX)) / seconds,
            self.copies
        )?;
        writeln!(
            f,
            "  delay             {}",
            Latency::new(self.delays.values().copied().collect())
        )?;
        writeln!(f, "  dead endpoint     {} connections", self.tried)?;
        for (action, count) in &self.calls {
            let an_event = f64::from(*count) / f64::from(self.events.max(1));
            writeln!(
                f,
                "  {action:<24}{count:>8} calls, {an_event:.2} an event of the fast endpoint"
            )?;
        }
        if self.lost() > 0 {
            writeln!(f, "  WRONG             {} events did not come", self.lost())?;
        }
        Ok(())
    }
}
