//! A running Okite: all of `okite up`, in a folder and on ports of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{ApiKeys, DeliveryQueue, Webhooks};
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission};
use domain::queue::WhenBusy;
use domain::stream::Stream;
use jiff::Timestamp;
use local_aws::calls::Call;
use local_aws::services::lambda::Program;
use local_aws::{ACCOUNT_ID, REGION};
use okite::{LOCAL_API_KEY, ListenOptions, LocalOkite, LocalOptions};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Done;
use crate::ledger::{Gate, Policy, Sent};

/// The time limit of a request: a little more than the timeout of the function.
const DEADLINE: Duration = Duration::from_secs(35);

/// A key for bulk mail.
pub(crate) const BULK_API_KEY: &str = "ok_bulk_for_the_load_of_the_queue";

/// Reads the clock that Okite and SES use as well.
#[expect(clippy::disallowed_methods, reason = "what is measured happens now")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The calls of send-api.
#[derive(Clone, Copy)]
pub(crate) struct CallCounts {
    /// Writes to the gate, including refused ones.
    pub(crate) gate_writes: u32,
    /// Calls of `SendEmail`.
    pub(crate) sends: u32,
}

impl CallCounts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            gate_writes: self.gate_writes - before.gate_writes,
            sends: self.sends - before.sends,
        }
    }
}

pub(crate) struct Stack {
    up: LocalOkite,
    http: reqwest::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    /// The data directory, removed at the end.
    _folder: TempDir,
}

