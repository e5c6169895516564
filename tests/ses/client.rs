//! A client of the SES API: signs as AWS's SDKs do, and speaks both versions.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::{Credentials, Region};
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::api_key::{ApiKey, ApiKeyRecord};
use domain::queue::WhenBusy;
use form_urlencoded::Serializer;
use jiff::{SignedDuration, Timestamp};
use local_aws::{REGION, RunSettings};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Okite, within};

/// An API key with AWS credentials, whose mail waits for some seconds where there is no room. `okite keys create --aws`
/// makes such keys.
pub(crate) const DOOR: &str = "ok_door_secret";

pub(crate) const ANNA: &str = "anna@example.net";
pub(crate) const BOB: &str = "bob@example.net";

/// The two versions of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

pub(crate) const BOTH: [Version; 2] = [Version::V1, Version::V2];

/// The most that an HTTP API and Lambda let an invocation take here, where a test waits until a request gives up
/// waiting. Sending and settling may take 13 s of it.
pub(crate) const IMPATIENT: Duration = Duration::from_secs(16);

impl Okite {
    /// Starts with the key [`DOOR`] and a rate that no test reaches.
    pub(crate) async fn door() -> Self {
        Self::door_with(|_| {}).await
    }

    pub(crate) async fn door_with(change: impl FnOnce(&mut RunSettings)) -> Self {
        let okite = Self::start_with(change).await;
        okite.account(json!({ "max_send_rate": 5000 })).await;
        okite.report().await;
        okite.put_door_key(DOOR, |_| {}).await;
        okite
    }

    /// Makes an API key with AWS credentials.
    pub(crate) async fn put_door_key(&self, key: &str, change: impl FnOnce(&mut ApiKeyRecord)) {
        self.put_record(key, |record| {
            record.secret_access_key = Some(ApiKey::parse(key).unwrap().secret_access_key());
            record.when_busy = WhenBusy::Wait;
            change(record);
        })
        .await;
    }

    /// A client of AWS's own, which repeats requests up to `attempts` times.
    pub(crate) fn sdk(&self, key: &str, attempts: u32) -> aws_sdk_sesv2::Client {
        sdk_at(&self.local.url, key, attempts)
    }

    /// The bytes of a raw mail that SES took, as recipients receive them.
    pub(crate) async fn source(&self, mail: &Value) -> Vec<u8> {
        let id = mail["ses_message_id"].as_str().unwrap();
        let request = self.request(Method::GET, &format!("/_local/outbox/{id}/source"));
        let answer = within(request.send()).await.unwrap();
        assert_eq!(answer.status(), 200);
        within(answer.bytes()).await.unwrap().to_vec()
    }

    /// The mails that SES took with a subject.
    pub(crate) async fn taken_with(&self, subject: &str) -> Vec<Value> {
        let mut outbox = self.outbox().await;
        outbox.retain(|mail| mail["subject"] == subject);
        outbox
    }
}

/// A client of AWS's own, for an endpoint.
pub(crate) fn sdk_at(url: &str, key: &str, attempts: u32) -> aws_sdk_sesv2::Client {
    let key = ApiKey::parse(key).unwrap();
    let credentials = Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "tests");
    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new(REGION))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws::http_client())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(attempts)
                .with_initial_backoff(Duration::from_millis(20)),
        );
    aws_sdk_sesv2::Client::from_conf(config.build())
}

/// A request of AWS's own client to send a raw mail to Anna.
pub(crate) fn sdk_mail(client: &aws_sdk_sesv2::Client, subject: &str) -> SendEmailFluentBuilder {
    let raw = RawMessage::builder().data(Blob::new(mime(subject))).build().unwrap();
    client
        .send_email()
        .destination(Destination::builder().to_addresses(ANNA).build())
        .content(EmailContent::builder().raw(raw).build())
}

/// A message in MIME to Anna.
pub(crate) fn mime(subject: &str) -> Vec<u8> {
    format!("From: Acme <hello@example.com>\r\nTo: {ANNA}\r\nSubject: {subject}\r\n\r\nIt works.\r\n").into_bytes()
}

/// A raw mail, as a caller of either version hands it over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) mime: Vec<u8>,
    pub(crate) source: Option<String>,
    pub(crate) to: Vec<String>,
    /// `ReturnPath` or `FeedbackForwardingEmailAddress`; a raw mail of version 1 has none.
    pub(crate) feedback: Option<String>,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    pub(crate) configuration_set: Option<String>,
}

impl Raw {
    pub(crate) fn new(subject: &str) -> Self {
        Self::of(mime(subject))
    }

    pub(crate) fn of(mime: impl Into<Vec<u8>>) -> Self {
        Self {
            mime: mime.into(),
            ..Self::default()
        }
    }

    pub(crate) fn to(self, to: &[&str]) -> Self {
        Self {
            to: to.iter().map(|&to| to.to_owned()).collect(),
            ..self
        }
    }

    fn form(&self) -> Vec<u8> {
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", "SendRawEmail")
            .append_pair("Version", "2010-12-01");
        form.append_pair("RawMessage.Data", &STANDARD.encode(&self.mime));
        let others = [
            ("Source", &self.source),
            ("ConfigurationSetName", &self.configuration_set),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        for (index, to) in self.to.iter().enumerate() {
            form.append_pair(&format!("Destinations.member.{}", index + 1), to);
        }
        for (index, (name, value)) in self.tags.iter().enumerate() {
            form.append_pair(&format!("Tags.member.{}.Name", index + 1), name);
            form.append_pair(&format!("Tags.member.{}.Value", index + 1), value);
        }
        form.finish().into_bytes()
    }

    fn json(&self) -> Vec<u8> {
        let tags = self
            .tags
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }));
        let body = json!({
            "FromEmailAddress": self.source,
            "Destination": { "ToAddresses": self.to },
            "Content": { "Raw": { "Data": STANDARD.encode(&self.mime) } },
            "EmailTags": tags.collect::<Vec<Value>>(),
            "ConfigurationSetName": self.configuration_set,
            "FeedbackForwardingEmailAddress": self.feedback,
        });
        body.to_string().into_bytes()
    }
}

