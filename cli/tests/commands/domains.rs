//! `okite domains` against the SES of a running `okite up` and a DNS server of the test.

use std::path::Path;
use std::process::Stdio;

use hickory_resolver::proto::rr::RecordType;
use serde_json::{Value, json};

use crate::doctor::dns;
use crate::support::*;

/// Runs a command on domains. Returns its exit code, its standard output and its standard error.
async fn domains(data_dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = okite();
    command.arg("domains").args(arguments).arg("--data-dir").arg(data_dir);
    let output = finished(&mut command).await;
    let code = output.status.code().unwrap();
    (code, text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

/// What SES finds when the records of a domain are in DNS.
fn found() -> Value {
    json!({
        "verified": true, "dkim": "SUCCESS", "mail_from": { "domain": "bounce.new.example", "status": "SUCCESS" },
    })
}

#[tokio::test]
async fn sets_a_domain_up_and_waits_until_its_records_are_found() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let (code, printed, errors) = domains(&data_dir, &["records", "new.example"]).await;
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(
        errors.contains("does not have new.example. Run: okite domains create new.example --data-dir "),
        "{errors}"
    );

    let (code, printed, errors) = domains(&data_dir, &["create", "New.Example."]).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        errors,
        "Created new.example in SES in us-east-1.\nSet its MAIL FROM domain to bounce.new.example.\n"
    );
    for line in [
        "new.example in us-east-1: SES has not verified it yet (status PENDING)\n",
        "local1._domainkey.new.example  local1.dkim.amazonses.com",
        "10 feedback-smtp.us-east-1.amazonses.com",
        "v=spf1 include:amazonses.com ~all",
        "_dmarc.new.example",
        "DNS was not asked",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
    // Once more changes nothing, and another MAIL FROM domain is refused.
    let (code, again, errors) = domains(&data_dir, &["create", "new.example"]).await;
    assert_eq!((code, errors.as_str(), &again), (0, "", &printed));
    let (code, _, errors) = domains(&data_dir, &["create", "new.example", "--mail-from", "other"]).await;
    assert!(
        code == 1 && errors.contains("has the MAIL FROM domain bounce.new.example already"),
        "{errors}"
    );

    compares_with_dns_and_waits(&up).await;
}

/// The second half of the test above, on the domain that it has set up.
async fn compares_with_dns_and_waits(up: &Up) {
    let data_dir = &up.data_dir;
    let mail_server = "feedback-smtp.us-east-1.amazonses.com";
    let mut records = vec![
        (RecordType::MX, "bounce.new.example", mail_server),
        (RecordType::TXT, "bounce.new.example", "v=spf1 -all"),
        (RecordType::TXT, "_dmarc.new.example", "v=DMARC1; p=reject"),
        (
            RecordType::CNAME,
            "local1._domainkey.new.example",
            "local1.dkim.amazonses.com",
        ),
        (
            RecordType::CNAME,
            "local2._domainkey.new.example",
            "local2.dkim.amazonses.com.new.example",
        ),
    ];
    let resolver = dns(&records).to_string();
    let (code, printed, _) = domains(data_dir, &["records", "new.example", "--json", "--resolver", &resolver]).await;
    let report: Value = serde_json::from_str(&printed).unwrap();
    let states: Vec<_> = report["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["dns"]["state"])
        .collect();
    assert_eq!((code, &report["agrees"]), (0, &json!(false)));
    assert_eq!(states, ["there", "differs", "missing", "there", "differs", "there"]);
    let (_, zone, _) = domains(data_dir, &["records", "new.example", "--zone", "--resolver", &resolver]).await;
    assert!(
        zone.contains("\n; is there: _dmarc.new.example. 3600 IN TXT "),
        "{zone}"
    );
    assert!(
        zone.contains("\nlocal3._domainkey.new.example. 3600 IN CNAME local3.dkim.amazonses.com.\n"),
        "{zone}"
    );

    records.truncate(4);
    records[1].2 = "v=spf1 include:amazonses.com ~all";
    records.extend([
        (
            RecordType::CNAME,
            "local2._domainkey.new.example",
            "local2.dkim.amazonses.com",
        ),
        (
            RecordType::CNAME,
            "local3._domainkey.new.example",
            "local3.dkim.amazonses.com",
        ),
    ]);
    let resolver = dns(&records).to_string();
    let mut watch = okite();
    watch.args([
        "domains",
        "records",
        "new.example",
        "--watch",
        "--resolver",
        &resolver,
        "--data-dir",
    ]);
    watch.arg(data_dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    let watching = watch.spawn().unwrap();
    up.put_local("identities/new.example", &found()).await;
    let mut watching = watching;
    eventually("SES and DNS agree", async || watching.try_wait().unwrap()).await;
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("new.example in us-east-1: SES lets it send\n"));
    assert_eq!(text(&output.stderr), "", "progress is for terminals");
}

#[tokio::test]
async fn a_wait_ends_at_ctrl_c_with_what_was_read() {
    let (_folder, data_dir) = folder();
    let up = Up::start(&data_dir, &[]).await;
    let pending = json!({ "verified": false, "dkim": "PENDING" });
    up.put_local("identities/example.com", &pending).await;
    let held = format!("{}/_local/held", up.url());
    let fault = json!({ "operation": "GetEmailIdentity", "hold": "before" });
    assert_eq!(up.local("faults", &fault).await.status(), 204);
    let mut watch = okite();
    watch
        .args(["domains", "records", "example.com", "--watch", "--data-dir"])
        .arg(&data_dir);
    let mut watching = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the identity is asked for", async || {
        let calls: Value = up.http.get(&held).send().await.unwrap().json().await.unwrap();
        calls.to_string().contains("GetEmailIdentity").then_some(())
    })
    .await;
    send_signal(&watching, "INT");
    up.http.delete(&held).send().await.unwrap();
    eventually("the wait ends", async || watching.try_wait().unwrap()).await;
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("stopped before everything agreed"),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&output.stdout).contains("local1._domainkey.example.com"));
}

#[tokio::test]
async fn rejects_what_is_no_domain() {
    let (_folder, data_dir) = folder();
    for (arguments, word) in [
        (&["records", "hello@example.com"][..], "the part behind the @"),
        (&["records", "example"], "the form example.com"),
        (&["create", "exa mple.com"], "the form example.com"),
        (&["records", "example.com", "--zone", "--json"], "--json"),
        (&["records", "example.com", "--timeout", "1h"], "--watch"),
        (&["records", "example.com", "--watch", "--timeout", "soon"], "12h"),
        (&["records", "example.com", "--resolver", "dns.example"], "IP address"),
    ] {
        let (code, printed, errors) = domains(&data_dir, arguments).await;
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = domains(
        &data_dir,
        &["create", "example.com", "--mail-from", "bounce.example.org"],
    )
    .await;
    assert!(code == 1 && errors.contains("is not below example.com"), "{errors}");
    let (code, _, errors) = domains(&data_dir, &["records", "example.com"]).await;
    assert!(code == 1 && errors.contains("no `okite up` runs"), "{errors}");
}