impl Stack {
    /// Starts a stack whose account has this rate and no quota, and waits until the gate is set to it.
    pub(crate) async fn start(rate: u32) -> Done<Self> {
        let folder = tempfile::tempdir()?;
        let options = LocalOptions {
            listen: ListenOptions::default(),
            port: 0,
            smtp_port: Some(0),
            data_dir: folder.path().join("okite"),
            sandbox: false,
            strict: true,
            verify: Vec::new(),
            program: Program::ByName {
                path: env!("CARGO_BIN_EXE_run-function").into(),
                arguments: Vec::new(),
            },
        };
        let up = LocalOkite::start(options).await?;
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new(REGION))
            .endpoint_url(&up.local_aws().dynamodb_url)
            .credentials_provider(Credentials::new("load", "local", None, None, "load"))
            .http_client(aws::http_client())
            .build();
        let stack = Self {
            up,
            // The client ignores proxies of the environment, because everything is on this machine.
            http: reqwest::Client::builder().no_proxy().timeout(DEADLINE).build()?,
            dynamodb: aws_sdk_dynamodb::Client::from_conf(config),
            _folder: folder,
        };
        match stack.set_rate(rate).await {
            Ok(()) => Ok(stack),
            Err(error) => {
                stack.stop().await;
                Err(error)
            }
        }
    }

    async fn set_rate(&self, rate: u32) -> Done<()> {
        let account = json!({ "max_send_rate": rate, "max_24_hour_send": -1 });
        let set = self.request(Method::PUT, "/_local/account").body(account.to_string());
        set.send().await?.error_for_status()?;
        let report = self.request(Method::POST, "/_local/schedule").send().await?;
        report.error_for_status()?;
        Ok(())
    }

    /// Sends enough requests at once to start the maximum number of processes.
    pub(crate) async fn warm_up(&self, clients: u32) -> Done<()> {
        let requests: Vec<_> = (0..clients)
            .map(|_| tokio::spawn(self.request(Method::GET, "/health").send()))
            .collect();
        for request in requests {
            request.await??.error_for_status()?;
        }
        Ok(())
    }

    /// Posts an email with the key that every `okite up` accepts. It is refused if there is no room for it.
    pub(crate) async fn post(&self, email: &Value) -> reqwest::Result<Response> {
        let request = self.request(Method::POST, "/emails").bearer_auth(LOCAL_API_KEY);
        request.header("okite-when-busy", "refuse").json(email).send().await
    }

    /// Makes the key for bulk mail.
    pub(crate) async fn put_bulk_key(&self) -> Done<()> {
        let key = ApiKey::parse(BULK_API_KEY)?;
        let record = ApiKeyRecord {
            id: key.id().to_owned(),
            secret_sha256: key.secret_hash(),
            secret_access_key: None,
            name: "bulk".to_owned(),
            permission: KeyPermission::Sending,
            stream: Stream::Bulk,
            when_busy: WhenBusy::default(),
            from_domains: Vec::new(),
            topic: None,
            created_at: now(),
        };
        let table = self.variable("API_KEYS_TABLE")?.to_owned();
        Ok(ApiKeys::new(self.dynamodb.clone(), table).put(&record).await?)
    }

    /// Posts to a path with a key, and returns the status and the body.
    pub(crate) async fn post_with(&self, key: &str, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let answer = self
            .request(Method::POST, path)
            .bearer_auth(key)
            .json(body)
            .send()
            .await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    /// Returns the mails that SES accepted.
    pub(crate) async fn outbox(&self) -> Done<Vec<Sent>> {
        let (mut outbox, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/_local/outbox?limit=1000{cursor}");
            let page: Value = self.request(Method::GET, &path).send().await?.json().await?;
            for mail in page["data"].as_array().into_iter().flatten() {
                outbox.push(sent(mail).ok_or_else(|| format!("the outbox has {mail}"))?);
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => return Ok(outbox),
            }
        }
    }

    /// Returns the state of the gate.
    pub(crate) async fn gate(&self) -> Done<Gate> {
        let read = self
            .dynamodb
            .get_item()
            .table_name(self.variable("USAGE_TABLE")?)
            .key("pk", AttributeValue::S(format!("gate#{REGION}")))
            .key("sk", AttributeValue::S("gate".to_owned()))
            .consistent_read(true);
        let item = read.send().await?.item.unwrap_or_default();
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
        let gate = || {
            Some(Gate {
                next_free_slot: number("next_free_slot")?,
                interval: number("slot_interval")?,
                granted: number("granted")?,
            })
        };
        gate().ok_or_else(|| "the gate cannot be read".into())
    }

    /// Returns the limits at this rate.
    pub(crate) fn policy(&self, rate: u32) -> Done<Policy> {
        let seconds = |name: &str| -> Done<Duration> { Ok(Duration::from_secs_f64(self.variable(name)?.parse()?)) };
        Ok(Policy {
            rate,
            burst: seconds("PERMIT_BURST_SECONDS")?,
            wait: seconds("PERMIT_WAIT_SECONDS")?,
        })
    }

    /// Returns the calls of send-api so far. In the table of usage, it writes to the gate alone.
    pub(crate) fn calls(&self) -> Done<CallCounts> {
        let count = |action: &str, resource: String| {
            self.up.local_aws().calls.count(&Call {
                function: "send-api".to_owned(),
                action: action.to_owned(),
                resource,
            })
        };
        let of = |service: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT_ID}");
        let (usage, set) = (self.variable("USAGE_TABLE")?, self.variable("CONFIGURATION_SET")?);
        Ok(CallCounts {
            gate_writes: count("dynamodb:UpdateItem", format!("{}:table/{usage}", of("dynamodb"))),
            sends: count("ses:SendEmail", format!("{}:configuration-set/{set}", of("ses"))),
        })
    }

    /// Returns the table of webhooks' endpoints.
    pub(crate) fn webhooks(&self) -> Done<Webhooks> {
        let table = self.variable(Webhooks::TABLE_VARIABLE)?.to_owned();
        Ok(Webhooks::new(self.dynamodb.clone(), table))
    }

    /// Returns the queue of deliveries.
    pub(crate) fn delivery_queue(&self) -> Done<DeliveryQueue> {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws::behavior_version())
            .region(Region::new(REGION))
            .endpoint_url(&self.up.local_aws().sqs_url)
            .credentials_provider(Credentials::new("load", "local", None, None, "load"))
            .http_client(aws::http_client())
            .build();
        let url = self.variable(DeliveryQueue::URL_VARIABLE)?.to_owned();
        Ok(DeliveryQueue::new(aws_sdk_sqs::Client::from_conf(config), url))
    }

    /// Counts the calls of a function to AWS, by their action.
    pub(crate) fn calls_of(&self, function: &str) -> BTreeMap<String, u32> {
        let calls = &self.up.local_aws().calls;
        let mut counts = BTreeMap::new();
        for call in calls.seen().into_iter().filter(|call| call.function == function) {
            *counts.entry(call.action.clone()).or_default() += calls.count(&call);
        }
        counts
    }

    /// Stops the whole stack.
    pub(crate) async fn stop(self) {
        self.up.stop().await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.up.local_aws().url))
    }

    /// Returns the variables that the template gives to send-api.
    fn variable(&self, name: &str) -> Done<&str> {
        let environment: Option<&BTreeMap<String, String>> = self.up.local_aws().environments.get("send-api");
        let variable = environment.and_then(|environment| environment.get(name));
        variable
            .map(String::as_str)
            .ok_or_else(|| format!("the send API has no {name}").into())
    }
}

fn sent(mail: &Value) -> Option<Sent> {
    let at: Timestamp = mail["at"].as_str()?.parse().ok()?;
    Some(Sent {
        number: mail["subject"].as_str()?.parse().ok()?,
        recipients: u32::try_from(mail["to"].as_array()?.len()).ok()?,
        at: at.as_microsecond(),
    })
}
