//! `okite doctor` against a running `okite up` and a DNS server of the test.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::thread;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, MX, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use std::path::Path;

use serde_json::{Value, json};

use crate::support::*;

/// Starts a DNS server with these records. It answers NXDOMAIN for every other name, and ends with the process.
pub(crate) fn dns(records: &[(RecordType, &str, &str)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut known: HashMap<(RecordType, String), Vec<RData>> = HashMap::new();
    for (kind, name, value) in records {
        let host = |host: &str| Name::from_ascii(format!("{host}.")).unwrap();
        let data = match *kind {
            RecordType::MX => RData::MX(MX::new(10, host(value))),
            RecordType::CNAME => RData::CNAME(CNAME(host(value))),
            // Long texts have several parts, so this one has two.
            _ => RData::TXT(TXT::new(vec![value[..4].to_owned(), value[4..].to_owned()])),
        };
        known.entry((*kind, format!("{name}."))).or_default().push(data);
    }
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let asked = Message::from_vec(&buffer[..length]).unwrap();
            let query = asked.queries[0].clone();
            let name = query.name().to_ascii().to_ascii_lowercase();
            // The server never answers for this name.
            if name.starts_with("silent.") {
                continue;
            }
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            match known.get(&(query.query_type(), name)) {
                Some(found) => {
                    let record = |data: &RData| Record::from_rdata(query.name().clone(), 60, data.clone());
                    answer.add_answers(found.iter().map(record));
                }
                None => answer.metadata.response_code = ResponseCode::NXDomain,
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), peer).unwrap();
        }
    });
    address
}

/// Runs the doctor. Returns its exit code, its standard output and its standard error.
async fn doctor(data_dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = okite();
    command.args(["doctor", "--data-dir"]).arg(data_dir).args(arguments);
    let output = finished(&mut command).await;
    let code = output.status.code().unwrap();
    (code, text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

/// Runs the doctor with `--json`. Returns its exit code and its findings.
async fn findings(data_dir: &Path, arguments: &[&str]) -> (i32, Vec<Value>) {
    let arguments = [arguments, &["--json"]].concat();
    let (code, printed, errors) = doctor(data_dir, &arguments).await;
    assert_eq!(errors, "");
    let mut diagnosis: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(diagnosis["exit_code"], code);
    (code, diagnosis["findings"].take().as_array().unwrap().clone())
}

fn levels<'a>(findings: &'a [Value], code: &str) -> Vec<&'a str> {
    let of_code = findings.iter().filter(|finding| finding["code"] == code);
    of_code.map(|finding| finding["level"].as_str().unwrap()).collect()
}