/// A caller who signs requests.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    /// How far the caller's clock is off.
    pub(crate) skew: SignedDuration,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Caller {
    pub(crate) fn of(key: &str) -> Self {
        let key = ApiKey::parse(key).unwrap();
        Self {
            access_key_id: key.access_key_id(),
            secret: key.secret_access_key(),
            skew: SignedDuration::ZERO,
            headers: Vec::new(),
        }
    }

    /// The attempt of a call that an SDK gave this id.
    pub(crate) fn invocation(id: &str) -> Self {
        Self::of(DOOR).with("amz-sdk-invocation-id", id)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Makes a signed request.
    #[expect(clippy::disallowed_methods, reason = "the caller's clock is this machine's")]
    pub(crate) fn request(
        &self,
        okite: &Okite,
        method: &Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> RequestBuilder {
        let identity = Credentials::new(&self.access_key_id, &self.secret, None, None, "tests").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("ses")
            .time(SystemTime::from(Timestamp::now() + self.skew))
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let url = format!("{}{path}", okite.local.url);
        let host = okite.local.url.strip_prefix("http://").unwrap();
        let mut headers = vec![("host", host), ("content-type", content_type)];
        headers.extend(self.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let signable = SignableRequest::new(
            method.as_str(),
            url,
            headers.iter().copied(),
            SignableBody::Bytes(&body),
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        let mut request = okite.request(method.clone(), path).body(body);
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request
    }

    /// Calls an action of version 1.
    pub(crate) async fn act(&self, okite: &Okite, form: &str) -> SesAnswer {
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let request = self.request(okite, &Method::POST, "/", content_type, form.as_bytes().to_vec());
        SesAnswer::of(Version::V1, request).await
    }

    /// Calls an operation of version 2.
    pub(crate) async fn call(&self, okite: &Okite, method: Method, path: &str, body: &Value) -> SesAnswer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = self.request(okite, &method, path, "application/json", body);
        SesAnswer::of(Version::V2, request).await
    }

    /// Sends a raw mail.
    pub(crate) async fn send(&self, okite: &Okite, version: Version, mail: &Raw) -> SesAnswer {
        let request = match version {
            Version::V1 => {
                let content_type = "application/x-www-form-urlencoded; charset=utf-8";
                self.request(okite, &Method::POST, "/", content_type, mail.form())
            }
            Version::V2 => {
                let path = "/v2/email/outbound-emails";
                self.request(okite, &Method::POST, path, "application/json", mail.json())
            }
        };
        SesAnswer::of(version, request).await
    }
}

/// An answer of the SES API.
#[derive(Debug)]
pub(crate) struct SesAnswer {
    pub(crate) version: Version,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl SesAnswer {
    pub(crate) async fn of(version: Version, request: RequestBuilder) -> Self {
        let answer = within(request.send()).await.unwrap();
        Self {
            version,
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: within(answer.text()).await.unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The JSON of version 2.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The texts of all elements of a name, in version 1.
    pub(crate) fn elements(&self, name: &str) -> Vec<&str> {
        let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
        let texts = self.text.split(&begin).skip(1);
        texts.map(|text| text.split(&end).next().unwrap()).collect()
    }

    /// Checks that the mail is accepted, and returns the id in the body.
    #[track_caller]
    pub(crate) fn message_id(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.header("x-amzn-requestid").is_some(), "{self:?}");
        match self.version {
            Version::V1 => {
                assert_eq!(self.header("content-type"), Some("text/xml"));
                self.elements("MessageId")[0].to_owned()
            }
            Version::V2 => {
                assert_eq!(self.header("content-type"), Some("application/json"));
                self.json()["MessageId"].as_str().unwrap().to_owned()
            }
        }
    }

    /// Okite's id of the mail.
    #[track_caller]
    pub(crate) fn okite_id(&self) -> String {
        self.header("x-okite-id")
            .unwrap_or_else(|| panic!("{self:?}"))
            .to_owned()
    }

    /// Checks that this is an error in the form of its version, and returns its message.
    #[track_caller]
    pub(crate) fn refused(&self, v1: (u16, &str), v2: (u16, &str)) -> String {
        let (status, code) = match self.version {
            Version::V1 => v1,
            Version::V2 => v2,
        };
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.header("x-amzn-requestid").is_some(), "{self:?}");
        let message = match self.version {
            Version::V1 => {
                assert_eq!(self.header("content-type"), Some("text/xml"));
                assert_eq!(self.elements("Code"), [code], "{self:?}");
                let whose = if status < 500 { "Sender" } else { "Receiver" };
                assert_eq!(self.elements("Type"), [whose], "{self:?}");
                self.elements("Message")[0].to_owned()
            }
            Version::V2 => {
                assert_eq!(self.header("content-type"), Some("application/json"));
                assert_eq!(self.header("x-amzn-errortype"), Some(code), "{self:?}");
                self.json()["message"].as_str().unwrap().to_owned()
            }
        };
        assert!(!message.is_empty(), "{self:?}");
        message
    }
}