impl Up {
    pub(crate) async fn put_local(&self, part: &str, body: &Value) {
        let url = format!("{}/_local/{part}", self.url());
        let answer = self.http.put(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}

#[tokio::test]
async fn a_new_okite_up_is_well() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let (code, findings) = findings(&data_dir, &[]).await;
    assert_eq!(code, 0, "{findings:#?}");
    for good in [
        "account.sandbox",
        "account.sending",
        "account.enforcement",
        "account.suppression",
        "feedback.configuration_set",
        "feedback.event_destination",
        "feedback.subscription",
        "alarms",
        "keys.unsubscribe",
    ] {
        assert_eq!(levels(&findings, good), ["ok"], "{good}: {findings:#?}");
    }
    assert_eq!(levels(&findings, "identity.dkim"), ["ok", "ok"]);
    assert_eq!(levels(&findings, "identity.mail_from"), ["ok", "ok"]);
    assert_eq!(levels(&findings, "dns.dmarc"), ["not_checked", "not_checked"]);
    // SES uses the domain for an address without an identity of its own.
    let (code, covered) = self::findings(
        &data_dir,
        &["--from", "hello@mail.example.com", "--from", "example.com"],
    )
    .await;
    assert_eq!((code, levels(&covered, "identity.verified")), (0, vec!["ok"]));
    up.put_local("identities/example.org", &json!({ "mail_from": null }))
        .await;
    let (code, without) = self::findings(&data_dir, &[]).await;
    assert_eq!((code, levels(&without, "identity.mail_from")), (3, vec!["ok", "warn"]));
    let (code, printed, errors) = doctor(&data_dir, &["--from", "a@b.nowhere.example"]).await;
    assert_eq!((code, errors.as_str()), (4, ""), "{printed}");
    assert!(
        printed.contains("FAIL        identity.verified a@b.nowhere.example: "),
        "{printed}"
    );
    assert!(!printed.contains('\u{1b}'), "{printed}");
}

#[tokio::test]
async fn finds_problems_of_account_identity_and_alarms() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--sandbox"]).await;
    up.put_local(
        "account",
        &json!({ "enforcement_status": "SHUTDOWN", "sending_enabled": false }),
    )
    .await;
    up.put_local(
        "identities/example.com",
        &json!({ "verified": false, "dkim": "FAILED" }),
    )
    .await;
    let fault = json!({ "operation": "DescribeAlarms", "error": "AccessDenied" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let (code, findings) = findings(&data_dir, &["--from", "example.com"]).await;
    assert_eq!(code, 4);
    for (code, level) in [
        ("account.sandbox", "warn"),
        ("account.sending", "fail"),
        ("account.enforcement", "fail"),
        ("identity.verified", "fail"),
        ("identity.dkim", "fail"),
        ("alarms", "not_checked"),
    ] {
        assert_eq!(levels(&findings, code), [level], "{code}: {findings:#?}");
    }
}

#[tokio::test]
async fn queries_the_named_resolver() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &["--verify", "silent.example"]).await;
    let mail_from = json!({ "domain": "bounce.example.com", "status": "PENDING" });
    up.put_local("identities/example.com", &json!({ "mail_from": mail_from }))
        .await;
    let server = dns(&[
        (
            RecordType::CNAME,
            "local1._domainkey.example.com",
            "local1.dkim.amazonses.com",
        ),
        (
            RecordType::CNAME,
            "local2._domainkey.example.com",
            "local2.dkim.amazonses.com",
        ),
        (RecordType::CNAME, "local3._domainkey.example.com", "elsewhere.example"),
        (RecordType::MX, "example.com", "mx.example.com"),
        (
            RecordType::MX,
            "bounce.example.com",
            "feedback-smtp.us-east-1.amazonses.com",
        ),
        (RecordType::TXT, "_dmarc.example.com", "v=DMARC1; p=none"),
    ]);
    let resolver = server.to_string();
    let arguments = [
        "--resolver",
        &resolver,
        "--from",
        "example.com",
        "--from",
        "silent.example",
    ];
    let (code, findings) = findings(&data_dir, &arguments).await;
    assert_eq!(code, 3, "{findings:#?}");
    assert_eq!(levels(&findings, "dns.dmarc"), ["ok", "warn"], "{findings:#?}");
    assert_eq!(levels(&findings, "dns.mx"), ["ok", "not_checked"], "{findings:#?}");
    let records = |code: &str| {
        let mut of_code = findings.iter().filter(|finding| finding["code"] == code);
        of_code.next().unwrap()["records"].clone()
    };
    assert_eq!(
        records("identity.dkim"),
        json!([{ "name": "local3._domainkey.example.com", "type": "CNAME", "value": "local3.dkim.amazonses.com" }])
    );
    assert_eq!(
        records("identity.mail_from"),
        json!([{ "name": "bounce.example.com", "type": "TXT", "value": "v=spf1 include:amazonses.com ~all" }])
    );
}

#[tokio::test]
async fn the_self_test_sends_and_receives_events() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let (code, findings) = findings(&data_dir, &["--self-test"]).await;
    assert_eq!(code, 0, "{findings:#?}");
    for case in ["success", "bounce", "complaint", "ooto", "suppressionlist"] {
        assert_eq!(levels(&findings, &format!("self_test.{case}")), ["ok"], "{findings:#?}");
    }
    assert_eq!(up.outbox().await.as_array().unwrap().len(), 5);
    let (code, findings) = self::findings(&data_dir, &["--self-test", "--key", "ok_wrong_key"]).await;
    assert_eq!(code, 4);
    // One finding, for a key that no mail gets past.
    let of_test = findings
        .iter()
        .filter(|finding| finding["code"].as_str().unwrap().starts_with("self_test"));
    assert_eq!(of_test.count(), 1, "{findings:#?}");
    assert_eq!(levels(&findings, "self_test"), ["fail"]);
}

#[tokio::test]
async fn fails_without_a_running_okite_up() {
    let (_folder, data_dir) = folder();
    let (code, printed, errors) = doctor(&data_dir, &[]).await;
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(errors.contains("no `okite up` runs"), "{errors}");
    let (code, _, errors) = doctor(&data_dir, &["--resolver", "dns.example"]).await;
    assert_eq!(code, 2);
    assert!(errors.contains("IP address"), "{errors}");
}
